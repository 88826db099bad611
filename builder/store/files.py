"""Files that are there whole or not at all, and what helps when the disk refuses them."""

import contextlib
import errno
import os
import threading
from collections.abc import Iterator
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
REFUSALS = _FULL | _CLOSED | {errno.EFBIG}
"""What a disk says that does not take what is written, whoever writes it."""


class Replacement:
    """A file's new content, beside it until it is whole; then it takes the old one's place.

    Args:
        target: the file; its directory exists.
        scratch: a new file on the same filesystem, where the content grows.

    Raises:
        OSError: the scratch file cannot be made; so do the methods that write.
    """

    def __init__(self, target: Path, scratch: Path) -> None:
        self._target = target
        self._scratch = scratch
        self._file = scratch.open("xb")

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""
        return self._file.write(data)

    def finish(self, mode: int | None = None) -> None:
        """Sync and rename; ``mode`` when it shall not be left to the umask."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        if mode is not None:
            self._scratch.chmod(mode)
        self._scratch.replace(self._target)
        sync_directory(self._target.parent)

    def abandon(self) -> None:
        """Leave nothing of what is not finished; does nothing to what is."""
        with contextlib.suppress(OSError):  # a full disk refuses what is still buffered, too
            self._file.close()
        self._scratch.unlink(missing_ok=True)


def write_atomically(path: Path, data: bytes, scratch: Path, prefix: str) -> None:
    """Replace a file as a whole, readable by everybody.

    Args:
        path: the file; its directory exists.
        data: its new content.
        scratch: a directory on the same filesystem.
        prefix: how the name of what is not finished begins there.

    Raises:
        OSError: it cannot be written; the old file stands.
    """
    beside = _begun(scratch, prefix)
    new = None
    try:
        new = Replacement(path, beside)
        new.write(data)
        new.finish(0o644)
    finally:
        if new is not None:
            new.abandon()
        _end(beside)


@contextlib.contextmanager
def temporary_directory(parent: Path, prefix: str) -> Iterator[Path]:
    """A new directory, for this user alone; nothing of it is left afterwards.

    Raises:
        OSError: it cannot be made.
    """
    path = _begun(parent.absolute(), prefix)
    try:
        path.mkdir(0o700)
        yield path
    finally:
        _end(path)


_unfinished: set[Path] = set()
_beginning = threading.Lock()


def _begun(directory: Path, prefix: str) -> Path:
    """A new name, known as unfinished before anything has it."""
    path = directory / f"{prefix}{os.urandom(8).hex()}"
    with _beginning:
        _unfinished.add(path)
    return path


def _end(path: Path) -> None:
    discard(path)
    _unfinished.discard(path)


def drop_unfinished() -> None:
    """Remove what this process has begun to write; it ends without finishing it."""
    with _beginning:
        for path in list(_unfinished):
            discard(path)


def discard(path: Path) -> None:
    """Remove a file, a link, or a directory with all that is in it; what stays does no harm."""
    with contextlib.suppress(OSError):  # not ours to remove, or removed by somebody else
        if path.is_dir() and not path.is_symlink():
            remove_tree(path)
        else:
            path.unlink()


def remove_tree(path: Path) -> None:
    """Remove a directory and what is in it, as far as that is possible."""
    import shutil  # noqa: PLC0415 - it loads every kind of compression

    shutil.rmtree(path, ignore_errors=True)


def sync_directory(path: Path) -> None:
    """Make what was renamed into a directory outlive a power cut.

    Raises:
        OSError: it cannot be synced.
    """
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_hint(error: OSError, where: str = "") -> str | None:
    """What helps against a disk's refusal; None when nothing is known to.

    Args:
        error: the refusal.
        where: how another place is named, e.g. `` in BUILDER_STORE``.
    """
    if error.errno in _FULL:
        return f"free some space, or name another place{where}"
    if error.errno in _CLOSED:
        return f"name a directory you may write{where}"
    return None
