"""Which CPython goes into a base: the one that uv provides for a version and a platform."""

import json
from dataclasses import dataclass
from pathlib import Path

from packaging.version import InvalidVersion, Version

from builder.errors import BaseError, InstallError
from builder.events import Caution, EventSink
from builder.oci.platform import Platform
from builder.process import CommandRunner
from builder.project.interpreter import find_interpreter
from builder.project.uv import uv_binary
from builder.target import Python

_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# A machine that cannot reach the downloads is told so at once, not after three retries in 12 s.
_IMPATIENT = {"UV_HTTP_RETRIES": "0", "UV_HTTP_CONNECT_TIMEOUT": "5", "NO_COLOR": "1"}
_TELL = """
import json, platform, sys
print(json.dumps([sys.implementation.name, sys.base_prefix, platform.python_version()]))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CPython:
    """A CPython on this machine's disk, perhaps for another platform.

    Attributes:
        prefix: its directory, with ``bin`` and ``lib`` in it.
        version: ``3.12.1``.
        platform: what it runs on.
    """

    prefix: Path
    version: str
    platform: Platform

    @property
    def minor(self) -> tuple[int, int]:
        """``(3, 12)``."""
        release = Version(self.version).release
        return release[0], release[1]

    @property
    def name(self) -> str:
        """``python3.12``, as its program and its library's directory are called."""
        return f"python{self.minor[0]}.{self.minor[1]}"


def find_cpython(
    minor: tuple[int, int], platform: Platform, *, run: CommandRunner, events: EventSink
) -> CPython:
    """The newest that uv manages; else the one it downloads; else this machine's own, with a word.

    Raises:
        BaseError: there is none.
    """
    machine = _MACHINES.get(platform.architecture)
    if platform.os != "linux" or machine is None:
        raise BaseError(
            f"uv has no CPython for {platform}",
            hint=f"supported: {', '.join(f'linux/{name}' for name in _MACHINES)}",
        )
    if found := _managed(minor, platform, machine, run):
        return found
    request = f"cpython-{minor[0]}.{minor[1]}-linux-{machine}-gnu"
    argv = [uv_binary(), "python", "install", "--no-bin", request]
    done = run(argv, cwd=Path("/"), environ=_IMPATIENT)
    if done.code == 0 and (found := _managed(minor, platform, machine, run)):
        return found
    reason = done.last_words.splitlines()[-1].strip().removeprefix("cause: ")
    hint = f"uv python install {request}, once, where its downloads can be reached"
    if platform != Platform.host():
        raise BaseError(f"there is no {request} for the base: {reason}", hint=hint)
    return _own(minor, reason, hint, run, events)


def _managed(
    minor: tuple[int, int], platform: Platform, machine: str, run: CommandRunner
) -> CPython | None:
    """The newest patch release in uv's own directory.

    https://docs.astral.sh/uv/concepts/python-versions/#managed-and-system-python-installations
    """
    listed = run([uv_binary(), "python", "dir"], cwd=Path("/"), environ={"NO_COLOR": "1"})
    if listed.code:
        return None  # a user without a home; what uv then says of an installation tells the rest
    found = {}
    for path in Path(listed.stdout.strip()).glob(f"cpython-*-linux-{machine}-gnu"):
        text = path.name.removeprefix("cpython-").removesuffix(f"-linux-{machine}-gnu")
        try:
            version = Version(text)
        except InvalidVersion:
            continue  # a build of another kind: 3.13.1+freethreaded
        # Links for a minor version stand beside the releases: cpython-3.12-linux-x86_64-gnu.
        if version.release[:2] == minor and len(version.release) > len(minor) and not version.local:
            found[version] = CPython(prefix=path.resolve(), version=text, platform=platform)
    usable = [v for v, c in found.items() if (c.prefix / "bin" / c.name).is_file()]
    return found[max(usable)] if usable else None


def _own(
    minor: tuple[int, int], reason: str, hint: str, run: CommandRunner, events: EventSink
) -> CPython:
    """This machine's Python, whatever it was built with."""
    wanted = Python(version=minor, path=f"/usr/local/bin/python{minor[0]}.{minor[1]}")
    try:
        interpreter = find_interpreter(wanted, project=Path("/"), run=run)
    except InstallError as error:
        raise BaseError(f"{error.message}; uv has none: {reason}", hint=hint) from error
    done = run([str(interpreter), "-I", "-S", "-c", _TELL])
    name, prefix, version = json.loads(done.stdout) if done.code == 0 else ("", "", "")
    if name != "cpython":
        raise BaseError(f"{interpreter} is no working CPython: {done.last_words}", hint=hint)
    events(
        Caution(
            f"uv cannot provide Python {wanted.minor} ({reason}); the base gets the one in "
            f"{prefix}, {version}: its bytes rest on this machine's own build",
            hint=hint,
        )
    )
    return CPython(prefix=Path(prefix).resolve(), version=version, platform=Platform.host())
