"""Places to call the program in: a tiny project, a base of a few kilobytes, a store of its own."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.oci.descriptor import REF_NAME
from builder.oci.platform import Platform
from builder.store.layout import Layout
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from tests.command import builder
from tests.images import make_image, make_layer
from tests.project.projects import lock, write_project

MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
MACHINES = {"amd64": 62, "arm64": 183}

TABLES = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.builder]
cmd = ["python", "-m", "demo"]
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one test builds: nobody else writes there."""

    project: Path
    store: Path
    out: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def build(
        self, *arguments: str | Path, code: int = 0, cwd: Path | None = None, **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run ``build``; into podman only when an argument says so."""
        load = () if {"--load", "--test", "--no-load"} & set(arguments) else ("--no-load",)
        return builder(
            "build",
            self.project,
            *load,
            *arguments,
            env={**self.environ, **environ},
            cwd=cwd or self.out,
            code=code,
        )

    def refused(
        self, *arguments: str | Path, code: int, cwd: Path | None = None, **environ: str
    ) -> str:
        """What a build says that must fail: all of stderr, and nothing half-written anywhere."""
        before = self.written()
        done = self.build(*arguments, code=code, cwd=cwd, **environ)
        assert done.stdout == ""
        assert "Traceback" not in done.stderr
        assert self.leftovers() == []
        assert self.written() == before
        return self.plain(done.stderr)

    def leftovers(self) -> list[str]:
        """What is in the store and should not be."""
        if not self.store.exists():
            return []
        return sorted(path.name for path in self.store.iterdir() if path.name.startswith("."))

    def written(self) -> list[str]:
        """What is in the output directory."""
        return sorted(str(path.relative_to(self.out)) for path in self.out.rglob("*"))

    def plain(self, text: str) -> str:
        """Text without what differs from run to run: places, times, digests."""
        places = {
            str(self.project): "PROJECT",
            str(self.store): "STORE",
            str(self.out): "OUT",
            self.environ["BUILDER_BASE"]: "BASE",
            sys.executable: "PYTHON",
        }
        for place in sorted(places, key=len, reverse=True):
            text = text.replace(place, places[place])
        text = re.sub(r"sha256:[0-9a-f]{64}", "sha256:X", text)
        text = re.sub(r" +\d+\.\d\d s  ", " T s  ", text)
        text = re.sub(r"\d+ entries", "N entries", text)
        return re.sub(r"\d+(\.\d+)? (k?B|MB)\b", "N B", text)

    def append(self, text: str, name: str = "pyproject.toml") -> None:
        """Add to a file of the project."""
        path = self.project / name
        path.write_text(path.read_text() + text)

    def replace(self, old: str, new: str) -> None:
        """Change ``pyproject.toml``."""
        path = self.project / "pyproject.toml"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))

    def on_base(self, base: str) -> "Place":
        """The same place with another base."""
        return replace(self, environ={**self.environ, "BUILDER_BASE": base})


def base_layer(architecture: str | None = None) -> list[Entry]:
    """What the builder looks for in a base: accounts, a Python, a C library."""
    machine = MACHINES[architecture or Platform.host().architecture]
    header = b"\x7fELF\x02\x01".ljust(18, b"\0") + machine.to_bytes(2, "little")
    libc = header + b"GNU C Library (Debian) stable release version 2.36\n"
    return [
        DirEntry(path="etc"),
        FileEntry.of("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        FileEntry.of("etc/group", b"root:x:0:\n"),
        FileEntry.of(f"usr/local/bin/python{MINOR}", b"\x7fELF", mode=0o755),
        SymlinkEntry(path="usr/local/bin/python3", target=f"python{MINOR}"),
        FileEntry.of("usr/lib/libc.so.6", libc),
    ]


def write_base(directory: Path, *layers: Sequence[Entry]) -> Layout:
    """An OCI layout with one image, named ``base``."""
    layout = Layout(directory)
    image = make_image(
        [make_layer(layout, entries) for entries in layers],
        {"Env": ["PATH=/usr/local/bin:/usr/bin"]},
    )
    layout.put(image.config.raw)
    layout.put(image.manifest.raw)
    layout.tag("base", image.descriptor)
    [named] = layout.index().manifests
    assert named.annotations[REF_NAME] == "base"
    return layout


@pytest.fixture(scope="session")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base as the settings name it; nothing in it runs."""
    directory = tmp_path_factory.mktemp("base") / "layout"
    write_base(directory, base_layer())
    return f"oci:{directory}"


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the program's own modules are kept compiled: half of what a small call takes."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture(autouse=True)
def own_environ(
    request: pytest.FixtureRequest, uv_cache: Path, bytecode: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of the caller's, and offline unless the test is marked ``index``."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(bytecode))
    for name in [*os.environ]:
        if name.startswith("BUILDER_") or name in {"SOURCE_DATE_EPOCH", "VIRTUAL_ENV"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    if request.node.get_closest_marker("index") is None:
        monkeypatch.setenv("UV_OFFLINE", "1")


@pytest.fixture(scope="session")
def locked_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that needs nobody's packages."""
    project = write_project(tmp_path_factory.mktemp("locked") / "project", tables=TABLES)
    lock(project)
    return project


@pytest.fixture
def place(tmp_path: Path, base: str, locked_project: Path) -> Place:
    """That project, an empty store and a place for outputs."""
    return make_place(tmp_path, base, locked_project)


def make_place(directory: Path, base: str, project: Path) -> Place:
    """A place in a directory, with a copy of a project."""
    project = shutil.copytree(project, directory / "project")
    (directory / "out").mkdir()
    store = directory / "store"
    environ = {"BUILDER_STORE": str(store), "BUILDER_BASE": base}
    return Place(project=project, store=store, out=directory / "out", environ=environ)


def reference(done: subprocess.CompletedProcess[str]) -> str:
    """The one line that a successful build prints."""
    assert re.fullmatch(r"\S+@sha256:[0-9a-f]{64}\n", done.stdout)
    return done.stdout.strip()
