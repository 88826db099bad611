"""From something that points at an image to the whole image in the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING

from builder.errors import BaseError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.oci.image import Image
from builder.oci.image_config import ImageConfig, parse_image_config
from builder.oci.manifest import Manifest, parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.store.layout import Store, StoredBlob
from builder.store.packing import known_layer

if TYPE_CHECKING:
    from layers.entries import Content

type Copy = Callable[[Sequence[Descriptor]], None]
"""Copies blobs into the store, all of them or raises; asked only for those that are not there."""

_MAX_NESTING = 4


def take_in(top: Descriptor, platform: Platform | None, store: Store, copy: Copy) -> Descriptor:
    """Copy an image and what it is made of into the store.

    Args:
        top: points at a manifest, or at an index that has one for the platform.
        platform: what the image has to run on; whatever it is for when None, and of several
            the one for this machine.
        store: gets the blobs.
        copy: brings blobs from where the image is.

    Returns:
        What points at the manifest.

    Raises:
        BaseError: the image is for another platform, or a document is absurdly long.
        DocumentError: a document cannot be read, or an index has nothing for the platform.
    """
    found, manifest = take_in_documents(top, platform, store, copy)
    bring_missing(manifest.layers, store, copy)
    return found


def take_in_documents(
    top: Descriptor, platform: Platform | None, store: Store, copy: Copy
) -> tuple[Descriptor, Manifest]:
    """Copy an image's documents into the store, and leave its layers where they are.

    Returns:
        What points at the manifest, and the manifest.

    Raises:
        BaseError: as for ``take_in``.
        DocumentError: as for ``take_in``.
    """
    found = top
    for _ in range(_MAX_NESTING):
        raw = _document(found, store, copy)
        if found.media_type not in media_types.INDEXES:
            break
        found = parse_index(raw, found.media_type).value.select(platform or Platform.host())
    manifest = parse_manifest(_document(found, store, copy), found.media_type).value
    config = parse_image_config(_document(manifest.config, store, copy)).value
    if platform is not None:
        check_platform(config, platform)
    pointer = Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)
    return pointer, manifest


def check_platform(config: ImageConfig, wanted: Platform) -> None:
    """Refuse an image that does not run where it should.

    Raises:
        BaseError: with both platforms.
    """
    got = config.platform
    # Configs often lack the variant that the index, or whoever asked, knows.
    known = Platform(got.os, got.architecture, got.variant or wanted.variant)
    if not known.matches(wanted):
        raise BaseError(
            f"the image is for {got}, wanted one for {wanted}",
            hint="choose a base for that platform, or build for the base's",
        )


def is_complete(manifest: Descriptor, store: Store, *, without_layers: bool = False) -> bool:
    """Whether an image is in the store, down to its last blob or but for its layers."""
    if not store.has(manifest):
        return False
    parts = parse_manifest(store.read(manifest), manifest.media_type).value
    layers = () if without_layers else parts.layers
    return all(store.has(part) for part in (parts.config, *layers))


def load_image(
    manifest: Descriptor, store: Store, layer: Callable[[Descriptor], Content] | None = None
) -> Image:
    """An image whose documents are in the store.

    Args:
        manifest: points at its manifest.
        store: has the documents.
        layer: the content of a layer; what is in the store when nothing is said.

    Raises:
        DocumentError: its documents do not agree.
        LayerError: a document is not what its digest promises.
        StoreError: a document is not there.
    """
    document = parse_manifest(store.read(manifest), manifest.media_type)
    config = parse_image_config(store.read(document.value.config))
    # Unequal numbers of layers and diff_ids are refused by Image.
    pairs = zip(document.value.layers, config.value.diff_ids, strict=False)
    content = layer or partial(StoredBlob, store)
    layers = tuple(known_layer(blob, diff_id, content(blob)) for blob, diff_id in pairs)
    return Image(document, config, layers)


def _document(descriptor: Descriptor, store: Store, copy: Copy) -> bytes:
    if descriptor.size > MAX_DOCUMENT:
        raise BaseError(
            f"{descriptor.media_type} {descriptor.digest} has {descriptor.size} bytes; "
            f"at most {MAX_DOCUMENT >> 20} MiB are read"
        )
    bring_missing((descriptor,), store, copy)
    return store.read(descriptor)


def bring_missing(descriptors: Sequence[Descriptor], store: Store, copy: Copy) -> None:
    """Copy the blobs that the store lacks."""
    # By digest: an image may hold the same layer twice.
    missing = {d.digest: d for d in descriptors if not store.has(d)}
    if missing:
        copy(tuple(missing.values()))
