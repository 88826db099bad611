"""A stand-in for ``python:3.13-alpine``: CPython compiled with Debian's musl, and little else.

No Alpine archive is reachable everywhere, and uv's downloads are not either; Debian has musl, a
compiler for it, and CPython's sources. It takes two minutes, once per machine.

``python -m tests.standin_musl DIR`` leaves a copy of the OCI layout in ``DIR``.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.debian.archive.user_sources import release_sources
from builder.settings import Settings
from builder.store.layout import Layout
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from layers.tree import walk
from tests.cache import composed_once
from tests.images import make_image, make_layer
from tests.platforms import HOST, MACHINES

TAG = "3.13-alpine"
MACHINE = MACHINES[HOST.architecture]
LOADER = f"lib/ld-musl-{MACHINE}.so.1"

_VERSION = "3.13.5"
_SUITE = "trixie"
_SOURCE = f"pool/main/p/python3.13/python3.13_{_VERSION}.orig.tar.xz"
"""From the root of this machine's archive of that suite."""
_SHA256 = "93e583f243454e6e9e4588ca2c2662206ad961659863277afcdb96801647d640"
_TOOLS = ("musl-gcc", "make", "curl", "strip", "xz")
# Debian's compiler tells the triplet of Debian's own C library, whatever it compiles for.
_COMPILER = """\
#!/bin/sh
[ "$1" = --print-multiarch ] || exec musl-gcc "$@"
"""
_CONFIGURE = (
    "--prefix=/usr/local",
    "--disable-test-modules",
    "--without-ensurepip",
    "--without-doc-strings",
    "--without-static-libpython",
    "OPT=-O1 -DNDEBUG",
    # Nothing of this machine's libraries is there for musl: zlib, OpenSSL, SQLite.
    "PKG_CONFIG=/bin/false",
)
_LEFT_OUT = frozenset(
    {"__pycache__", "ensurepip", "idlelib", "pydoc_data", "test", "tests", "tkinter", "turtledemo"}
)
_ENV = (
    "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    f"PYTHON_VERSION={_VERSION}",
)


def musl_standin() -> Path:
    """The OCI layout with one image, tagged ``TAG``; compiled once per machine.

    Skips the test where it cannot be made.
    """
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        names = ", ".join(missing)
        pytest.skip(f"not installed: {names} (.ci/setup installs what it can)")
    key = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:12]
    return composed_once(f"standin-musl-{key}", compose)


def compose(folder: Path) -> None:
    """Write the layout into an empty folder."""
    scratch = folder.parent / "scratch"
    built = _build(scratch)
    layout = Layout(folder)
    image = make_image([make_layer(layout, _rootfs(built))], {"Env": list(_ENV), "Cmd": ["python"]})
    layout.put(image.config.raw)
    layout.put(image.manifest.raw)
    layout.tag(TAG, image.descriptor)


def _build(scratch: Path) -> Path:
    """Compile CPython; return the folder it was compiled in."""
    scratch.mkdir()
    archive = scratch / "python.tar.xz"
    address = f"{release_sources(Settings(), _SUITE, project=scratch)[0].uri}/{_SOURCE}"
    _run(["curl", "--fail", "--silent", "--show-error", "--output", str(archive), address], scratch)
    assert hashlib.sha256(archive.read_bytes()).hexdigest() == _SHA256, f"{address} is another"
    _run(["tar", "--extract", "--file", str(archive)], scratch)
    compiler = scratch / "musl-cc"
    compiler.write_text(_COMPILER)
    compiler.chmod(0o755)
    source = scratch / f"Python-{_VERSION}"
    _run(["./configure", f"CC={compiler}", *_CONFIGURE], source)
    _run(["make", f"-j{os.cpu_count()}", "python", "sharedmods"], source)
    _run(["strip", "python", *map(str, _extensions(source))], source)
    return source


def _extensions(source: Path) -> list[Path]:
    return sorted((source / (source / "pybuilddir.txt").read_text().strip()).glob("*.so"))


class _Kept:
    """The rules of ``layers.tree`` for a standard library."""

    def ignores(self, path: str, /) -> bool:
        return not _LEFT_OUT.isdisjoint(path.split("/"))

    def prunes(self, directory: str, /) -> bool:
        return self.ignores(directory)


def _rootfs(source: Path) -> list[Entry]:
    library = "usr/local/lib/python3.13"
    extensions = _extensions(source)
    described = extensions[0].parent.glob("_sysconfigdata*.py")
    musl = Path("/", LOADER).resolve()
    return [
        *walk(musl, at=LOADER),
        *walk(source / "Lib", at=library, rules=_Kept()),
        *(e for path in described for e in walk(path, at=f"{library}/{path.name}")),
        *(
            e
            for path in extensions
            for e in walk(path.resolve(), at=f"{library}/lib-dynload/{path.name}")
        ),
        FileEntry.of("usr/local/bin/python3.13", (source / "python").read_bytes(), mode=0o755),
        *(
            SymlinkEntry(path=f"usr/local/bin/{n}", target="python3.13")
            for n in ("python", "python3")
        ),
        FileEntry.of("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n"),
        FileEntry.of("etc/group", b"root:x:0:\n"),
        DirEntry(path="tmp", mode=0o1777),
    ]


def _run(argv: list[str], cwd: Path) -> None:
    done = subprocess.run(argv, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode:
        told = f"{done.stdout}{done.stderr}"[-5000:]
        raise RuntimeError(f"{argv} exited {done.returncode}\n{told}")


if __name__ == "__main__":
    [target] = sys.argv[1:]
    shutil.copytree(musl_standin(), target)
    sys.stdout.write(f"{target}:{TAG}\n")
