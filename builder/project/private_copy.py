"""A private copy of the application to build from, and the identity of what is in it.

uv and build backends run in the copy: some write into the directory they build (setuptools leaves
``build/`` and ``*.egg-info`` behind), and a build must never write into the user's project. What
the rules of ``build_rules`` keep out is not in the copy, so no wheel can smuggle it in.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import ContentError, LockError
from builder.project.build_rules import BuildRules, places
from builder.project.source_index import SourceIndex
from layers.digest import CHUNK, Digest, HashingWriter
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from layers.tree import content_hash, fingerprint, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from builder.project.facts import Facts
    from builder.project.lock import Lock
    from builder.project.pyproject import Pyproject
    from builder.project.source import Source

# What uv reads at the root of a workspace, which may be no package itself.
_UV_FILES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A private copy.

    Attributes:
        project: where the project is in it.
        lock: where the lock is.
        digest: the ``source_digest`` of what was copied.
    """

    project: Path
    lock: Path
    digest: Digest


def copy_for_build(lock: Lock, pyproject: Pyproject, source: Source, into: Path) -> Copy:
    """Copy the lock and all local packages.

    Their places relative to each other stay, so relative paths between them hold.

    Raises:
        ContentError: a file cannot be read, a link leads out, or a local package is not there.
        OSError: the copy cannot be written.
    """
    common = _common(_trees(lock, pyproject), lock)
    into.mkdir(parents=True, exist_ok=True)
    hashes: dict[str, str] = {}
    walks = _walks(lock, pyproject, source)
    for tree, entries in walks.items():
        hashes |= {
            f"{tree}\0{path}": found
            for path, found in _write(entries, into, tree.relative_to(common)).items()
        }
    for path, entries in _uv_walks(lock, walks).items():
        copied = into / path.relative_to(common)
        if not copied.exists():
            copied.parent.mkdir(parents=True, exist_ok=True)
            copied.write_bytes(path.read_bytes())
        found = hashlib.sha256(copied.read_bytes()).hexdigest()
        hashes |= {f"{path}\0{entry.path}": found for entry in entries}
        walks[path] = entries
    digest = _digest(pyproject, walks, lambda tree, entry: hashes[f"{tree}\0{entry.path}"])
    return Copy(
        project=into / pyproject.directory.relative_to(common),
        lock=into / lock.path.relative_to(common),
        digest=digest,
    )


def source_digest(
    lock: Lock, pyproject: Pyproject, source: Source, facts: Facts | None = None
) -> Digest:
    """The identity of everything that the project's own layers are made from.

    Args:
        lock: names the local packages.
        pyproject: of the project.
        source: what of the project goes into the image.
        facts: keep, from build to build, what the files hash to, so that only those are read
            which were written since; the digest is the same with and without.

    Raises:
        ContentError: a file cannot be read, changed while it was read, or is a link that leads out.
    """
    index = SourceIndex(facts, pyproject.directory) if facts else None
    hashed = index.hash if index else content_hash
    walks = _walks(lock, pyproject, source)
    walks |= _uv_walks(lock, walks)
    digest = _digest(pyproject, walks, lambda _, entry: hashed(entry))
    if index:
        index.save()
    return digest


def _digest(
    pyproject: Pyproject,
    walks: Mapping[Path, list[Entry]],
    hashed: Callable[[Path, FileEntry], str],
) -> Digest:
    lines = sorted(
        f"{os.path.relpath(tree, pyproject.directory)}\0"
        f"{fingerprint(entries, partial(hashed, tree))}\0{_ignored(tree)}\n"
        for tree, entries in walks.items()
    )
    return Digest.of("".join(lines).encode("utf-8", "surrogateescape"))


def _ignored(tree: Path) -> str:
    """What decides over files that builds need and images do not; it may leave out itself."""
    try:
        return str(Digest.of((tree / ".dockerignore").read_bytes()))
    except OSError:
        return ""


def _walks(lock: Lock, pyproject: Pyproject, source: Source) -> dict[Path, list[Entry]]:
    """What is in each tree, as deep as in the copy, so links have the same room.

    The names of the directories above a package do not matter, and are not there.
    """
    trees = _trees(lock, pyproject)
    common = _common(trees, lock)
    known = places(lock.local_paths, lock.wheel_directories, source)
    return {
        # A tree may be reached by a link, which is not what is meant.
        tree: walk(
            Path(os.path.realpath(tree)),
            at="/".join("-" for _ in tree.relative_to(common).parts),
            rules=BuildRules(tree, known, trees),
        )
        for tree in trees
    }


def _uv_walks(lock: Lock, walks: Mapping[Path, object]) -> dict[Path, list[Entry]]:
    """What uv reads beside the lock."""
    return {path: walk(path, at="project") for path in _uv_files(lock) if path not in walks}


def _common(trees: Iterable[Path], lock: Lock) -> Path:
    return Path(os.path.commonpath([*trees, lock.directory]))


def _trees(lock: Lock, pyproject: Pyproject) -> list[Path]:
    """The directories (and files) of all local packages, none inside another."""
    trees = _outermost([*lock.local_paths, *lock.wheel_directories, pyproject.directory])
    for tree in trees:
        if not tree.exists():
            raise LockError(f"{lock.path} names {tree}, which does not exist")
    return trees


def _uv_files(lock: Lock) -> list[Path]:
    return [path for name in _UV_FILES if (path := lock.directory / name).is_file()]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Each path once, without those that lie in another one."""
    resolved = sorted({Path(os.path.normpath(path)) for path in paths})
    return [p for p in resolved if not any(p.is_relative_to(q) and p != q for q in resolved)]


def _write(entries: Iterable[Entry], into: Path, inner: Path) -> dict[str, str]:
    """Write what a walk found into a directory of the copy; what its files hash to, by path."""
    hashes = {}
    for entry in entries:
        # As bytes: the name stays what it is, whatever the locale makes of it.
        below = entry.path.split("/")[len(inner.parts) :]
        name = "/".join(below).encode("utf-8", "surrogateescape")
        path = os.path.join(os.fsencode(into / inner), name) if name else os.fsencode(into / inner)  # noqa: PTH118
        match entry:
            case DirEntry():
                os.makedirs(path, exist_ok=True)  # noqa: PTH103
            case SymlinkEntry():
                os.symlink(entry.target.encode("utf-8", "surrogateescape"), path)  # noqa: PTH211
            case FileEntry():
                os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
                hashes[entry.path] = _copy(entry, path)
            case _:
                raise ContentError(f"{entry.path} cannot be copied")
    return hashes


def _copy(entry: FileEntry, path: bytes) -> str:
    with entry.content.open() as stream, open(path, "wb") as file:  # noqa: PTH123
        writer = HashingWriter(file)
        while data := stream.read(CHUNK):
            writer.write(data)
    os.chmod(path, entry.mode)  # noqa: PTH101
    return writer.hexdigest
