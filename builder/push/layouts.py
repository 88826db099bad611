"""Images in OCI image layouts that others wrote: read where they are, and never written to.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md
"""

from contextlib import AbstractContextManager
from dataclasses import dataclass
from os import SEEK_END
from typing import BinaryIO, Self, cast

from builder.base.layout_source import choose_image
from builder.base.tree import Tree
from builder.errors import BaseError
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.oci.manifest import parse_index
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from builder.oci.tree_reader import read_tree


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutBlobs:
    """The blobs of a layout.

    Attributes:
        files: of the layout.
        place: where that is, for messages.
        turn: held while the layout is read: the files of an archive share one position.
    """

    files: Tree
    place: str
    turn: AbstractContextManager[object]

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob's file is there in full size; its bytes prove themselves when read.

        Raises:
            BaseError: it is there, and may not be read.
        """
        try:
            with self.turn, self.files.open(_path(descriptor)) as file:
                return file.seek(0, SEEK_END) == descriptor.size
        except BaseError as error:
            cause = error.__cause__
            if isinstance(cause, OSError) and not isinstance(cause, FileNotFoundError):
                raise
            return False

    def read(self, descriptor: Descriptor) -> bytes:
        """A whole blob, verified.

        Raises:
            BaseError: it cannot be read.
            LayerError: its bytes are not the blob's.
        """
        with Blob(descriptor, self.content(descriptor)).open() as stream:
            return stream.read()

    def content(self, descriptor: Descriptor) -> "LayoutFile":
        """The blob's file."""
        return LayoutFile(self.files, _path(descriptor), self.turn)


@dataclass(frozen=True, slots=True)
class LayoutFile:
    """A file of a layout as content, which several threads may read."""

    files: Tree
    path: str
    turn: AbstractContextManager[object]

    def open(self) -> BinaryIO:
        """The file from its first byte on.

        Raises:
            BaseError: it cannot be read.
        """
        with self.turn:
            return cast("BinaryIO", _InTurn(self.files.open(self.path), self.turn))


def layout_tree(blobs: LayoutBlobs, tag: str | None, platform: Platform | None) -> ManifestTree:
    """An image of a layout, or an index of images.

    Args:
        blobs: of the layout.
        tag: the image's name in the layout, or the tag in that name; None for the only image.
        platform: of the one manifest that is wanted; everything when nothing is said.

    Raises:
        BaseError: there is no layout, or it does not name one image so.
        DocumentError: the image is not all there, or cannot be read.
        LayerError: a document is not what its digest promises.
    """
    with blobs.turn, blobs.files.open("index.json") as file:
        raw = file.read(MAX_DOCUMENT)
    return read_tree(choose_image(parse_index(raw).value, tag, platform), blobs, platform)


class _InTurn:
    def __init__(self, file: BinaryIO, turn: AbstractContextManager[object]) -> None:
        self._file = file
        self._turn = turn

    def read(self, size: int = -1) -> bytes:
        with self._turn:
            return self._file.read(size)

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _path(descriptor: Descriptor) -> str:
    return f"blobs/{descriptor.digest.algorithm}/{descriptor.digest.hex}"
