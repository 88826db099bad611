"""Files that are there whole or not at all, and what helps when the disk refuses them."""

import contextlib
import errno
import os
import secrets
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
    new = Replacement(path, scratch / f"{prefix}{secrets.token_hex(8)}")
    try:
        new.write(data)
        new.finish(0o644)
    finally:
        new.abandon()


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
