"""From something that points at an image to the whole image in the store."""

from collections.abc import Callable, Sequence

from builder.errors import BaseError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.oci.image import Image
from builder.oci.image_config import ImageConfig, parse_image_config
from builder.oci.manifest import parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.store.layout import Store
from builder.store.packing import stored_layer

type Copy = Callable[[Sequence[Descriptor]], None]
"""Copies blobs into the store, all of them or raises; asked only for those that are not there."""

_MAX_NESTING = 4


def take_in(top: Descriptor, platform: Platform, store: Store, copy: Copy) -> Descriptor:
    """Copy an image and what it is made of into the store.

    Args:
        top: points at a manifest, or at an index that has one for the platform.
        platform: what the image has to run on.
        store: gets the blobs.
        copy: brings blobs from where the image is.

    Returns:
        What points at the manifest.

    Raises:
        BaseError: the image is for another platform, or a document is absurdly long.
        DocumentError: a document cannot be read, or an index has nothing for the platform.
    """
    found = top
    for _ in range(_MAX_NESTING):
        raw = _document(found, store, copy)
        if found.media_type not in media_types.INDEXES:
            break
        found = parse_index(raw, found.media_type).value.select(platform)
    manifest = parse_manifest(_document(found, store, copy), found.media_type).value
    config = parse_image_config(_document(manifest.config, store, copy)).value
    check_platform(config, platform)
    _bring(manifest.layers, store, copy)
    return Descriptor(media_type=found.media_type, digest=found.digest, size=found.size)


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


def is_complete(manifest: Descriptor, store: Store) -> bool:
    """Whether an image is in the store, down to its last blob."""
    if not store.has(manifest):
        return False
    parts = parse_manifest(store.read(manifest), manifest.media_type).value
    return all(store.has(part) for part in (parts.config, *parts.layers))


def load_image(manifest: Descriptor, store: Store) -> Image:
    """An image that is in the store.

    Raises:
        DocumentError: its documents do not agree.
        LayerError: a document is not what its digest promises.
        StoreError: a document is not there.
    """
    document = parse_manifest(store.read(manifest), manifest.media_type)
    config = parse_image_config(store.read(document.value.config))
    # Unequal numbers of layers and diff_ids are refused by Image.
    pairs = zip(document.value.layers, config.value.diff_ids, strict=False)
    layers = tuple(stored_layer(descriptor, diff_id, store) for descriptor, diff_id in pairs)
    return Image(document, config, layers)


def _document(descriptor: Descriptor, store: Store, copy: Copy) -> bytes:
    if descriptor.size > MAX_DOCUMENT:
        raise BaseError(
            f"{descriptor.media_type} {descriptor.digest} has {descriptor.size} bytes; "
            f"at most {MAX_DOCUMENT >> 20} MiB are read"
        )
    _bring((descriptor,), store, copy)
    return store.read(descriptor)


def _bring(descriptors: Sequence[Descriptor], store: Store, copy: Copy) -> None:
    # By digest: an image may hold the same layer twice.
    missing = {d.digest: d for d in descriptors if not store.has(d)}
    if missing:
        copy(tuple(missing.values()))
