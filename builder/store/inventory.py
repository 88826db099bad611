"""What lies in a store, and who needs it: images that have a name, and facts."""

import contextlib
import json
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.store.layout import Layout
from builder.store.leftovers import LEFTOVERS, entries, weigh
from builder.store.whole import lacks
from layers.digest import Digest

_HEX = re.compile(rb"[0-9a-f]{64}")
_BASE = re.compile(rb'"org\.opencontainers\.image\.base\.digest" *: *"sha256:([0-9a-f]{64})"')
_BLOB_NAME = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """A file or, of what was left, a directory.

    Attributes:
        path: where it is.
        size: in bytes; of a directory, of all that is in it.
        used: when it was last used, in seconds since the epoch.
    """

    path: Path
    size: int
    used: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedImage:
    """An image of the index.

    Attributes:
        digest: of its manifest, or of an index of manifests.
        names: what it is called; nothing, when another tool listed it so.
        path: of the blob with that digest.
        used: as for a file; 0 when it is not there.
        needs: hex digests of the blobs of the store that it is made of, its base's included.
        base: those of them that are its base's, documents included.
        is_whole: whether nothing that it needs is missing.
    """

    digest: Digest
    names: tuple[str, ...]
    path: Path
    used: float
    needs: frozenset[str]
    base: frozenset[str]
    is_whole: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """A fact.

    Attributes:
        kind: what it is about.
        file: where it is.
        needs: hex digests of the blobs of the store that it tells of, and of what these need.
        is_usable: whether it can be read, and what it points at is there.
    """

    kind: str
    file: StoredFile
    needs: frozenset[str]
    is_usable: bool

    @property
    def path(self) -> Path:
        """Of its file."""
        return self.file.path

    @property
    def used(self) -> float:
        """When it was last asked for, in seconds since the epoch."""
        return self.file.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """All that is in a store.

    Attributes:
        blobs: by hex digest.
        images: those of the index, each once.
        facts: of every kind.
        leftovers: what was begun and not finished, by killed builds or by those at work.
    """

    blobs: Mapping[str, StoredFile]
    images: tuple[NamedImage, ...]
    facts: tuple[Fact, ...]
    leftovers: tuple[StoredFile, ...]

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return sum(file.size for file in self.files())

    def files(self) -> Iterator[StoredFile]:
        """Everything once."""
        yield from self.blobs.values()
        yield from (fact.file for fact in self.facts)
        yield from self.leftovers


def take_inventory(layout: Layout) -> Inventory:
    """Look at everything; what vanishes meanwhile counts as gone.

    Args:
        layout: the store; as a layout, which marks nothing as used.

    Raises:
        DocumentError: the index cannot be read.
        StoreError: the index cannot be read.
    """
    blobs = {file.path.name: file for file in blobs_of(layout.root)}
    needs = _Needs(blobs)
    return Inventory(
        blobs=blobs,
        images=tuple(_images(layout, needs)),
        facts=tuple(_fact(file, needs) for file in facts_of(layout.root)),
        leftovers=tuple(_leftovers(layout.root)),
    )


def blobs_of(root: Path) -> list[StoredFile]:
    """The files of a store that are named as blobs are."""
    files = _files(root / "blobs" / "sha256")
    return [file for file in files if _BLOB_NAME.fullmatch(file.path.name)]


def facts_of(root: Path) -> list[StoredFile]:
    """The files of its facts, kind by kind."""
    return [file for kind in entries(root / "facts") for file in _files(Path(kind.path))]


def _leftovers(root: Path) -> Iterator[StoredFile]:
    for entry in entries(root):
        if entry.name.startswith(LEFTOVERS):
            with contextlib.suppress(OSError):
                found = entry.stat(follow_symlinks=False)
                size = weigh(entry.path) if stat.S_ISDIR(found.st_mode) else found.st_size
                yield StoredFile(path=Path(entry.path), size=size, used=found.st_mtime)


def _images(layout: Layout, needs: "_Needs") -> Iterator[NamedImage]:
    listed: dict[Digest, list[Descriptor]] = {}
    for entry in layout.index().manifests:
        listed.setdefault(entry.digest, []).append(entry)
    for digest, same in listed.items():
        top = needs.blobs.get(digest.hex)
        needed = needs.of_bytes(digest.hex.encode())
        names = (entry.annotations.get(REF_NAME) for entry in same)
        yield NamedImage(
            digest=digest,
            names=tuple(name for name in names if name),
            path=layout.root / "blobs" / digest.algorithm / digest.hex,
            used=top.used if top else 0,
            needs=needed,
            base=needs.of_bases(needed),
            is_whole=not any(
                lacks(entry, layout, partial(_is_there, needs.blobs)) for entry in same
            ),
        )


def _is_there(blobs: Mapping[str, StoredFile], descriptor: Descriptor) -> bool:
    found = blobs.get(descriptor.digest.hex)
    return found is not None and found.size == descriptor.size


def _fact(file: StoredFile, needs: "_Needs") -> Fact:
    try:
        raw = file.path.read_bytes()
        value = json.loads(raw)
        is_usable = isinstance(value, dict) and all(map(needs.has, _pointed_at(value)))
    except (OSError, ValueError, RecursionError):
        raw, is_usable = b"", False
    kind = file.path.parent.name
    return Fact(kind=kind, file=file, needs=needs.of_bytes(raw), is_usable=is_usable)


def _pointed_at(fact: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """What a fact is about: itself, or its members, when they name a blob and its size.

    What stands in lists does not count: packages that may be fetched, for instance.
    """
    for value in (fact, *fact.values()):
        if isinstance(value, dict) and {"digest", "size"} <= value.keys():
            yield value


class _Needs:
    """Which blobs of a store are named by bytes, and by what is named by these.

    Any 64 hex digits may name a blob. So nobody has to know every kind of fact, and what is taken
    for a name by chance is kept in vain at worst.
    """

    def __init__(self, blobs: Mapping[str, StoredFile]) -> None:
        self.blobs = blobs
        self._named: dict[str, frozenset[str]] = {}
        self._bases: dict[str, frozenset[bytes]] = {}

    def has(self, pointer: Mapping[str, Any]) -> bool:
        found = self.blobs.get(str(pointer["digest"]).removeprefix("sha256:"))
        return found is not None and found.size == pointer["size"]

    def of_bytes(self, raw: bytes) -> frozenset[str]:
        needed: set[str] = set()
        waiting = self._names(raw)
        while waiting:
            needed |= waiting
            waiting = frozenset(
                name for blob in waiting for name in self._inside(blob) if name not in needed
            )
        return frozenset(needed)

    def of_bases(self, needed: Iterable[str]) -> frozenset[str]:
        """Those that the bases need which the documents among some blobs name.

        The images of an index may have different ones.
        """
        bases = frozenset(base for blob in needed for base in self._bases.get(blob, ()))
        return frozenset(blob for base in bases for blob in self.of_bytes(base))

    def _inside(self, blob: str) -> frozenset[str]:
        if blob not in self._named:
            raw = _document(self.blobs[blob])
            self._named[blob] = self._names(raw)
            self._bases[blob] = frozenset(_BASE.findall(raw))
        return self._named[blob]

    def _names(self, raw: bytes) -> frozenset[str]:
        return frozenset(name.decode() for name in _HEX.findall(raw)) & self.blobs.keys()


def _document(file: StoredFile) -> bytes:
    """A blob's bytes, when it may be a manifest, an index or a config."""
    if file.size > MAX_DOCUMENT:
        return b""
    try:
        with file.path.open("rb") as stream:
            first = stream.read(1)
            return first + stream.read() if first == b"{" else b""
    except OSError:
        return b""


def _files(directory: Path) -> Iterator[StoredFile]:
    for entry in entries(directory):
        with contextlib.suppress(OSError):
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISREG(found.st_mode):
                yield StoredFile(path=Path(entry.path), size=found.st_size, used=found.st_mtime)
