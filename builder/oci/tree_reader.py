"""From what points at an image, or at an index of images, to the whole of it, wherever it lies."""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Protocol

from builder.errors import DocumentError
from builder.oci import media_types
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT, Document
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from layers.entries import BytesContent, Content

_MAX_NESTING = 4
_IMAGE_CONFIGS = {media_types.CONFIG, media_types.DOCKER_CONFIG}
_NOT_TO_BE_SENT = (".nondistributable.", ".foreign.")


class Blobs(Protocol):
    """Where documents and blobs lie."""

    @property
    def place(self) -> str:
        """What the place is called in messages."""
        ...

    def has(self, descriptor: Descriptor) -> bool:
        """Whether a blob is there in full size; where asking costs much, what can be hoped."""
        ...

    def read(self, descriptor: Descriptor) -> bytes:
        """A whole document, verified."""
        ...

    def content(self, descriptor: Descriptor) -> Content:
        """A blob, which nobody may ever open."""
        ...


def read_tree(top: Descriptor, blobs: Blobs, platform: Platform | None = None) -> ManifestTree:
    """All that a manifest or index points at; documents keep their bytes and media types.

    Layers that may not be distributed stay out: whoever runs the image gets them elsewhere.
    https://github.com/opencontainers/image-spec/blob/main/layer.md#non-distributable-layers

    Args:
        top: points at the manifest or index.
        blobs: where it lies.
        platform: of the one manifest that is wanted; everything when nothing is said.

    Raises:
        DocumentError: something that is pointed at is not there or cannot be read, or there is
            nothing for the platform.
    """
    if platform is not None:
        top = _select(top, blobs, platform)
    tree = _tree(top, blobs, 0)
    if tree.descriptor.media_type in media_types.MANIFESTS:
        tree = _with_platform(tree, blobs)
        if platform is not None:
            check_platform(tree, platform)
    return tree


def _select(top: Descriptor, blobs: Blobs, platform: Platform) -> Descriptor:
    found = top
    for _ in range(_MAX_NESTING):
        if found.media_type not in media_types.INDEXES:
            break
        index = parse_index(_document(found, blobs), found.media_type).value
        found = index.select(platform)
        _check_present([found], blobs, f"the index {top.digest}")
    return found


def _tree(found: Descriptor, blobs: Blobs, depth: int) -> ManifestTree:
    if found.media_type in media_types.MANIFESTS:
        return _manifest(found, blobs)
    if found.media_type not in media_types.INDEXES:
        raise DocumentError(
            f"{found.digest} in {blobs.place} is {found.media_type}; "
            "expected an image manifest or index"
        )
    if depth == _MAX_NESTING:
        raise DocumentError(f"{blobs.place}: indexes in indexes, more than {_MAX_NESTING} deep")
    document = parse_index(_document(found, blobs), found.media_type)
    # An index may list a manifest for several platforms.
    listed = {child.digest: child for child in document.value.manifests}.values()
    present = [str(child.platform) for child in listed if child.platform and blobs.has(child)]
    hint = f"push one image of it with --platform: {', '.join(present)}" if present else None
    _check_present(listed, blobs, f"the index {found.digest}", hint)
    return ManifestTree(
        descriptor=_bare(found, document),
        raw=document.raw,
        children=tuple(_tree(child, blobs, depth + 1) for child in listed),
    )


def _manifest(found: Descriptor, blobs: Blobs) -> ManifestTree:
    document = parse_manifest(_document(found, blobs), found.media_type)
    parts = {part.digest: part for part in (document.value.config, *document.value.layers)}
    sent = [p for p in parts.values() if not any(word in p.media_type for word in _NOT_TO_BE_SENT)]
    _check_present(sent, blobs, f"the manifest {found.digest}")
    return ManifestTree(
        descriptor=_bare(found, document),
        raw=document.raw,
        blobs=tuple(Blob(part, blobs.content(part)) for part in sent),
    )


def _with_platform(tree: ManifestTree, blobs: Blobs) -> ManifestTree:
    """With the platform that the image config states, where nothing else has."""
    config = parse_manifest(tree.raw, tree.descriptor.media_type).value.config
    if tree.descriptor.platform or config.media_type not in _IMAGE_CONFIGS:
        return tree
    raw = _document(config, blobs)
    with suppress(DocumentError):
        # Some artifacts call an empty object an image config.
        platform = parse_image_config(raw).value.platform
        tree = replace(tree, descriptor=replace(tree.descriptor, platform=platform))
    at_hand = Blob(config, BytesContent(raw))
    others = tuple(blob for blob in tree.blobs if blob.descriptor.digest != config.digest)
    return replace(tree, blobs=(at_hand, *others))


def check_platform(tree: ManifestTree, wanted: Platform) -> None:
    """Refuse the image of another platform.

    Raises:
        DocumentError: with both platforms.
    """
    got = tree.descriptor.platform
    if got is None:
        raise DocumentError(f"{tree.descriptor.digest} does not say for which platform it is")
    # Configs often lack the variant that whoever asked knows.
    if not Platform(got.os, got.architecture, got.variant or wanted.variant).matches(wanted):
        raise DocumentError(f"the image is for {got}, wanted one for {wanted}")


def _check_present(
    wanted: Iterable[Descriptor], blobs: Blobs, what: str, hint: str | None = None
) -> None:
    descriptors = list(wanted)
    lacking = [d for d in descriptors if not blobs.has(d)]
    if not lacking:
        return
    names = ", ".join(f"{d.digest} ({d.platform or d.media_type}, {d.size} bytes)" for d in lacking)
    raise DocumentError(
        f"{what} points at {len(descriptors)} blobs, of which {blobs.place} lacks "
        f"{len(lacking)}, or has them in another size: {names}",
        hint=hint or "copy the image once more from where it came",
    )


def _document(descriptor: Descriptor, blobs: Blobs) -> bytes:
    if descriptor.size > MAX_DOCUMENT:
        raise DocumentError(
            f"{descriptor.media_type} {descriptor.digest} in {blobs.place} has {descriptor.size} "
            f"bytes; at most {MAX_DOCUMENT >> 20} MiB are read"
        )
    return blobs.read(descriptor)


def _bare[T](found: Descriptor, document: Document[T]) -> Descriptor:
    """Without what whoever pointed at it had to say of it, but the platform."""
    return replace(document.descriptor(), platform=found.platform)
