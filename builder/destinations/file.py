"""A destination file: whole, or not there."""

import errno
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from builder.errors import StoreError
from layers.digest import Sink

_HINTS = {
    errno.ENOSPC: "free some space, or name another place",
    errno.EDQUOT: "free some space, or name another place",
    errno.EACCES: "name a directory that you may write",
    errno.EPERM: "name a directory that you may write",
    errno.EROFS: "name a directory that you may write",
}


class _Writer:
    """Bytes on their way to the file; what stops them is told in terms of the destination."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def write(self, data: bytes, /) -> object:
        try:
            return self._file.write(data)
        except OSError as error:
            raise cannot_write(self._path, error) from error


@contextmanager
def replacing(path: Path) -> Iterator[Sink]:
    """Write a file's new content; it takes the old one's place when the block ends well.

    Args:
        path: its directory is made when missing; a symbolic link keeps pointing at it.

    Raises:
        StoreError: the file cannot be written, or the path is something else.
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise StoreError(f"cannot write {path}: it is not a file", hint="name a file")
    # Beside the target, so that the rename stays within one filesystem.
    scratch = target.with_name(f".builder-{secrets.token_hex(8)}")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with scratch.open("xb") as file:
                yield _Writer(path, file)
                file.flush()
                os.fsync(file.fileno())
            scratch.replace(target)
        finally:
            scratch.unlink(missing_ok=True)
        _sync_directory(target.parent)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error for a destination that the operating system refuses."""
    reason = error.strerror or str(error)
    return StoreError(f"cannot write {path}: {reason}", hint=_HINTS.get(error.errno or 0))


def _sync_directory(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
