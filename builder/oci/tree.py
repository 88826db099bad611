"""A manifest or an index with everything below it, ready to be sent somewhere."""

from collections.abc import Iterator
from dataclasses import dataclass

from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.image_index import Built, ImageIndex
from layers.entries import BytesContent


@dataclass(frozen=True, slots=True, kw_only=True)
class ManifestTree:
    """A manifest or an index, in the bytes that its digest is of, and what it points at.

    Attributes:
        descriptor: of the document; an index has no blobs, a manifest no children.
        raw: the document.
        blobs: config and layers, each once.
        children: the manifests and indexes that an index lists.
    """

    descriptor: Descriptor
    raw: bytes
    blobs: tuple[Blob, ...] = ()
    children: tuple["ManifestTree", ...] = ()

    @classmethod
    def of(cls, built: Built) -> "ManifestTree":
        """The tree of what a build gave."""
        return cls.of_index(built) if isinstance(built, ImageIndex) else cls.of_image(built)

    @classmethod
    def of_index(cls, index: ImageIndex) -> "ManifestTree":
        """The tree of an index, with those of its images."""
        return cls(
            descriptor=index.descriptor,
            raw=index.index.raw,
            children=tuple(map(cls.of_image, index.images)),
        )

    @classmethod
    def of_image(cls, image: Image) -> "ManifestTree":
        """The tree of one image."""
        config = Blob(image.config.descriptor(), BytesContent(image.config.raw))
        layers = (Blob(Descriptor.of_layer(layer), layer.source) for layer in image.layers)
        return cls(
            descriptor=image.descriptor,
            raw=image.manifest.raw,
            # An image may hold the same layer twice.
            blobs=tuple({b.descriptor.digest: b for b in (config, *layers)}.values()),
        )

    def documents(self) -> Iterator["ManifestTree"]:
        """Every tree in this one, itself last: whatever is pointed at comes before what points."""
        for child in self.children:
            yield from child.documents()
        yield self

    def all_blobs(self) -> tuple[Blob, ...]:
        """The blobs of all manifests, each once."""
        found = {b.descriptor.digest: b for tree in self.documents() for b in tree.blobs}
        return tuple(found.values())
