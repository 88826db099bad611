"""Whether the config of an image fits what is in it, and asks for no trouble."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.checks.finding import Finding, Severity
from builder.checks.start.command import Files, check_command, check_directory
from builder.checks.start.env import check_env
from builder.checks.start.modes import check_modes
from builder.checks.start.module import check_module

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from builder.checks.subject import Inspected
    from builder.rootfs.file_index import FileIndex

_ROOT = {"", "0", "root"}
_UNPRIVILEGED = 1024


def check_config(
    run: Mapping[str, Any],
    files: FileIndex | None,
    parts: Sequence[Inspected],
    *,
    paths: Iterable[str] = (),
) -> list[Finding]:
    """Compare how a container starts with what it finds.

    Args:
        run: the ``config`` member of the image config.
        files: all of the image's files, or those that the ones of ``paths`` stand on; None when
            they are not known: then nothing is said of what is missing.
        parts: what is new in the image: its modes count, those of the base are not asked for.
        paths: of new files and links, relative to the root; they count as executable unless a
            part says otherwise.
    """
    found = [*_user(run), *_ports(run), *check_env(run), *check_modes(parts, files)]
    if files is not None:
        facts = {path: facts for part in parts for path, facts in part.files.items()}
        modes = {path: facts[path].mode if path in facts else 0o755 for path in paths}
        whole = Files(index=files, new=modes, facts=facts)
        found += [*check_command(run, whole), *check_directory(run, whole)]
        found += check_module(run, whole)
    return found


def _is_root(run: Mapping[str, Any]) -> bool:
    return str(run.get("User") or "").partition(":")[0] in _ROOT


def _user(run: Mapping[str, Any]) -> Iterator[Finding]:
    if _is_root(run):
        yield Finding(
            check="root-user",
            severity=Severity.WARNING,
            message="the container runs as root: who breaks into it is root there, and "
            "Kubernetes refuses it where runAsNonRoot is set",
            fix='choose a user by number: user = "1001:1001" in [tool.builder], or USER 1001:1001',
        )


def _ports(run: Mapping[str, Any]) -> Iterator[Finding]:
    """Engines mostly set ``net.ipv4.ip_unprivileged_port_start=0``, and some places do not."""
    numbers = [str(port).partition("/")[0] for port in run.get("ExposedPorts") or {}]
    low = [n for n in numbers if n.isdecimal() and int(n) < _UNPRIVILEGED]
    if low and not _is_root(run):
        yield Finding(
            check="privileged-port",
            severity=Severity.WARNING,
            message=f"port {', '.join(low)} is below {_UNPRIVILEGED}: not everywhere may a user "
            "who is not root listen there",
            fix="listen on a port such as 8000, and let the platform map it",
        )
