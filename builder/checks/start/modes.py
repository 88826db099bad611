"""Files that more people may change, or that do more, than they should."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.checks.subject import Inspected
    from builder.rootfs.file_index import FileIndex

_SETUID, _SETGID, _STICKY, _BY_ALL = 0o4000, 0o2000, 0o1000, 0o002


def check_modes(parts: Sequence[Inspected], files: FileIndex | None) -> Iterator[Finding]:
    """Files that all may write, and programs that run as somebody else than who starts them.

    Args:
        parts: what is new; of one path, the last counts.
        files: its directories with a sticky bit may hold what everybody writes.
    """
    last = {path: part for part in parts for path in part.files}
    for path, part in last.items():
        mode = part.files[path].mode
        if mode & _BY_ALL and not mode & _STICKY and not _is_in_sticky(path, files):
            yield _writable(path, part)
        if mode & (_SETUID | _SETGID):
            yield _privileged(path, part, mode)


def _is_in_sticky(path: str, files: FileIndex | None) -> bool:
    above = files.directories.get(path.rpartition("/")[0]) if files else None
    return bool(above and above.mode & _STICKY)


def _writable(path: str, part: Inspected) -> Finding:
    return Finding(
        check="world-writable",
        severity=Severity.WARNING,
        message="every user in the container may change it",
        fix="take that away where the file is made: mode in include, chmod o-w in a Dockerfile",
        path=f"/{path}",
        distribution=part.distribution,
        layer=part.layer,
    )


def _privileged(path: str, part: Inspected, mode: int) -> Finding:
    """A system package has such files for a reason that its maintainer knows."""
    is_system = part.origin is Origin.SYSTEM
    bit = "setuid" if mode & _SETUID else "setgid"
    return Finding(
        check="setuid",
        severity=Severity.WARNING if is_system else Severity.ERROR,
        message=f"it is {bit}: whoever starts it has the rights of its owner or group",
        fix="leave the package out of apt, or accept it"
        if is_system
        else "take the bit away where the file is made: chmod a-s in a Dockerfile",
        path=f"/{path}",
        distribution=part.distribution,
        layer=part.layer,
    )
