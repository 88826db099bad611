"""An image whose parts agree."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor

if TYPE_CHECKING:
    from builder.oci.document import Document
    from builder.oci.image_config import ImageConfig
    from builder.oci.manifest import Manifest
    from layers.digest import Digest
    from layers.layer import Layer


@dataclass(frozen=True, slots=True)
class Image:
    """Manifest, config and layers, checked against each other when they are put together.

    Raises:
        DocumentError: the manifest points at another config or other layers, or the config
            lists other diff_ids.
    """

    manifest: Document[Manifest]
    config: Document[ImageConfig]
    layers: tuple[Layer, ...]

    def __post_init__(self) -> None:
        pointer = self.manifest.value.config
        if (pointer.digest, pointer.size) != (self.config.digest, len(self.config.raw)):
            raise DocumentError(
                f"the manifest points at config {pointer.digest}, the config at hand is "
                f"{self.config.digest}"
            )
        named = [(d.digest, d.size) for d in self.manifest.value.layers]
        if named != [(layer.digest, layer.size) for layer in self.layers]:
            raise DocumentError("the manifest lists other layers than the image has")
        if self.config.value.diff_ids != tuple(layer.diff_id for layer in self.layers):
            raise DocumentError("the config lists other diff_ids than the layers have")

    @property
    def digest(self) -> Digest:
        """The image's identity: its manifest's digest."""
        return self.manifest.digest

    @property
    def descriptor(self) -> Descriptor:
        """What points at this image, with its platform."""
        plain = self.manifest.descriptor()
        return Descriptor(
            media_type=plain.media_type,
            digest=plain.digest,
            size=plain.size,
            platform=self.config.value.platform,
        )

    @property
    def size(self) -> int:
        """Bytes to move for the whole image: documents and layers, compressed."""
        layers = sum(layer.size for layer in self.layers)
        return len(self.manifest.raw) + len(self.config.raw) + layers
