"""What uv installs for an image: two staged environments from one private copy."""

import os
import platform
import shlex
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from packaging.tags import Tag, parse_tag
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from builder.events import Caution, EventSink
from builder.oci.platform import Platform
from builder.process import CommandRunner
from builder.project.lock import Lock
from builder.project.private_copy import copy_for_build
from builder.project.pyproject import Pyproject
from builder.project.record import changed_files
from builder.project.source import Source
from builder.project.uv import Uv
from builder.settings import Settings
from builder.target import Target

THIRD_PARTY = "--no-install-local"
OWN = "--only-install-local"
_TAG_DASHES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Staged:
    """What was installed, and from where.

    Attributes:
        third_party: environment with every distribution that comes from elsewhere.
        own: environment with the project's distribution, and local ones beside it. A second one,
            because a sync is exact: in the first it would remove everything else.
        project: the private copy of the project.
    """

    third_party: Path
    own: Path
    project: Path


def install(
    installation: "Installation", *, into: Path, run: CommandRunner, events: EventSink
) -> Staged:
    """Copy the project, check its lock, and run ``uv sync --frozen --no-dev`` for both parts.

    Args:
        installation: what to install, for what.
        into: an empty directory, on the filesystem of uv's cache if links shall be possible.
        run: starts uv.
        events: hears when uv's cache had to be mended.

    Raises:
        LockError: the lock does not fit ``pyproject.toml``.
        InstallError: uv failed.
        ContentError: the project cannot be copied.
    """
    copy = copy_for_build(
        installation.lock, installation.pyproject, installation.source, into / "project"
    )
    uv = Uv(run, project=copy, interpreter=installation.interpreter, settings=installation.settings)
    uv.check_lock(installation.lock.path)

    def stage(which: str) -> Path:
        venv = into / which.strip("-")
        uv.make_venv(venv)
        builds = () if _is_host(installation.target) else ("--no-build",)
        environ = installation.environ
        if which == OWN:
            environ = {**environ, **_compiler_flags(into / "project", environ)}
        _sync(uv, venv, (which, *builds), replace(installation, environ=environ), events)
        return venv

    with ThreadPoolExecutor(2) as pool:
        third_party, own = pool.map(stage, (THIRD_PARTY, OWN))
    return Staged(third_party=third_party, own=own, project=copy)


def _compiler_flags(copy: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What keeps the name of the private copy out of what a compiler makes of it.

    Python was often compiled with ``-g``, setuptools repeats that for extensions, and debug info
    names every source file. The user's own flags stay; of two, the last one counts.
    https://reproducible-builds.org/docs/build-path/

    Not for third-party packages: uv keeps what it built of those for all projects, and some write
    the flags they were compiled with into what they install.
    """
    quiet = f"-g0 {shlex.quote(f'-ffile-prefix-map={copy}=/build')}"
    chosen = {**os.environ, **environ}
    return {name: f"{chosen.get(name, '')} {quiet}".strip() for name in ("CFLAGS", "CXXFLAGS")}


def _sync(
    uv: Uv, venv: Path, flags: tuple[str, ...], installation: "Installation", events: EventSink
) -> None:
    """Sync, and once more with fresh downloads where the cache gave something else than a wheel."""
    uv.sync(venv, flags, installation.target, installation.environ)
    changed = changed_files(venv)
    if not changed:
        return
    events(
        Caution(
            "not what RECORD says, so fetched again, past uv's cache: "
            + ", ".join(sorted(changed.values()))
        )
    )
    again = [
        part
        for name in changed
        for part in (f"--refresh-package={name}", f"--reinstall-package={name}")
    ]
    uv.sync(venv, (*flags, *again), installation.target, installation.environ)
    if still := changed_files(venv):
        events(Caution(f"not what RECORD says, even as published: {', '.join(still.values())}"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What to install, and for what; ``environ`` is for builds, SOURCE_DATE_EPOCH above all."""

    pyproject: Pyproject
    lock: Lock
    source: Source
    settings: Settings
    target: Target
    interpreter: Path
    environ: Mapping[str, str]


def built_here(lock: Lock, staged: Staged) -> list[str]:
    """Names of installed third-party distributions that are none of the lock's wheels.

    A lock may offer wheels for other platforms only, so what counts is what was installed: a wheel
    that was built here has other tags than those offered, most often ``linux_*``, which the rules
    of indexes do not allow. Some published wheels say ``linux_*`` of themselves all the same; of
    those that come without a source distribution (torch), that is seen.
    https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    """
    wheels = lock.wheels
    infos = staged.third_party.glob("lib/python*/site-packages/*.dist-info")
    return sorted(
        name
        for info in infos
        if (name := canonicalize_name(info.stem.rpartition("-")[0])) in wheels
        and not _is_offered(info, wheels[name])
    )


def _is_offered(info: Path, wheels: Iterable[str]) -> bool:
    version = canonicalize_version(info.stem.rpartition("-")[2])
    installed = _installed_tags(info / "WHEEL")
    return any(
        canonicalize_version(offered) == version and not tags.isdisjoint(installed)
        for offered, tags in map(_version_and_tags, wheels)
    )


def _version_and_tags(wheel: str) -> tuple[str, frozenset[Tag]]:
    try:
        _, version, _, tags = parse_wheel_filename(wheel)
    except InvalidWheelFilename:
        return "", frozenset()
    return str(version), tags


def _installed_tags(wheel: Path) -> set[Tag]:
    if not wheel.is_file():
        return set()
    lines = wheel.read_text("utf-8", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {
        tag
        for key, _, value in pairs
        if key.lower() == "tag" and value.count("-") == _TAG_DASHES
        for tag in parse_tag(value.strip())
    }


def _is_host(target: Target) -> bool:
    """Whether what is compiled here runs there: the same machine and the same kind of libc."""
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    return target.platform.matches(Platform.host()) and target.libc.name == libc
