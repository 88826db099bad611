"""A destination file: whole, or not there."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import StoreError
from builder.store.files import Replacement, write_hint
from layers.digest import Sink


class _Writer:
    """Bytes on their way to the file; what stops them is told in terms of the destination."""

    def __init__(self, path: Path, file: Sink) -> None:
        self._path = path
        self._file = file

    def write(self, data: bytes, /) -> object:
        with _told(self._path):
            return self._file.write(data)


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
    with _told(path):
        target.parent.mkdir(parents=True, exist_ok=True)
        new = Replacement(target, scratch)
    try:
        # Not around the block: what it cannot read is no fault of the destination.
        yield _Writer(path, new)
        with _told(path):
            new.finish()
    finally:
        new.abandon()


@contextmanager
def _told(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The error for a destination that the operating system refuses."""
    reason = error.strerror or str(error)
    return StoreError(f"cannot write {path}: {reason}", hint=write_hint(error))
