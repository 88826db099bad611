"""What a layer is made of: files, directories, links and whiteouts.

Every rule about paths, modes and owners is here, in the constructors: an entry that exists is one
that may be written. Paths are relative to the image root, ``/``-separated and already normal;
a name that is not UTF-8 is carried as Python does, by surrogate escapes (PEP 383).
https://github.com/opencontainers/image-spec/blob/main/layer.md
"""

import io
import os
import posixpath
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from layers.errors import ContentError

WHITEOUT_PREFIX = ".wh."
_MODE_BITS = 0o7777
_MAX_NAME = 255  # bytes; what Linux filesystems can hold
_MAX_ID = 2**32 - 2  # the last number means "no change" to chown


@dataclass(frozen=True, slots=True)
class Owner:
    """Numeric owner of an entry; names are never written, they would depend on the machine.

    Raises:
        ContentError: Linux has no such number.
    """

    uid: int
    gid: int

    def __post_init__(self) -> None:
        if not (0 <= self.uid <= _MAX_ID and 0 <= self.gid <= _MAX_ID):
            raise ContentError(f"owner {self}: expected numbers from 0 to {_MAX_ID}")

    def __str__(self) -> str:
        return f"{self.uid}:{self.gid}"


ROOT = Owner(0, 0)


class Content(Protocol):
    """The bytes of a file, as often as they are asked for."""

    def open(self) -> BinaryIO:
        """A fresh stream from the first byte on; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class BytesContent:
    """Content made by the program."""

    data: bytes

    def open(self) -> BinaryIO:
        """A stream over the bytes."""
        return io.BytesIO(self.data)


@dataclass(frozen=True, slots=True)
class FileContent:
    """Content of a file on disk, which is never followed through a symbolic link."""

    path: Path

    def open(self) -> BinaryIO:
        """The file, opened for reading.

        Raises:
            OSError: it cannot be opened, or is a symbolic link.
        """
        return os.fdopen(os.open(self.path, os.O_RDONLY | os.O_NOFOLLOW), "rb")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileEntry:
    """A regular file of ``size`` bytes.

    Raises:
        ContentError: the path, mode or size is not one that may stand in a layer.
    """

    path: str
    content: Content
    size: int
    mode: int = 0o644
    owner: Owner = ROOT

    def __post_init__(self) -> None:
        check_path(self.path)
        _check_mode(self.path, self.mode)
        if self.size < 0:
            raise ContentError(f"{self.path}: a file of {self.size} bytes cannot be")

    @classmethod
    def of(cls, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = ROOT) -> "FileEntry":
        """A file with bytes made by the program."""
        return cls(path=path, content=BytesContent(data), size=len(data), mode=mode, owner=owner)


@dataclass(frozen=True, slots=True, kw_only=True)
class DirEntry:
    """A directory.

    Raises:
        ContentError: the path or mode is not one that may stand in a layer.
    """

    path: str
    mode: int = 0o755
    owner: Owner = ROOT

    def __post_init__(self) -> None:
        check_path(self.path)
        _check_mode(self.path, self.mode)


@dataclass(frozen=True, slots=True, kw_only=True)
class SymlinkEntry:
    """A symbolic link; ``target`` is kept as written.

    Raises:
        ContentError: the path may not stand in a layer, or the target climbs above the root.
    """

    path: str
    target: str
    owner: Owner = ROOT

    def __post_init__(self) -> None:
        check_path(self.path)
        if not self.target or "\0" in self.target:
            raise ContentError(f"symbolic link {self.path}: its target is empty or holds a NUL")
        if self.target.startswith("/"):
            return
        depth = self.path.count("/")
        for part in self.target.split("/"):
            depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
            if depth < 0:
                raise ContentError(
                    f"symbolic link {self.path} -> {self.target} leaves the image root",
                    hint="point it inside the image, or exclude it in .dockerignore",
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class HardLinkEntry:
    """One more name of a file that stands in the same layer, before it in the layer's order.

    A tar repeats the file's mode and owner beside every name, and so does this. Of the names of
    one file, the first in ``order`` is its ``FileEntry``.

    Raises:
        ContentError: the path, target or mode is not one that may stand in a layer.
    """

    path: str
    target: str
    mode: int = 0o644
    owner: Owner = ROOT

    def __post_init__(self) -> None:
        check_path(self.path)
        check_path(self.target)
        _check_mode(self.path, self.mode)
        if order(self.target) >= order(self.path):
            raise ContentError(
                f"hard link {self.path} to {self.target}: a layer has files by path, "
                f"so the first name is the file and not the link"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class WhiteoutEntry:
    """Hides ``path`` of a lower layer.

    https://github.com/opencontainers/image-spec/blob/main/layer.md#whiteouts
    """

    path: str

    def __post_init__(self) -> None:
        check_path(self.path)


Entry = FileEntry | DirEntry | SymlinkEntry | HardLinkEntry | WhiteoutEntry


def order(path: str) -> list[str]:
    """What entries of a layer are sorted by.

    By components: a directory comes before what is in it, and its content stays together.
    """
    return path.split("/")


def check_path(path: str) -> None:
    """Refuse a path that is not relative, normal and inside the image root.

    Raises:
        ContentError: it is absolute, empty, not normal, climbs, holds a NUL, has a name that no
            filesystem holds or is a whiteout's.
    """
    if not path or path.startswith("/") or posixpath.normpath(path) != path or "\0" in path:
        raise ContentError(f"not a path inside an image: {path!r}; expected e.g. 'app/src/main.py'")
    if path in {".", ".."} or path.startswith("../"):
        raise ContentError(f"path {path!r} leaves the image root")
    if WHITEOUT_PREFIX not in path and path.isascii() and len(path) <= _MAX_NAME:
        return  # nearly all paths are such, and there are many of them
    for part in path.split("/"):
        if part.startswith(WHITEOUT_PREFIX):
            raise ContentError(
                f"path {path!r}: names that start with {WHITEOUT_PREFIX!r} mean deletion in a layer"
            )
        if len(part.encode("utf-8", "surrogateescape")) > _MAX_NAME:
            raise ContentError(f"path {path!r} has a name of more than {_MAX_NAME} bytes")


def _check_mode(path: str, mode: int) -> None:
    if mode & ~_MODE_BITS:
        raise ContentError(f"{path}: mode {mode:o} has bits outside {_MODE_BITS:o}")


def parents(path: str) -> Iterator[str]:
    """The directories above ``path``, outermost first, without the root."""
    end = path.find("/")
    while end >= 0:
        yield path[:end]
        end = path.find("/", end + 1)


def image_path(absolute: str) -> str:
    """An absolute in-image path as entries write it: ``/app`` -> ``app``."""
    return absolute.lstrip("/")
