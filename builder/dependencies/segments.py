"""Distributions, each packed once per machine: compiled, put into a tar, compressed and kept."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from builder.checks.inspect import inspect, inspected_from_fact, inspected_to_fact
from builder.checks.subject import Inspected, Origin
from builder.contents import path_files
from builder.dependencies.distribution import Distribution
from builder.dependencies.known_bytecode import find_bytecode, keep_bytecode
from builder.errors import BuilderError
from builder.events import EventSink, span
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.plan import DEPENDENCIES
from builder.project.compile import Bytecode, Compiler
from builder.project.relocate import VenvPlace, relocated
from builder.rootfs.file_index import FileIndex
from builder.rootfs.settle import settle
from builder.store.layout import Store, StoredBlob
from layers.compress import Codec
from layers.digest import Digest
from layers.entries import Entry, FileEntry, image_path
from layers.layer import FORMAT
from layers.segment import Segment, write_segment

_SEGMENT = "segment"
_SEGMENT_FORMAT = 2
_MEDIA_TYPE = "application/octet-stream"
_COMPILING = 30
"""How many bytes are compressed in the time that one byte of Python takes to compile."""
_CHUNK_COST = 60_000_000
"""What is worth a process of its own, in bytes that are compressed: about half a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """A distribution, packed.

    Attributes:
        name: normalised.
        version: as it was installed.
        size: of its files before bytecode and compression, in bytes.
        segment: in the store.
        paths: of the files in it, bytecode too.
        path_files: files that say where else Python looks: ``.pth``, by path.
        not_python: absolute in-image paths of ``.py`` files that are no Python.
        is_native: as in ``Distribution``.
        inspected: what checks have to know of the files.
    """

    name: str
    version: str
    size: int
    segment: Segment
    paths: tuple[str, ...]
    path_files: Mapping[str, str]
    not_python: tuple[str, ...]
    is_native: bool
    inspected: Inspected

    def __str__(self) -> str:
        return f"{self.name} {self.version}"


@dataclass(frozen=True, kw_only=True)
class Packer:
    """Packs distributions for one place, and knows those that were packed before.

    Attributes:
        store: keeps segments.
        place: where it goes.
        base: what it goes on.
        compiler: of the target's minor version.
        interpreter: the compiler's own words on its version, which decides its bytecode.
        codec: how to compress.
        events: told how long things took.
    """

    store: Store
    place: VenvPlace
    base: FileIndex
    compiler: Compiler
    interpreter: str
    codec: Codec
    events: EventSink

    def find(self, key: str) -> Packed | None:
        """What was packed before under a key, here or for another project."""
        fact = self.store.fact(_SEGMENT, key)
        try:
            return _from_fact(fact, self.store) if fact else None
        except (BuilderError, LookupError, TypeError, ValueError, AttributeError):
            # Damaged, or of another version of this program: it is packed again.
            return None

    def pack(
        self,
        chunk: Sequence[Distribution],
        staged: Path,
        *,
        keep: bool = True,
        published: Container[str] = (),
    ) -> list[Packed]:
        """Compile distributions together, and pack each.

        Args:
            chunk: at least one.
            staged: the environment that they were installed in.
            keep: whether what was packed may be found again: not when files are others than
                RECORD says, as keys rest on it.
            published: names of distributions that nobody built on this machine.

        Raises:
            InstallError: a file names the staging path, or the compiler failed.
            ContentError: a file cannot go into an image.
            StoreError: the store cannot be written.
        """
        names = ", ".join(map(str, chunk))
        contents = [
            relocated(
                distribution.files,
                staged,
                self.place,
                published=distribution.as_published if distribution.name in published else (),
            )
            for distribution in chunk
        ]
        with span(self.events, f"compile {names}"):
            known: dict[str, FileEntry] = {}
            for distribution in chunk if keep else ():
                known |= find_bytecode(self, distribution, staged.parent / "known-bytecode")
            unknown = [[e for e in entries if e.path not in known] for entries in contents]
            compiled = self.compiler.bytecode(*unknown, processes=1)
            compiled = replace(compiled, files={**compiled.files, **known})
        packed = []
        for distribution, entries in zip(chunk, contents, strict=True):
            with span(self.events, f"pack {distribution}"):
                made = self._pack(distribution, entries, compiled)
            if keep:
                self.store.remember(_SEGMENT, self.key(distribution), _to_fact(made))
                keep_bytecode(self, distribution, compiled.files)
            packed.append(made)
        return packed

    def _pack(
        self, distribution: Distribution, entries: Sequence[Entry], compiled: Bytecode
    ) -> Packed:
        own = {entry.path for entry in entries}
        whole = [*entries, *(compiled.files[path] for path in sorted(own & compiled.files.keys()))]
        settled = settle(whole, self.base)
        with self.store.ingest() as path:
            segment = write_segment(settled, path, codec=self.codec)
            self.store.adopt(path, segment.digest)
        return Packed(
            name=distribution.name,
            version=distribution.version,
            size=distribution.size,
            segment=_stored(segment, self.store),
            paths=tuple(entry.path for entry in whole),
            path_files=path_files(entries, self.place),
            not_python=tuple(path for path in compiled.not_python if image_path(path) in own),
            is_native=distribution.is_native,
            inspected=inspect(
                settled,
                origin=Origin.DISTRIBUTION,
                layer=DEPENDENCIES,
                distribution=str(distribution),
            ),
        )

    def key(self, distribution: Distribution) -> str:
        """What a distribution's segment is kept under."""
        inputs = {**distribution.identity, **self.surroundings}
        return str(Digest.of(canonical_json(inputs)))

    @cached_property
    def surroundings(self) -> dict[str, object]:
        """What a segment's bytes depend on beside the distribution itself."""
        return {
            "venv": self.place.path,
            "owner": str(self.place.owner),
            "interpreter": self.interpreter,
            "base": _fit(self.base, self.place),
            "codec": self.codec.identity,
            "format": [FORMAT, _SEGMENT_FORMAT],
        }


def _fit(base: FileIndex, place: VenvPlace) -> list[object]:
    """What of a base decides where files of an environment go: its links, and what is there."""
    venv = image_path(place.path)
    inside = (f"{venv}/", f"{base.resolve(venv)}/")
    there = [
        [path, base.symlinks.get(path)]
        for nodes in (base.directories, base.symlinks, base.files)
        for path in nodes
        if path.startswith(inside)
    ]
    return [base.resolve(venv), *sorted(there, key=str)]


def _stored(segment: Segment, store: Store) -> Segment:
    blob = Descriptor(media_type=_MEDIA_TYPE, digest=segment.digest, size=segment.size)
    return replace(segment, content=StoredBlob(store, blob))


def _to_fact(packed: Packed) -> dict[str, object]:
    segment = packed.segment
    return {
        "name": packed.name,
        "version": packed.version,
        "installed": packed.size,
        "digest": str(segment.digest),
        "size": segment.size,
        "tar_size": segment.tar_size,
        "crc": segment.crc,
        "paths": list(packed.paths),
        "path_files": dict(packed.path_files),
        "not_python": list(packed.not_python),
        "is_native": packed.is_native,
        "inspected": inspected_to_fact(packed.inspected),
    }


def _from_fact(fact: Mapping[str, Any], store: Store) -> Packed | None:
    """What ``_to_fact`` wrote; None when the segment is not in the store any more."""
    blob = Descriptor(media_type=_MEDIA_TYPE, digest=Digest(fact["digest"]), size=fact["size"])
    if not store.has(blob):
        return None
    segment = Segment(
        digest=blob.digest,
        size=blob.size,
        tar_size=int(fact["tar_size"]),
        crc=int(fact["crc"]),
        content=StoredBlob(store, blob),
    )
    return Packed(
        name=str(fact["name"]),
        version=str(fact["version"]),
        size=int(fact["installed"]),
        segment=segment,
        paths=tuple(map(str, fact["paths"])),
        path_files=dict(fact["path_files"]),
        not_python=tuple(map(str, fact["not_python"])),
        is_native=bool(fact["is_native"]),
        inspected=inspected_from_fact(fact["inspected"]),
    )


def chunks(distributions: Iterable[Distribution]) -> list[list[Distribution]]:
    """What is compiled by one process each: large distributions alone, small ones together.

    The costliest come first, so that no core waits for the last one for long.
    """
    found: list[list[Distribution]] = []
    room = 0
    for distribution in sorted(distributions, key=lambda d: (-_cost(d), d.name)):
        if not found or room < _cost(distribution):
            found.append([])
            room = _CHUNK_COST
        found[-1].append(distribution)
        room -= _cost(distribution)
    return found


def _cost(distribution: Distribution) -> int:
    return distribution.size + _COMPILING * distribution.source_size
