"""Images of one application for several platforms, and the index that lists them.

https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from builder.errors import DocumentError
from builder.oci.image import Image
from builder.oci.manifest import Index
from builder.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.oci.descriptor import Descriptor
    from builder.oci.document import Document
    from layers.digest import Digest


@dataclass(frozen=True, slots=True)
class ImageIndex:
    """An index and all of its images, checked against each other when they are put together.

    Attributes:
        index: as it is published.
        images: at least one, each for another platform, in the order of the index.

    Raises:
        DocumentError: there is no image, the index lists other images or calls one by another
            platform than its config, or two are for the same platform.
    """

    index: Document[Index]
    images: tuple[Image, ...]

    def __post_init__(self) -> None:
        listed = self.index.value.manifests
        if [(d.digest, d.size) for d in listed] != [
            (image.digest, len(image.manifest.raw)) for image in self.images
        ]:
            raise DocumentError("the index lists other manifests than its images have")
        if not listed:
            raise DocumentError("an index of no images")
        for pointer, image in zip(listed, self.images, strict=True):
            _check_platform(pointer, image)
        _check_distinct(listed)

    @classmethod
    def of(cls, images: Sequence[Image], annotations: Mapping[str, str] | None = None) -> Self:
        """The index of images, which lists them in this order.

        Args:
            images: at least one, each for another platform.
            annotations: of the index.

        Raises:
            DocumentError: there is no image, or two are for the same platform.
        """
        index = Index(
            manifests=tuple(image.descriptor for image in images), annotations=annotations or {}
        )
        return cls(index.to_document(), tuple(images))

    @property
    def digest(self) -> Digest:
        """What an index is known by; each of its images has a digest of its own, too."""
        return self.index.digest

    @property
    def descriptor(self) -> Descriptor:
        """What points at this index."""
        return self.index.descriptor()

    @property
    def platforms(self) -> tuple[Platform, ...]:
        """Of the images, in their order, as the index names them."""
        return tuple(d.platform for d in self.index.value.manifests if d.platform)

    @property
    def size(self) -> int:
        """Bytes to move for all images: documents and layers, compressed, each of them once."""
        sizes = {self.digest: len(self.index.raw)}
        for image in self.images:
            sizes |= {d.digest: len(d.raw) for d in (image.manifest, image.config)}
            sizes |= {layer.digest: layer.size for layer in image.layers}
        return sum(sizes.values())

    def image_for(self, platform: Platform) -> Image | None:
        """The image that a machine of a platform runs: the one that ``Index.find`` finds."""
        found = self.index.value.find(platform)
        images = {image.digest: image for image in self.images}
        return images[found.digest] if found else None


type Built = Image | ImageIndex
"""What a build gives: one image, or an index when several platforms were asked for."""


def images_of(built: Built) -> tuple[Image, ...]:
    """The one image, or those of the index."""
    return built.images if isinstance(built, ImageIndex) else (built,)


def _check_platform(pointer: Descriptor, image: Image) -> None:
    stated, own = pointer.platform, image.config.value.platform
    if stated is None:
        raise DocumentError(f"the index does not say for which platform {pointer.digest} is")
    # Configs often lack the variant that the index knows.
    known = Platform(own.os, own.architecture, own.variant or stated.variant)
    if known.specific != stated.specific:
        raise DocumentError(f"the index calls {pointer.digest} {stated}; its config says {own}")


def _check_distinct(listed: Sequence[Descriptor]) -> None:
    seen: dict[Platform, Platform] = {}
    for platform in (d.platform for d in listed if d.platform):
        if (first := seen.setdefault(platform.specific, platform)) is not platform:
            raise DocumentError(
                f"two images of one index are for the same platform: {first} and {platform}"
            )
