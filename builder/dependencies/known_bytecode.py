"""Bytecode that is known from another platform.

A distribution with compiled code has a wheel for each platform, and most Python in them is the
same. Its bytecode is too, so it is taken out of the segment that was packed before.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.errors import BuilderError
from builder.oci.document import canonical_json
from layers.digest import Digest
from layers.entries import FileEntry
from layers.tree import host_path, walk
from layers.verify import DAMAGES, segment_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Any

    from builder.dependencies.distribution import Distribution
    from builder.dependencies.segments import Packer

_KIND = "bytecode"
_TRUSTED = "sha256="
_WORTH = 60
"""How many bytes of a segment are expanded in the time that one byte of Python takes to compile."""


def keep_bytecode(
    packer: Packer, distribution: Distribution, compiled: Mapping[str, FileEntry]
) -> None:
    """Let the bytecode of a distribution be found, in the segment that it was packed into.

    Args:
        packer: packed it.
        distribution: with files that are as RECORD says.
        compiled: the pyc for each source, by the source's path; of others too.

    Raises:
        StoreError: the store cannot be written.
    """
    sources = {
        path: [wanted, compiled[path].path]
        for path, wanted in distribution.hashes.items()
        if path in compiled and wanted.startswith(_TRUSTED)
    }
    if distribution.is_native and sources:
        fact: dict[str, object] = {"segment": packer.key(distribution), "sources": sources}
        packer.store.remember(_KIND, _key(packer, distribution), fact)


def find_bytecode(packer: Packer, distribution: Distribution, into: Path) -> dict[str, FileEntry]:
    """The pyc for each source that is known, by the source's path.

    Args:
        packer: for the same place and interpreter.
        distribution: with files that are as RECORD says.
        into: a directory for the files, which stay until the layers are made.
    """
    fact = packer.store.fact(_KIND, _key(packer, distribution)) if distribution.is_native else None
    try:
        return _taken(packer, distribution, fact, into) if fact else {}
    except (*DAMAGES, BuilderError, LookupError, TypeError, AttributeError):
        # Damaged, or of another version of this program: it is compiled again.
        return {}


def _taken(
    packer: Packer, distribution: Distribution, fact: Mapping[str, Any], into: Path
) -> dict[str, FileEntry]:
    files = {file.path: file for file in distribution.files if isinstance(file, FileEntry)}
    same = {
        source: str(pyc)
        for source, (wanted, pyc) in fact["sources"].items()
        if source in files and distribution.hashes.get(source) == wanted
    }
    packed = packer.find(str(fact["segment"]))
    if packed is None or _WORTH * sum(files[s].size for s in same) < packed.segment.tar_size:
        return {}
    places = {packer.base.resolve_parent(pyc): pyc for pyc in same.values()}
    for path, data in segment_files(packed.segment, packer.codec, places):
        result = host_path(into, places[path])
        result.parent.mkdir(parents=True, exist_ok=True)
        result.write_bytes(data)
    return {
        source: entry
        for source, pyc in same.items()
        for entry in walk(host_path(into, pyc), at=pyc, owner=files[source].owner)
        if isinstance(entry, FileEntry)
    }


def _key(packer: Packer, distribution: Distribution) -> str:
    inputs = {"info": distribution.info, "surroundings": packer.surroundings}
    return str(Digest.of(canonical_json(inputs)))
