"""The blobs of images, each verified whenever it is read."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Self, cast

from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.image_index import Built, ImageIndex, images_of
from builder.parallel import Stoppable, in_parallel
from builder.store.layout import Layout
from layers.compress import decompressed
from layers.digest import CHUNK, DiffId, HashingWriter
from layers.entries import BytesContent
from layers.errors import LayerError
from layers.layer import Layer


@dataclass(frozen=True, slots=True)
class Unpacked:
    """The tar inside a layer blob, as content."""

    layer: Layer

    def open(self) -> BinaryIO:
        """The tar from its first byte on."""
        return cast("BinaryIO", _Tar(self._blob.open(), self.layer.media_type))

    def measure(self) -> int:
        """Bytes of the tar, once blob and tar have proved to be what the layer promises.

        Raises:
            LayerError: they are something else.
        """
        # The blob first: a decompressor would stumble over a damaged one in its own words.
        with self._blob.open() as stream:
            while stream.read(CHUNK):
                pass
        tar = HashingWriter(_Nowhere())
        with self.open() as stream:
            while data := stream.read(CHUNK):
                tar.write(data)
        got = DiffId(f"sha256:{tar.hexdigest}")
        if got != self.layer.diff_id:
            raise LayerError(
                f"layer {self.layer.digest}: its tar should be {self.layer.diff_id}, it is {got}"
            )
        return tar.size

    @property
    def _blob(self) -> Blob:
        return Blob(Descriptor.of_layer(self.layer), self.layer.source)


def blobs(built: Built) -> Iterator[Blob]:
    """Everything images are made of, in the order to write it: what is pointed at comes first.

    What images share comes once for each of them.
    """
    for image in images_of(built):
        for layer in image.layers:
            yield Blob(Descriptor.of_layer(layer), layer.source)
        for document in (image.config, image.manifest):
            yield Blob(document.descriptor(), BytesContent(document.raw))
    if isinstance(built, ImageIndex):
        yield Blob(built.descriptor, BytesContent(built.index.raw))


def add_blobs(built: Built, layout: Layout) -> None:
    """Copy the blobs of images into a layout, several at a time, except those that it has.

    When one cannot be had, those that came before stay: they need not be copied again.

    Raises:
        StoreError: the layout cannot be written.
        LayerError: a blob's bytes are not its digest's.
        RegistryError: a blob is elsewhere, and its registry does not give it.
        TransportError: a blob is elsewhere, and its registry cannot be reached.
    """
    stop = threading.Event()

    def add(blob: Blob) -> None:
        with blob.open() as stream:
            layout.add(cast("BinaryIO", Stoppable(stream, stop)), blob.descriptor)

    # By digest: an image may hold the same layer twice, and share it with others.
    missing = {b.descriptor.digest: b for b in blobs(built) if not layout.has(b.descriptor)}
    in_parallel(add, tuple(missing.values()), stop=stop)


class _Tar:
    """A decompressed stream that closes the compressed one too; decompressors leave it open."""

    def __init__(self, blob: BinaryIO, media_type: str) -> None:
        self._stack = contextlib.ExitStack()
        self._stack.enter_context(blob)
        self.read = self._stack.enter_context(decompressed(blob, media_type)).read

    def close(self) -> None:
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Nowhere:
    def write(self, data: bytes, /) -> object:
        return len(data)
