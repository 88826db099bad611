"""How much of an image is its base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.errors import DocumentError, LayerError, StoreError
from builder.oci import media_types
from builder.oci.descriptor import BASE_DIGEST, Descriptor
from builder.oci.manifest import parse_index, parse_manifest
from layers.digest import Digest

if TYPE_CHECKING:
    from builder.oci.image import Image
    from builder.oci.manifest import Manifest
    from builder.store.layout import Layout


def count_base_layers(image: Image, layout: Layout) -> int:
    """How many of an image's lowest layers are those of the base that its annotations name.

    0 when they name none, or the layout does not know it.
    https://github.com/opencontainers/image-spec/blob/main/annotations.md
    """
    base = _base(image, layout)
    below = tuple(layer.digest for layer in base.layers) if base else ()
    own = tuple(layer.digest for layer in image.layers)
    return len(below) if own[: len(below)] == below else 0


def _base(image: Image, layout: Layout) -> Manifest | None:
    """The base's manifest, when a layout has it."""
    try:
        digest = Digest(image.manifest.value.annotations.get(BASE_DIGEST, ""))
        raw = _read(digest, layout)
        try:
            pointer = parse_index(raw).value.select(image.config.value.platform)
        except DocumentError:
            return parse_manifest(raw).value
        return parse_manifest(_read(pointer.digest, layout)).value
    except (DocumentError, LayerError, StoreError):
        return None


def _read(digest: Digest, layout: Layout) -> bytes:
    size = layout.size(digest)
    return layout.read(Descriptor(media_type=media_types.MANIFEST, digest=digest, size=size))
