"""A Python of the target's minor version on this machine: uv needs one to install for it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import InstallError
from builder.project.uv import uv_binary

if TYPE_CHECKING:
    from builder.process import CommandRunner
    from builder.target import Python


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python of this machine, and what it says of its version."""

    path: Path
    version: str


def find_interpreter(python: Python, *, project: Path, run: CommandRunner) -> Path:
    """The interpreter that installs and compiles.

    Our own when it is of that version, else what uv finds, else what pyenv has: pyenv's shims
    refuse versions that are not selected in the current directory, and uv sees only the shims.

    Args:
        python: of the base.
        project: where uv looks for it, so that the project's own settings count.
        run: starts uv.

    Raises:
        InstallError: there is none.
    """
    if sys.version_info[:2] == python.version:
        return Path(sys.executable)
    found = run([uv_binary(), "python", "find", "--no-project", python.minor], cwd=project)
    if found.code == 0:
        return Path(found.stdout.strip())
    if (newest := _pyenv(python.minor)) is not None:
        return newest
    raise InstallError(
        f"no Python {python.minor} on this machine, which the base image has; "
        f"one is needed to install for it",
        hint=f"uv python install {python.minor} (for this machine; it serves every platform)",
    )


def interpreter_version(interpreter: Path, *, run: CommandRunner) -> str:
    """What an interpreter says of its version and build: bytecode depends on it.

    Raises:
        InstallError: it does not start.
    """
    if interpreter == Path(sys.executable):
        return f"Python {sys.version}"
    done = run([str(interpreter), "-VV"])
    if done.code:
        raise InstallError(f"{interpreter} does not start:\n{done.last_words}")
    return done.stdout.strip()


def _pyenv(minor: str) -> Path | None:
    """The newest patch release; not the free-threaded builds, whose wheels are others."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    patches = {
        int(patch): python
        for python in root.glob(f"versions/{minor}.*/bin/python{minor}")
        if (patch := python.parts[-3].removeprefix(f"{minor}.")).isdecimal()
    }
    return patches[max(patches)] if patches else None
