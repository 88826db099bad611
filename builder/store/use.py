"""When files of a store were last used: their mtime says so, whatever atime means on that disk."""

import contextlib
import os
import time
from pathlib import Path

_FRESH_SECONDS = 300
"""A file that was used so shortly ago is not marked again; network disks take their time."""


class Uses:
    """What this process used of a store."""

    def __init__(self) -> None:
        self.paths: set[Path] = set()

    def note(self, path: Path) -> None:
        """Mark a file as used now; one that may not be marked, or is gone, does no harm."""
        if path in self.paths:
            return
        self.paths.add(path)
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _FRESH_SECONDS:
                os.utime(path)
