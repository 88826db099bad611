"""What uv installs for an image: two staged environments from one private copy."""

import os
import platform
import shlex
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import ContentError, InstallError
from builder.events import Caution, EventSink
from builder.oci.platform import Platform
from builder.process import CommandRunner
from builder.project.local_builds import built_for_here, built_here, native_builds
from builder.project.lock import Lock, artifact_names
from builder.project.private_copy import copy_for_build
from builder.project.pyproject import Pyproject
from builder.project.record import changed_files
from builder.project.source import Source
from builder.project.unobtainable import Inquiry
from builder.project.uv import Uv
from builder.settings import Settings
from builder.target import Target
from layers.digest import Digest

THIRD_PARTY = "--no-install-local"
"""uv's flag for every distribution that comes from elsewhere."""
OWN = "--only-install-local"
"""uv's flag for the project's distribution, and local ones beside it."""
_WHOLE = "whole"
_ALONE = "alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """What to install, and for what.

    Attributes:
        environ: for builds, SOURCE_DATE_EPOCH above all.
        planned: the ``source_digest`` that the copy must have.
        uv_toml: what uv is told by a file above the project; there is none above the copy.
    """

    pyproject: Pyproject
    lock: Lock
    source: Source
    settings: Settings
    target: Target
    interpreter: Path
    environ: Mapping[str, str]
    planned: Digest | None = None
    uv_toml: str = ""


class Installer:
    """uv at work for one image: in a private copy of the project, into environments beside it.

    Third-party distributions and the project's own go into two environments, because a sync is
    exact: in the first it would remove everything else. The methods may run at the same time.

    Args:
        installation: what to install, for what.
        into: an empty directory, on the filesystem of uv's cache if links shall be possible.
        run: starts uv.
        events: hears when uv's cache had to be mended.

    Raises:
        ContentError: the project cannot be copied, or is not what was planned any more.
    """

    def __init__(
        self, installation: Installation, *, into: Path, run: CommandRunner, events: EventSink
    ) -> None:
        asked = installation
        # What a build leaves in the copy that it runs in is no source of the application's.
        self.source = self._copied(asked, into / "source")
        self.project = self._copied(asked, into / "project")
        (into / "uv.toml").write_text(asked.uv_toml)
        self._installation = asked
        self._into = into
        self._events = events
        self._left_out: dict[str, tuple[str, ...]] = {}
        self._is_foreign = not is_host(asked.target)
        self._asking = threading.Lock()
        self._told: InstallError | None = None
        self._uv = Uv(
            run, project=self.project, interpreter=asked.interpreter, settings=asked.settings
        )

    def _copied(self, asked: Installation, into: Path) -> Path:
        copy = copy_for_build(asked.lock, asked.pyproject, asked.source, into)
        found = (copy.digest, _file(copy.lock), _file(copy.project / "pyproject.toml"))
        planned = (asked.planned, asked.lock.digest, asked.pyproject.digest)
        if any(wanted not in {None, got} for wanted, got in zip(planned, found, strict=True)):
            raise ContentError(
                f"{asked.pyproject.directory} changed while it was being built",
                hint="build again when nothing writes into the project",
            )
        self.lock = copy.lock
        return copy.project

    def check_lock(self) -> None:
        """Make sure that the lock fits ``pyproject.toml``.

        Raises:
            LockError: it does not.
            InstallError: uv cannot tell.
        """
        self._uv.check_lock(self._installation.lock.path)

    def foresee(self) -> dict[str, str] | None:
        """Versions by name of the third-party distributions; None when uv does not say."""
        venv = self.venv(THIRD_PARTY)
        return self._uv.foresee(venv, self._flags(THIRD_PARTY), self._installation.target)

    def sync(self, which: str, *, without: Iterable[str] = ()) -> Path:
        """An environment with one part of what the lock names.

        Third-party files that uv's cache holds otherwise than published are as they are there:
        see ``mend``.

        Args:
            which: ``THIRD_PARTY`` or ``OWN``.
            without: names of distributions that are left out; a second call may add them.

        Raises:
            InstallError: uv failed.
        """
        venv = self.venv(which)
        self._left_out[which] = tuple(f"--no-install-package={name}" for name in without)
        if not venv.exists():
            self._uv.make_venv(venv)
        self._sync(which)
        if which == OWN and (changed := changed_files(venv)):
            self.mend(which, changed)
            if still := changed_files(venv, changed):
                self._events(not_as_published(still))
        return venv

    def mend(self, which: str, changed: Mapping[str, str]) -> None:
        """Install distributions once more, with fresh downloads.

        Args:
            which: of the environment that ``sync`` gave.
            changed: names of distributions, with a file of each that is not as RECORD says.

        Raises:
            InstallError: uv failed.
        """
        self._events(
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
        self._sync(which, *again)

    def reinstall(self, which: str, name: str) -> None:
        """Install a distribution once more, over whatever stands at its paths.

        Raises:
            InstallError: uv failed.
        """
        self._sync(which, f"--reinstall-package={name}")

    def sync_whole(self) -> Path:
        """An environment with both parts, for running what is in it on this machine.

        Raises:
            InstallError: uv failed.
        """
        asked, venv = self._installation, self.venv(_WHOLE)
        self._uv.make_venv(venv)
        self._uv.sync(venv, (), asked.target, self._environ(OWN))
        return venv

    def venv(self, which: str) -> Path:
        """Where an environment is, or would be."""
        return self._into / which.strip("-")

    def _flags(self, which: str) -> tuple[str, ...]:
        return (which, *self._left_out.get(which, ()))

    def _sync(self, which: str, *flags: str) -> None:
        target, venv = self._installation.target, self.venv(which)
        try:
            self._uv.sync(venv, (*self._flags(which), *flags), target, self._environ(which))
        except InstallError as error:
            raise self._unobtainable(built_for_here(error.message)) or error from None
        if native := self._native(which):
            raise self._unobtainable(native) or InstallError("\n".join(native.values()))

    def _environ(self, which: str) -> Mapping[str, str]:
        environ = self._installation.environ
        if which == OWN:
            return {**environ, **_compiler_flags(self._into / "project", environ)}
        return environ

    def _native(self, which: str) -> dict[str, str]:
        """Of what was built here for another platform: what holds compiled code, and its signs."""
        if not self._is_foreign:
            return {}
        lock, venv = self._installation.lock, self.venv(which)
        if which == THIRD_PARTY:
            return native_builds(venv, built_here(lock, venv))
        # A name may stand for a wheel on one platform, and for a directory on another.
        wheels = {entry["name"] for entry in lock.packages if artifact_names(entry)}
        wheels -= {entry["name"] for entry in lock.packages if not artifact_names(entry)}
        return {name: why for name, why in native_builds(venv).items() if name not in wheels}

    def _unobtainable(self, seen: Mapping[str, str]) -> InstallError | None:
        """All that cannot be had, in both parts; both may ask at the same time."""
        asked = self._installation
        inquiry = Inquiry(
            uv=self._uv,
            lock=asked.lock,
            target=asked.target,
            venv=self.venv(_ALONE),
            environ=asked.environ,
            is_foreign=self._is_foreign,
        )
        with self._asking:
            self._told = self._told or inquiry.error(seen)
        return self._told


def _file(path: Path) -> Digest:
    return Digest.of(path.read_bytes())


def not_as_published(changed: Mapping[str, str]) -> Caution:
    """Told of distributions that even fresh downloads make no better, with a file of each."""
    return Caution(f"not what RECORD says, even as published: {', '.join(changed.values())}")


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


def is_host(target: Target) -> bool:
    """Whether what is compiled here runs there: the same machine and the same kind of libc."""
    libc = "glibc" if platform.libc_ver()[0] == "glibc" else "musl"
    return target.platform.matches(Platform.host()) and target.libc.name == libc
