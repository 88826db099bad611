"""The files of a layer that anybody may have written, as entries."""

from __future__ import annotations

import posixpath
import re
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Self, cast

from builder.errors import LayerError
from layers.entries import WHITEOUT_PREFIX
from layers.verify import DAMAGES, read_members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from layers.layer import Layer

_ODD_NAME = re.compile(r"//|(?:^|/)\.\.?(?:/|$)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What stands at a path, as far as it is no directory.

    Attributes:
        path: relative to the root.
        mode: permission bits.
        size: bytes of a file.
        content: of a file, to be read before the next member is asked for; None for others.
        linked: the file that this is one more name of.
    """

    path: str
    mode: int
    size: int
    content: BinaryIO | None
    linked: str | None

    def open(self) -> BinaryIO:
        """The content, as far as it was not read yet."""
        if self.content is None:
            raise AssertionError(f"{self.path}: what is no file has no content")
        return self.content


def members_of(layer: Layer) -> Iterator[Member]:
    """What a layer brings, in its order; what it hides and its directories are left out.

    Raises:
        LayerError: the blob is not what was promised, or cannot be read as a tar.
    """
    with closing(read_members(layer)) as members:
        try:
            for member, content in members:
                path = _normal(member.name)
                if not path or member.isdir() or f"/{WHITEOUT_PREFIX}" in f"/{path}":
                    continue
                yield Member(
                    path=path,
                    mode=member.mode & 0o7777,
                    size=member.size,
                    content=cast("BinaryIO", Once(content)) if content else None,
                    linked=_normal(member.linkname) if member.islnk() else None,
                )
        except DAMAGES as error:
            raise LayerError(f"layer {layer.digest} cannot be read: {error}") from error


class Once:
    """A stream that can be read from its beginning to its end, and says so.

    Args:
        stream: what is read; it stays open.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        return self._stream.read(size)

    def seekable(self) -> bool:
        """Never."""
        return False

    def close(self) -> None:
        """The stream is the layer's."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _normal(name: str) -> str:
    name = name.removeprefix("./").strip("/")
    return posixpath.normpath(f"/{name}")[1:] if _ODD_NAME.search(name) else name
