"""Small uv projects, made and locked by real uv."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from builder.process import run
from builder.project.install import Installation, Staged, install
from builder.project.lock import read_lock
from builder.project.pyproject import read_pyproject
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.project.uv import uv_binary
from builder.target import Libc, Python, Target
from builder.oci.platform import Platform

VERSION = (sys.version_info[0], sys.version_info[1])
MINOR = f"{VERSION[0]}.{VERSION[1]}"
PYTHON = Python(version=VERSION, path=f"/usr/local/bin/python{MINOR}")
TARGET = Target(platform=Platform.host(), python=PYTHON, libc=Libc(name="glibc", version=(2, 36)))
SITE = f"app/.venv/lib/python{MINOR}/site-packages"

UV_BUILD = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"
"""


def write_tree(directory: Path, files: Mapping[str, str | bytes]) -> Path:
    """Write files, and the directories that they need."""
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else dedent(content).encode())
    return directory


def write_project(
    directory: Path,
    files: Mapping[str, str | bytes] | None = None,
    *,
    name: str = "demo",
    project: str = "",
    tables: str = UV_BUILD,
) -> Path:
    """A project in src layout.

    Args:
        directory: where; it is made.
        files: beside its ``pyproject.toml``; ``src/NAME/__init__.py`` is always there.
        name: of the project and its package.
        project: more lines of the ``[project]`` table.
        tables: the tables after it.
    """
    pyproject = (
        f'[project]\nname = "{name}"\nversion = "1.0"\nrequires-python = ">=3.12"\n'
        f"{dedent(project)}\n{dedent(tables)}"
    )
    write_tree(directory, {"pyproject.toml": pyproject, f"src/{name}/__init__.py": ""})
    return write_tree(directory, files or {})


def lock(project: Path) -> None:
    """``uv lock``."""
    done = run([uv_binary(), "lock", "--python", sys.executable], cwd=project)
    assert done.code == 0, done.stderr


def installation_of(
    project: Path, *, target: Target = TARGET, interpreter: Path | None = None
) -> Installation:
    """What a build would install of a locked project."""
    pyproject = read_pyproject(project)
    settings = read_settings(pyproject, environ={}, flags={})
    return Installation(
        pyproject=pyproject,
        lock=read_lock(pyproject),
        source=find_source(pyproject, settings),
        settings=settings,
        target=target,
        interpreter=interpreter or Path(sys.executable),
    )


def install_project(
    project: Path, into: Path, *, target: Target = TARGET, interpreter: Path | None = None
) -> Staged:
    """Stage a locked project as a build does."""
    into.mkdir(parents=True, exist_ok=True)
    asked = installation_of(project, target=target, interpreter=interpreter)
    return install(asked, into=into, run=run, environ={"SOURCE_DATE_EPOCH": "315532800"})


def snapshot(directory: Path) -> dict[str, tuple[object, ...]]:
    """Everything about a tree that a write would change."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, names, files in os.walk(directory):
        for path in [Path(folder), *(Path(folder) / name for name in (*names, *files))]:
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, content)
    return found
