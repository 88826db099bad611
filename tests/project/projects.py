"""Small uv projects, made, locked and installed by real uv, and what becomes of them."""

import os
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

from builder.events import EventSink, ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.project.compile import Compiler
from builder.project.install import (
    OWN,
    THIRD_PARTY,
    Installation,
    Installer,
    not_as_published,
)
from builder.project.lock import read_lock
from builder.project.pyproject import read_pyproject
from builder.project.record import changed_files
from builder.project.relocate import VenvPlace, relocated, staged_entries
from builder.project.settings import read_settings
from builder.project.source import find_source
from builder.project.uv import uv_binary
from builder.target import Libc, Python, Target
from layers.entries import Entry, FileEntry, Owner
from tests.wheels import write_wheel

VERSION = (sys.version_info[0], sys.version_info[1])
MINOR = f"{VERSION[0]}.{VERSION[1]}"
PYTHON = Python(version=VERSION, path=f"/usr/local/bin/python{MINOR}")
TARGET = Target(platform=Platform.host(), python=PYTHON, libc=Libc(name="glibc", version=(2, 36)))
SITE = f"app/.venv/lib/python{MINOR}/site-packages"
APP = Owner(1001, 1001)
PLACE = VenvPlace(path="/app/.venv", owner=APP, python=PYTHON)
UNREADABLE = {"broken.py": b"def (:\n", "latin.py": b"NAME = '\xe9'\n", "nul.py": b"A = 1\0\n"}

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


def lock(project: Path, *flags: str) -> None:
    """``uv lock``."""
    done = run([uv_binary(), "lock", "--python", sys.executable, *flags], cwd=project)
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
        environ={"SOURCE_DATE_EPOCH": "315532800"},
    )


@dataclass(frozen=True)
class Staged:
    """What was installed, and the private copy of the project."""

    third_party: Path
    own: Path
    project: Path


def stage(asked: Installation, into: Path, events: EventSink = ignore) -> Staged:
    """Check the lock, and install both parts as a build does."""
    installer = Installer(asked, into=into, run=run, events=events)
    installer.check_lock()
    third_party, own = installer.sync(THIRD_PARTY), installer.sync(OWN)
    if changed := changed_files(third_party):
        installer.mend(THIRD_PARTY, changed)
        if still := changed_files(third_party, changed):
            events(not_as_published(still))
    return Staged(third_party=third_party, own=own, project=installer.project)


def relocate(venv: Path, place: VenvPlace, *, own: bool = False) -> list[Entry]:
    """All that is installed in an environment, as it stands in the image."""
    return relocated(staged_entries(venv, place), venv, place, own=own)


def install_project(
    project: Path, into: Path, *, target: Target = TARGET, interpreter: Path | None = None
) -> Staged:
    """Stage a locked project as a build does."""
    into.mkdir(parents=True, exist_ok=True)
    asked = installation_of(project, target=target, interpreter=interpreter)
    return stage(asked, into)


def snapshot(directory: Path) -> dict[str, tuple[object, ...]]:
    """Everything about a tree that a write would change."""
    found: dict[str, tuple[object, ...]] = {}
    for folder, names, files in os.walk(directory):
        for path in [Path(folder), *(Path(folder) / name for name in (*names, *files))]:
            status = path.lstat()
            content = path.read_bytes() if path.is_file() and not path.is_symlink() else b""
            found[str(path)] = (status.st_mode, status.st_mtime_ns, status.st_ctime_ns, content)
    return found


def write_third_party(directory: Path) -> None:
    """A distribution with everything that wheels bring."""
    write_wheel(
        directory,
        "third",
        files={
            "third/__init__.py": b'"""A module."""\n\ndef run() -> None:\n    print(__file__)\n',
            "third/data.bin": bytes(range(256)),
            "third_space/inner/module.py": b"VALUE = 1\n",
            **{f"third/{name}": data for name, data in UNREADABLE.items()},
        },
        scripts={
            "plain": b"#!python\nprint('plain')\n",
            "optimised": b"#!python -OO\nprint('optimised')\n",
            "shell": b"#!/bin/sh\nexit 0\n",
            "tool.py": b"#!/usr/bin/env python3\nprint('tool')\n",
            "binary": b"\x7fELF" + bytes(64),
        },
        data={"share/third/a.txt": b"a", "etc/third.py": b"SETTING = 1\n"},
        entry_points={"third": "third:run", "third-more": "third:run"},
    )


def write_application(directory: Path) -> Path:
    write_third_party(directory / "wheels")
    project = write_project(
        directory / "demo",
        {"src/demo/__init__.py": "def main() -> None:\n    print('demo')\n"},
        project='dependencies = ["third"]\nscripts.demo = "demo:main"\n',
        tables=f"{UV_BUILD}\n[tool.uv]\nno-index = true\nfind-links = ['../wheels']\n",
    )
    lock(project)
    return project


def compiler(scratch: Path, interpreter: Path | None = None, python: Python = PYTHON) -> Compiler:
    interpreter = interpreter or Path(sys.executable)
    return Compiler(run, interpreter=interpreter, python=python, scratch=scratch)


def contents(entries: Iterable[Entry]) -> dict[str, bytes]:
    """Every regular file."""
    found = {}
    for entry in entries:
        if isinstance(entry, FileEntry):
            with entry.content.open() as stream:
                found[entry.path] = stream.read()
            assert len(found[entry.path]) == entry.size
    return found


def unlocked(project: Path) -> Path:
    """A lock without asking uv, for copies that nothing is installed from."""
    write_tree(project, {"uv.lock": "version = 1\n"})
    return project


def workspace(root: Path) -> Path:
    """A member that depends on its sibling, on a package outside, and on a wheel outside."""
    write_wheel(root / "wheels", "wheel")
    write_wheel(root / "flat", "third")
    write_project(root / "shared/lib", name="lib")
    work = write_tree(
        root / "work",
        {
            "pyproject.toml": '[tool.uv.workspace]\nmembers = ["apps/*", "core"]\n'
            '[tool.uv]\nno-index = true\nfind-links = ["../flat"]\n',
            ".python-version": MINOR,
        },
    )
    write_project(work / "core", name="core")
    api = write_project(
        work / "apps/api",
        {".dockerignore": "data\n", "data/a": ""},
        name="api",
        project='dependencies = ["core", "lib", "wheel", "third"]',
        tables=f"""
        {UV_BUILD}
        [tool.uv.sources]
        core = {{ workspace = true }}
        lib = {{ path = "../../../shared/lib", editable = true }}
        wheel = {{ path = "../../../wheels/wheel-1.0-py3-none-any.whl" }}
        """.replace("\n        ", "\n"),
    )
    write_project(work / "apps/web", name="web")
    lock(work)
    return api


def files_below(directory: Path) -> set[str]:
    return {
        str(path.relative_to(directory))
        for path in directory.rglob("*")
        if path.is_symlink() or path.is_file()
    }
