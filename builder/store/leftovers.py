"""What was begun in a layout and not finished."""

import contextlib
import os
import time
from pathlib import Path

from builder.store.files import discard

SCRATCH = ".ingest-"
"""How the names of blobs and documents begin until they are whole."""

STAGING = ".staging-"
"""How the names of directories begin in which a build works."""

LEFTOVERS = (SCRATCH, STAGING, ".docker-")
"""How the names of all begin that is not finished."""

_LEFT_AFTER_SECONDS = 24 * 60 * 60


def sweep(root: Path) -> None:
    """Remove what is so old that nobody can be at work on it any more: a day."""
    now = time.time()
    for entry in entries(root):
        with contextlib.suppress(OSError):  # not ours to look at, or removed by somebody else
            is_left = entry.name.startswith(LEFTOVERS)
            if is_left and now - entry.stat(follow_symlinks=False).st_mtime >= _LEFT_AFTER_SECONDS:
                discard(Path(entry.path))


def entries(directory: str | Path) -> list[os.DirEntry[str]]:
    """What is in a directory, in order: what is printed shall not depend on the disk."""
    try:
        with os.scandir(directory) as found:
            return sorted(found, key=lambda entry: entry.name)
    except OSError:
        return []


def weigh(directory: str | Path) -> int:
    """Bytes of all the files below a directory."""
    total = 0
    for entry in entries(directory):
        with contextlib.suppress(OSError):
            if entry.is_dir(follow_symlinks=False):
                total += weigh(entry.path)
            else:
                total += entry.stat(follow_symlinks=False).st_size
    return total
