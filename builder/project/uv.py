"""What the builder asks of uv, and how it reads the answers.

Measured facts behind the flags: docs/decisions.md, "uv".
"""

import json
import re
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from builder.errors import InstallError, LockError
from builder.process import CommandRunner, Completed
from builder.settings import Settings
from builder.target import Libc, Target

_STALE = "needs to be updated"
_WRONG_PYTHON = "incompatible with the project's Python requirement"
# The levels that uv knows: https://docs.astral.sh/uv/reference/cli/#uv-sync--python-platform
_MANYLINUX_MINORS: tuple[int, ...] = (17, 28, *range(31, 41))
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_OLDEST_MUSL = (1, 2)
"""uv has one name for all of musl, for which it also takes wheels of this level."""
_REFUSED = re.compile(
    r"Distribution `(?P<name>[^`=@\s]+)(==(?P<version>\S+))? @ [^`]*` can't be installed because "
    r"(?P<words>.*)"
)

# Links into uv's cache cost nothing; INSTALLER, direct_url.json and the like name this machine;
# bytecode is compiled by layers/bytecode.py, to the same bytes everywhere. Which interpreter it is
# was decided before uv is asked, so whether uv manages it does not count.
_HOUSE: Mapping[str, str | None] = {
    "UV_LINK_MODE": "hardlink",
    "UV_NO_INSTALLER_METADATA": "1",
    "UV_NO_PROGRESS": "1",
    "UV_PYTHON_DOWNLOADS": "never",
    "UV_PYTHON_PREFERENCE": "system",
    "NO_COLOR": "1",
    # What the user's environment says of project, environment and lock is not about the copy, and
    # some of it contradicts our flags. Where packages come from, and how a lock is made, stays.
    **dict.fromkeys(
        (
            "UV_COMPILE_BYTECODE",
            "UV_DEV",
            "UV_EDITABLE",
            "UV_FROZEN",
            "UV_ISOLATED",
            "UV_LOCKED",
            "UV_MANAGED_PYTHON",
            "UV_NO_BINARY",
            "UV_NO_BUILD",
            "UV_NO_DEFAULT_GROUPS",
            "UV_NO_DEV",
            "UV_NO_EDITABLE",
            "UV_NO_GROUP",
            "UV_NO_INSTALL_LOCAL",
            "UV_NO_INSTALL_PROJECT",
            "UV_NO_INSTALL_WORKSPACE",
            "UV_NO_MANAGED_PYTHON",
            "UV_NO_SOURCES",
            "UV_NO_SYNC",
            "UV_PROJECT",
            "UV_PYTHON",
            "UV_SYSTEM_PYTHON",
            "UV_VENV_RELOCATABLE",
            "UV_VENV_SEED",
            "UV_WORKING_DIR",
            "VIRTUAL_ENV",
        )
    ),
}


def uv_binary() -> str:
    """The binary of the ``uv`` package: never a shim that happens to be first on PATH."""
    import uv  # noqa: PLC0415 - a build that finds nothing changed starts none

    return uv.find_uv_bin()


def uv_version() -> str:
    """Of the ``uv`` package, and so of its binary."""
    spec = find_spec("uv")
    packages = Path(spec.origin).parent.parent if spec and spec.origin else None
    found = list(packages.glob("uv-*.dist-info")) if packages else []
    if len(found) == 1:
        return found[0].name.removeprefix("uv-").removesuffix(".dist-info")
    # It reads mails to find out, which takes it longer than all else that a known image takes.
    from importlib.metadata import version  # noqa: PLC0415

    return version("uv")


class Uv:
    """uv, run for one target in one copy of the project.

    Args:
        run: starts it.
        project: the copy's directory.
        interpreter: of the target's minor version, on this machine.
        settings: extras and groups.
    """

    def __init__(
        self, run: CommandRunner, *, project: Path, interpreter: Path, settings: Settings
    ) -> None:
        self._run = run
        self._project = project
        self._interpreter = interpreter
        self._python = ("--python", str(interpreter))
        extras = [part for name in settings.extras for part in ("--extra", name)]
        groups = [part for name in settings.groups for part in ("--group", name)]
        self._choices = (*extras, *groups)

    def check_lock(self, original: Path) -> None:
        """Make sure that the lock fits ``pyproject.toml``.

        Args:
            original: the lock's path in the user's project, for messages.

        Raises:
            LockError: it does not, or uv cannot tell.
            InstallError: the project excludes the interpreter that installs.
        """
        done = self._call("lock", "--check", *self._python, environ={})
        if done.code == 0:
            return
        if _STALE in done.stderr:
            raise LockError(
                f"{original} does not fit pyproject.toml any more",
                hint=f"bring it up to date: uv lock --project {original.parent}",
            )
        if _WRONG_PYTHON in done.stderr:
            # The lock is fine, and so may be the base: only this machine's patch release is not.
            raise InstallError(
                f"this machine's Python, {self._interpreter}, is not one that the project's "
                f"requires-python allows, so uv does not install with it:\n{done.last_words}",
                hint="run the builder with a patch release that it allows, as the base has one",
            )
        raise LockError(f"uv cannot check {original}:\n{done.last_words}")

    def make_venv(self, venv: Path) -> None:
        """An empty virtual environment.

        Raises:
            InstallError: uv failed.
        """
        arguments = ("venv", "--relocatable", "--no-project", *self._python, str(venv))
        done = self._call(*arguments, environ={})
        if done.code:
            raise InstallError(f"uv could not make a virtual environment:\n{done.last_words}")

    def sync(
        self, venv: Path, which: Sequence[str], target: Target, environ: Mapping[str, str]
    ) -> None:
        """Install what the lock names.

        Args:
            venv: an environment made by ``make_venv``.
            which: flags that say which part of the lock.
            target: decides which wheels fit.
            environ: for builds.

        Raises:
            InstallError: uv failed.
        """
        done = self.try_sync(venv, which, target, environ)
        if done.code:
            raise InstallError(
                f"uv sync --frozen --no-dev failed for {target.platform} "
                f"({python_platform(target)}):\n{done.last_words}"
            )

    def foresee(self, venv: Path, which: Sequence[str], target: Target) -> dict[str, str] | None:
        """What ``sync`` would install into an empty environment.

        Args:
            venv: where an environment could be.
            which: as for ``sync``.
            target: as for ``sync``.

        Returns:
            Versions, empty for directories, by name; None when this uv does not say: its answer is
            called a preview.
        """
        flags = ("--dry-run", "--output-format", "json")
        done = self.try_sync(venv, (*which, *flags), target, {})
        try:
            changes = json.loads(done.stdout)["sync"]["changes"]
            return {str(change["name"]): str(change.get("version") or "") for change in changes}
        except (ValueError, LookupError, TypeError, AttributeError):
            return None

    def refused(
        self, venv: Path, which: Sequence[str], target: Target
    ) -> dict[str, tuple[str, str]]:
        """What uv says that it cannot install, before it tries.

        uv names one at a time, so it is asked without that one again.

        Args:
            venv: where an environment could be.
            which: as for ``sync``.
            target: as for ``sync``.

        Returns:
            Versions, which may be empty, and uv's reasons, by name.
        """
        found: dict[str, tuple[str, str]] = {}
        while True:
            without = [f"--no-install-package={name}" for name in found]
            done = self.try_sync(venv, (*which, "--dry-run", *without), target, {})
            named = _REFUSED.search(done.stderr) if done.code else None
            # Of what the lock has no file at all, uv says it even when it is left out.
            if named is None or named["name"] in found:
                return found
            found[named["name"]] = (named["version"] or "", named["words"])

    def try_sync(
        self, venv: Path, which: Sequence[str], target: Target, environ: Mapping[str, str]
    ) -> Completed:
        """As ``sync``, with uv's answer for whoever knows what to make of a failure."""
        # uv refuses --no-compile-bytecode beside UV_COMPILE_BYTECODE, which _HOUSE takes away.
        flags = ("--frozen", "--no-dev", "--no-editable", "--no-compile-bytecode")
        return self._call(
            "sync",
            *flags,
            *which,
            *self._choices,
            *self._python,
            "--python-platform",
            python_platform(target),
            environ={"UV_PROJECT_ENVIRONMENT": str(venv), **environ},
        )

    def _call(self, *arguments: str, environ: Mapping[str, str]) -> Completed:
        argv = [uv_binary(), *arguments]
        return self._run(argv, cwd=self._project, environ={**_HOUSE, **environ})


def python_platform(target: Target) -> str:
    """The name uv has for a target: the newest manylinux level that the base's C library serves.

    Raises:
        InstallError: uv knows no such platform.
    """
    machine = _MACHINES.get(target.platform.architecture)
    if target.platform.os != "linux" or machine is None:
        raise InstallError(
            f"uv cannot install for {target.platform}",
            hint=f"supported: {', '.join(f'linux/{name}' for name in _MACHINES)}",
        )
    if target.libc.name == "musl":
        if target.libc.version < _OLDEST_MUSL:
            raise InstallError(
                f"the base's C library is {target.libc}; uv takes wheels for musl "
                f"{_OLDEST_MUSL[0]}.{_OLDEST_MUSL[1]}",
                hint="choose a newer base",
            )
        return f"{machine}-unknown-linux-musl"
    return f"{machine}-manylinux_2_{_manylinux_minor(target.libc)}"


def _manylinux_minor(libc: Libc) -> int:
    served = [minor for minor in _MANYLINUX_MINORS if (2, minor) <= libc.version]
    if not served:
        raise InstallError(
            f"the base's C library is {libc}; wheels need glibc 2.{_MANYLINUX_MINORS[0]} or newer",
            hint="choose a newer base",
        )
    return served[-1]
