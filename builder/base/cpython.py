"""What of a CPython goes into a base: the interpreter and its standard library, and no more.

As the official images have it, less what only building and reading need: no headers, no static
library, no tests, no texts for ``help()``, no Tk, no pip; site-packages is there and empty.
"""

import io
import posixpath
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from builder.base.interpreter import CPython
from builder.base.rehome import HOME, read_settings, rehomed_program, rehomed_settings
from builder.base.strip import stripped
from builder.elf import MAGIC, read_elf
from builder.errors import BaseError
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry, image_path
from layers.tree import walk

_LEFT_OUT_ANYWHERE = frozenset({"__pycache__", "idle_test", "test", "tests"})
# `nis` asks the Network Information Service, is gone from Python 3.13, and would bring Kerberos.
_LEFT_OUT = (
    "EXTERNALLY-MANAGED",
    "config-*",
    "ensurepip",
    "idlelib",
    "lib-dynload/_ctypes_test.*",
    "lib-dynload/_test*",
    "lib-dynload/_tkinter.*",
    "lib-dynload/_xxtestfuzz.*",
    "lib-dynload/nis.*",
    "lib-dynload/xx*",
    "pydoc_data",
    "site-packages",
    "tkinter",
    "turtle.py",
    "turtledemo",
)
_SETTINGS = re.compile(r"_sysconfigdata.*\.py|_sysconfig_vars.*\.json|build-details\.json")
_GLIBC = re.compile(rb"\0GLIBC_(\d+)\.(\d+)(?=[.\0])")
# What belongs to the system and is no place of this Python's own.
_SHARED_PREFIXES = frozenset({"", "/", "/usr", "/usr/local", "/install"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a program asks of the system that it runs on.

    Attributes:
        sonames: of the shared libraries that it loads.
        glibc: the newest version of which it uses symbols; (0, 0) when it uses none.
    """

    sonames: tuple[str, ...]
    glibc: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A CPython, ready to be packed, without bytecode.

    Attributes:
        entries: at their places in the image.
        libraries: those entries that the loader finds in ``usr/local/lib``.
        needs: by in-image path, of every program and extension module.
    """

    entries: tuple[Entry, ...]
    libraries: tuple[Entry, ...]
    needs: Mapping[str, Needs]


@dataclass(frozen=True, slots=True)
class _Kept:
    """The rules of ``layers.tree`` for a standard library."""

    def ignores(self, path: str, /) -> bool:
        if posixpath.basename(path) in _LEFT_OUT_ANYWHERE:
            return True
        return any(fnmatchcase(path, pattern) for pattern in _LEFT_OUT)

    def prunes(self, directory: str, /) -> bool:
        return self.ignores(directory)


def sources(cpython: CPython) -> list[Entry]:
    """The files of a CPython as they lie on this machine, at their places in an image.

    Raises:
        BaseError: they are laid out otherwise than CPython's own build does.
        ContentError: a file cannot be read.
    """
    place = f"{image_path(HOME)}/lib/{cpython.name}"
    program, library = cpython.prefix / "bin" / cpython.name, cpython.prefix / "lib" / cpython.name
    if not (program.is_file() and (library / "os.py").is_file()):
        raise BaseError(
            f"the Python in {cpython.prefix} has not both bin/{cpython.name} and "
            f"lib/{cpython.name}: a base cannot be made of it",
            hint=f"uv python install {cpython.minor[0]}.{cpython.minor[1]}",
        )
    found = [
        *walk(program.resolve(), at=f"{image_path(HOME)}/bin/{cpython.name}"),
        *walk(library, at=place, rules=_Kept()),
        *_libraries(cpython),
    ]
    # A link out of the prefix leads to this machine's own configuration, as Debian's builds have.
    return [e for e in found if not (isinstance(e, SymlinkEntry) and e.target.startswith("/"))]


def _libraries(cpython: CPython) -> Iterable[Entry]:
    for path in sorted((cpython.prefix / "lib").glob("libpython3*.so*")):
        yield from walk(path, at=f"{image_path(HOME)}/lib/{path.name}")


def prepare(cpython: CPython, found: Sequence[Entry], scratch: Path) -> Prepared:
    """Make a CPython one that lives in ``/usr/local``.

    Args:
        cpython: of whom they are.
        found: its ``sources``.
        scratch: a directory for rewritten files; they are read when the layer is packed.

    Raises:
        BaseError: its ``sysconfig`` cannot be read.
        ContentError: a file cannot be read, or changed meanwhile.
    """
    prefixes = _prefixes(cpython, found)
    entries = {entry.path: _rehomed(entry, prefixes, scratch) for entry in found}
    needs = {
        path: need
        for path, entry in entries.items()
        if isinstance(entry, FileEntry) and (need := _needs(entry))
    }
    asked = {soname for need in needs.values() for soname in need.sonames}
    shared = {p: e for p, e in entries.items() if posixpath.basename(p).startswith("libpython")}
    if not any(posixpath.basename(path) in asked for path in shared):
        # Built into the program, as uv's are; for others to link with, and as large again.
        entries = {path: entry for path, entry in entries.items() if path not in shared}
        shared = {}
    own = {posixpath.basename(path) for path in shared}
    return Prepared(
        entries=(*entries.values(), *_fixtures(cpython)),
        libraries=tuple(shared.values()),
        needs={
            path: replace(need, sonames=tuple(s for s in need.sonames if s not in own))
            for path, need in needs.items()
            if path in entries
        },
    )


def libraries(
    cpython: CPython, found: Sequence[Entry], paths: Collection[str]
) -> tuple[Entry, ...]:
    """Those of the ``sources`` that stand at the paths, as ``prepare`` makes them."""
    prefixes = _prefixes(cpython, found)
    chosen = [entry for entry in found if entry.path in paths]
    return tuple(_program(entry, prefixes) for entry in chosen)


def _fixtures(cpython: CPython) -> list[Entry]:
    home = image_path(HOME)
    return [
        DirEntry(path=f"{home}/lib/{cpython.name}/site-packages"),
        *(SymlinkEntry(path=f"{home}/bin/{n}", target=cpython.name) for n in ("python", "python3")),
    ]


def _prefixes(cpython: CPython, found: Sequence[Entry]) -> tuple[str, ...]:
    """Where it lies, and where it was built to lie; the longest first."""
    named = {str(cpython.prefix)}
    for entry in found:
        if isinstance(entry, FileEntry) and _SETTINGS.fullmatch(posixpath.basename(entry.path)):
            values = read_settings(posixpath.basename(entry.path), _read(entry))
            named |= {str(values.get(key) or "") for key in ("prefix", "exec_prefix")}
    return tuple(sorted(named - _SHARED_PREFIXES, key=lambda prefix: (-len(prefix), prefix)))


def _rehomed(entry: Entry, prefixes: Sequence[str], scratch: Path) -> Entry:
    if not isinstance(entry, FileEntry):
        return entry
    name = posixpath.basename(entry.path)
    if _SETTINGS.fullmatch(name):
        # On disk, since what the program makes in memory is not compiled.
        rewritten = scratch / name
        rewritten.write_bytes(rehomed_settings(name, _read(entry), prefixes))
        return walk(rewritten, at=entry.path)[0]
    return _program(entry, prefixes) if _may_be_program(entry.path) else entry


def _may_be_program(path: str) -> bool:
    return ".so" in posixpath.basename(path) or "/bin/" in path


def _program(entry: Entry, prefixes: Sequence[str]) -> Entry:
    if not isinstance(entry, FileEntry):
        return entry
    data = _read(entry)
    if not data.startswith(MAGIC):
        return entry
    return FileEntry.of(entry.path, rehomed_program(stripped(data), prefixes), mode=entry.mode)


def _needs(entry: FileEntry) -> Needs | None:
    if not _may_be_program(entry.path):
        return None
    data = _read(entry)
    elf = read_elf(io.BytesIO(data))
    if elf is None:
        return None
    versions = [(int(major), int(minor)) for major, minor in _GLIBC.findall(data)]
    return Needs(sonames=elf.needed, glibc=max(versions, default=(0, 0)))


def _read(entry: FileEntry) -> bytes:
    with entry.content.open() as stream:
        return stream.read()
