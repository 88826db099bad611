"""The layer with Python: packed once for an interpreter, whatever packages lie below it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.base.cpython import Needs, Prepared, libraries, prepare, sources
from builder.base.interpreter import CPython
from builder.base.rehome import HOME
from builder.errors import BaseError, BuilderError, InstallError
from builder.oci.platform import Platform
from builder.process import CommandRunner
from builder.project.compile import Compiler
from builder.project.interpreter import find_interpreter
from builder.store.layout import Store
from builder.store.packing import layer_of_fact, layer_to_fact, pack_layer
from builder.target import Python
from layers.compress import GZIP
from layers.digest import Digest
from layers.entries import Entry, FileEntry, SymlinkEntry
from layers.layer import FORMAT as LAYER_FORMAT
from layers.layer import Layer
from layers.tree import StableFile

FORMAT = 1
"""Raised when the same interpreter gives another layer than before."""

_KIND = "python-layer"


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonLayer:
    """CPython as a layer.

    Attributes:
        layer: its blob is in the store.
        libraries: those of its files that the loader finds by their soname.
        needs: by in-image path, of every program and extension module.
    """

    layer: Layer
    libraries: tuple[Entry, ...]
    needs: Mapping[str, Needs]


def python_layer(cpython: CPython, *, store: Store, run: CommandRunner) -> PythonLayer:
    """Pack a CPython; one that was packed before and has not changed is only looked at.

    Raises:
        BaseError: it is laid out in an unknown way, or nothing here can compile for it.
        ContentError: one of its files cannot be read, or changed meanwhile.
        InstallError: compiling failed.
        StoreError: the store cannot be written.
    """
    found = sources(cpython)
    key = _key(cpython, found)
    fact = store.fact(_KIND, key)
    if fact is not None and (known := _known(fact, cpython, found, store)):
        return known
    with store.staging() as scratch:
        prepared = prepare(cpython, found, scratch)
        compiled = _compiler(cpython, scratch / "bytecode", run).bytecode(prepared.entries)
        entries = (*prepared.entries, *compiled.entries)
        layer = pack_layer(entries, known={}, codec=GZIP, store=store)
    store.remember(_KIND, key, _to_fact(layer, prepared))
    return PythonLayer(layer=layer, libraries=prepared.libraries, needs=prepared.needs)


def _key(cpython: CPython, found: Iterable[Entry]) -> str:
    """Who it is, and what its files looked like: reading them all takes longer than packing."""
    seen = Digest.of("\0".join(map(_look, found)).encode("utf-8", "surrogateescape"))
    return f"{FORMAT} {LAYER_FORMAT} {GZIP.identity} {cpython.version} {cpython.platform} {seen}"


def _look(entry: Entry) -> str:
    match entry:
        case FileEntry(content=StableFile(path=path, signature=signature)):
            return f"{entry.path} {entry.mode:o} {path} {signature}"
        case SymlinkEntry():
            return f"{entry.path} -> {entry.target}"
        case _:
            return entry.path


def _compiler(cpython: CPython, scratch: Path, run: CommandRunner) -> Compiler:
    version = cpython.minor
    python = Python(version=version, path=f"{HOME}/bin/{cpython.name}")
    if cpython.platform == Platform.host():
        own = cpython.prefix / "bin" / cpython.name
        return Compiler(run, interpreter=own, python=python, scratch=scratch)
    try:
        other = find_interpreter(python, project=Path("/"), run=run)
    except InstallError as error:
        message = f"the standard library for {cpython.platform} cannot be compiled: {error.message}"
        raise BaseError(message, hint=error.hint) from error
    return Compiler(run, interpreter=other, python=python, scratch=scratch)


def _to_fact(layer: Layer, prepared: Prepared) -> dict[str, object]:
    return {
        **layer_to_fact(layer),
        "libraries": [entry.path for entry in prepared.libraries],
        "needs": {p: [list(n.sonames), list(n.glibc)] for p, n in prepared.needs.items()},
    }


def _known(
    fact: Mapping[str, Any], cpython: CPython, found: list[Entry], store: Store
) -> PythonLayer | None:
    """What a fact says; None when the layer's blob is gone."""
    try:
        layer = layer_of_fact(fact, store)
        needs = {
            path: Needs(sonames=tuple(sonames), glibc=(glibc[0], glibc[1]))
            for path, (sonames, glibc) in fact["needs"].items()
        }
        paths = [str(path) for path in fact["libraries"]]
    except (BuilderError, LookupError, TypeError, ValueError, AttributeError):
        return None  # damaged: packing again costs time only
    if layer is None:
        return None
    return PythonLayer(layer=layer, libraries=libraries(cpython, found, paths), needs=needs)
