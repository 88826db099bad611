"""Whether all of an image is in a store: all that cannot be had again from the base's registry."""

from collections.abc import Callable

from builder.errors import DocumentError, LayerError, StoreError
from builder.oci import media_types
from builder.oci.descriptor import BASE_DIGEST, BASE_NAME, Descriptor
from builder.oci.manifest import Manifest, parse_index, parse_manifest
from builder.store.layout import Layout
from layers.digest import Digest


def lacks(top: Descriptor, layout: Layout, has: Callable[[Descriptor], bool]) -> tuple[str, ...]:
    """What of an image is not there, or cannot be read: digests.

    Layers of a base that was published may be with its registry still.

    Args:
        top: points at the image's manifest, or at an index.
        layout: has the blobs.
        has: whether a blob counts as there.
    """
    if not has(top):
        return (str(top.digest),)
    try:
        if top.media_type in media_types.INDEXES:
            children = parse_index(layout.read(top), top.media_type).value.manifests
            return tuple(gone for child in children for gone in lacks(child, layout, has))
        manifest = parse_manifest(layout.read(top), top.media_type).value
    except (DocumentError, LayerError, StoreError):
        return (str(top.digest),)
    absent = [layer for layer in manifest.layers if not has(layer)]
    elsewhere = _at_registry(manifest, absent, layout) if absent else frozenset[Digest]()
    gone = [part for part in (manifest.config, *absent) if not has(part)]
    return tuple(str(part.digest) for part in gone if part.digest not in elsewhere)


def _at_registry(manifest: Manifest, absent: list[Descriptor], layout: Layout) -> frozenset[Digest]:
    """Layers that are known, or may be taken, to be those of a published base."""
    if not manifest.annotations.get(BASE_NAME):
        return frozenset()
    if (base := _base_layers(manifest.annotations.get(BASE_DIGEST), layout)) is not None:
        return base
    lowest = [layer.digest for layer in manifest.layers[: len(absent)]]
    return frozenset(lowest) if lowest == [layer.digest for layer in absent] else frozenset()


def _base_layers(digest: str | None, layout: Layout) -> frozenset[Digest] | None:
    """Those of the base's manifest; None when that is not here."""
    try:
        name = Digest(digest or "")
        size = layout.size(name)
        pointer = Descriptor(media_type=media_types.MANIFEST, digest=name, size=size)
        base = parse_manifest(layout.read(pointer)).value
    except (DocumentError, LayerError, StoreError):
        return None
    return frozenset(layer.digest for layer in base.layers)
