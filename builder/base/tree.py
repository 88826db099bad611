"""Files by their path: a directory, or (``archive_tree``) an archive of one, read the same way."""

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self, cast

from builder.errors import BaseError

_REFUSALS = (OSError, EOFError)


class Tree(Protocol):
    """A tree of files."""

    def open(self, path: str) -> BinaryIO:
        """A file, by its ``/``-separated path from the root.

        Raises:
            BaseError: there is no such file, or it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectoryTree:
    """A directory."""

    root: Path

    def open(self, path: str) -> BinaryIO:
        """A file below the directory.

        Raises:
            BaseError: there is no such file, or it cannot be read.
        """
        try:
            return told((self.root / path).open("rb"), f"{path} in {self.root}")
        except FileNotFoundError as error:
            lacking = f"it has no {path}" if self.root.is_dir() else "there is no such directory"
            raise BaseError(f"{self.root} is not an OCI image layout: {lacking}") from error
        except OSError as error:
            raise BaseError(f"{self.root}: cannot read {path}: {error.strerror}") from error


class _Told:
    """A file of a tree; what keeps it from being read is told in terms of the base.

    Otherwise it would look like a fault of the store that the file is copied to.
    """

    def __init__(self, stream: BinaryIO, name: str, refusals: tuple[type[Exception], ...]) -> None:
        self._stream = stream
        self._name = name
        self._refusals = refusals

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except self._refusals as error:
            reason = getattr(error, "strerror", None) or error
            raise BaseError(f"cannot read {self._name}: {reason}") from error

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def told(
    stream: BinaryIO, name: str, refusals: tuple[type[Exception], ...] = _REFUSALS
) -> BinaryIO:
    """A stream whose errors say what could not be read.

    Args:
        stream: the file.
        name: of the file, for people.
        refusals: what reading it may raise.
    """
    return cast("BinaryIO", _Told(stream, name, refusals))
