"""Hashes of source files that are kept while a file's status says that nobody wrote into it.

As git's index has it: who looks at the status of a file need not read the file. A status tells only
of what came later than the clock's next tick, so hashes of files that were written just before they
were read are not kept.
https://git-scm.com/docs/racy-git
"""

from __future__ import annotations

import contextlib
import os
import time
from itertools import chain
from typing import TYPE_CHECKING, Any

from builder.errors import StoreError
from layers.digest import Digest
from layers.tree import StableFile, content_hash, signature

if TYPE_CHECKING:
    from pathlib import Path

    from builder.project.facts import Facts
    from layers.entries import FileEntry

_KIND = "source-index"
_FORMAT = 1
"""Raised when the index is written otherwise than before."""
_MARGIN_NS = 10_000_000_000
"""How long ago a file must have been written: file systems count in up to two seconds, and a file
server's clock may be behind."""


class SourceIndex:
    """The hashes of a project's files, as the build before found them.

    Losing it, or a part of it, costs the time to read the files again.

    Args:
        facts: keep it between builds.
        project: absolute path; only names the index, of which no key of a layer knows.
    """

    def __init__(self, facts: Facts, project: Path) -> None:
        self._facts = facts
        self._project = str(project)
        self._settled_ns = time.time_ns() - _MARGIN_NS
        self._known = _read(facts.fact(_KIND, self._project) or {})
        self._found: dict[str, str] = {}

    def hash(self, entry: FileEntry) -> str:
        """SHA-256 of a file's content in hexadecimal digits, read only when it has to be.

        Raises:
            ContentError: the file cannot be read, or changed since the walk.
        """
        content = entry.content
        if not isinstance(content, StableFile):
            return content_hash(entry)
        path = content.path
        stamp = _stamp(path, content)
        known = self._known.get(path)
        if stamp and known and known.startswith(stamp):
            self._found[path] = known
            return known.removeprefix(stamp)
        found = content_hash(entry)
        if stamp and self._is_settled(path, stamp, content):
            self._found[path] = stamp + found
        return found

    def save(self) -> None:
        """Keep what was found for the next build; where nothing can be kept, nothing is."""
        if self._found == self._known:
            return
        text = "\0".join(chain.from_iterable(self._found.items()))
        fact: dict[str, object] = {"format": _FORMAT, "check": _check(text), "files": text}
        with contextlib.suppress(StoreError):
            self._facts.remember(_KIND, self._project, fact)

    def _is_settled(self, path: str, stamp: str, content: StableFile) -> bool:
        """Whether a later change would show, and there was none while the file was read."""
        if _stamp(path, content) != stamp:
            return False
        modified, changed = stamp.split(" ")[1:3]
        return max(int(modified), int(changed)) < self._settled_ns


def _stamp(path: str, content: StableFile) -> str | None:
    """What of a file's status changes with its content; None when it is not what the walk saw."""
    try:
        status = os.lstat(path)
    except OSError:
        return None
    if signature(status) != content.signature:
        return None
    numbers = f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"
    return f"{numbers} {status.st_ino} {status.st_dev} {status.st_mode} "


def _read(fact: dict[str, Any]) -> dict[str, str]:
    """Stamp and hash by path, as ``save`` kept them; nothing when they are not whole."""
    text = fact.get("files")
    if fact.get("format") != _FORMAT or not isinstance(text, str) or not text:
        return {}
    if fact.get("check") != _check(text):
        return {}
    pieces = iter(text.split("\0"))
    return dict(zip(pieces, pieces, strict=True))


def _check(text: str) -> str:
    # Names that are not UTF-8 are half surrogates here.
    return str(Digest.of(text.encode("utf-8", "surrogatepass")))
