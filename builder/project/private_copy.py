"""A private copy of the application to build from, and the identity of what is in it.

uv and build backends run in the copy: some write into the directory they build (setuptools leaves
``build/`` and ``*.egg-info`` behind), and a build must never write into the user's project. What
the rules of ``build_rules`` keep out is not in the copy, so no wheel can smuggle it in.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from builder.errors import ContentError, LockError
from builder.project.build_rules import BuildRules, places
from builder.project.source_index import SourceIndex
from layers.digest import Digest
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from layers.tree import content_hash, fingerprint, walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from builder.project.facts import Facts
    from builder.project.lock import Lock
    from builder.project.pyproject import Pyproject
    from builder.project.source import Source

# What uv reads at the root of a workspace, which may be no package itself.
_UV_FILES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version")


def copy_for_build(lock: Lock, pyproject: Pyproject, source: Source, into: Path) -> Path:
    """Copy the lock and all local packages, and return where the project is in the copy.

    Their places relative to each other stay, so relative paths between them hold.

    Raises:
        ContentError: a file cannot be read, a link leads out, or a local package is not there.
        OSError: the copy cannot be written.
    """
    from shutil import copyfile  # noqa: PLC0415 - it loads every kind of compression

    trees = _trees(lock, pyproject)
    common = _common(trees, lock)
    into.mkdir(parents=True, exist_ok=True)
    for entries in _walks(lock, pyproject, source, _text).values():
        _write(entries, into)
    for wanted in _uv_files(lock):
        copied = into / wanted.relative_to(common)
        if not copied.exists():
            copied.parent.mkdir(parents=True, exist_ok=True)
            copyfile(wanted, copied)
    return into / pyproject.directory.relative_to(common)


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
    # As deep as in the copy, so links have the same room; names above a package do not matter.
    walks = _walks(lock, pyproject, source, lambda inner: "/".join("-" for _ in inner.parts))
    walks |= {path: walk(path, at="project") for path in _uv_files(lock) if path not in walks}
    hashed = index.hash if index else content_hash
    lines = sorted(
        f"{os.path.relpath(path, pyproject.directory)}\0{fingerprint(entries, hashed)}\n"
        for path, entries in walks.items()
    )
    if index:
        index.save()
    return Digest.of("".join(lines).encode("utf-8", "surrogateescape"))


def _walks(
    lock: Lock, pyproject: Pyproject, source: Source, at: Callable[[Path], str]
) -> dict[Path, list[Entry]]:
    """What is in each tree; ``at`` hears where it is in the directory that holds them all."""
    trees = _trees(lock, pyproject)
    common = _common(trees, lock)
    known = places(lock.local_paths, lock.wheel_directories, source)
    return {
        # A tree may be reached by a link, which is not what is meant.
        tree: walk(
            Path(os.path.realpath(tree)),
            at=at(tree.relative_to(common)),
            rules=BuildRules(tree, known, trees),
        )
        for tree in trees
    }


def _common(trees: Iterable[Path], lock: Lock) -> Path:
    return Path(os.path.commonpath([*trees, lock.directory]))


def _text(inner: Path) -> str:
    return os.fsencode(inner).decode("utf-8", "surrogateescape") if inner.parts else ""


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


def _write(entries: Iterable[Entry], into: Path) -> None:
    from shutil import copyfileobj  # noqa: PLC0415 - as above

    for entry in entries:
        # As bytes: the name stays what it is, whatever the locale makes of it.
        path = os.path.join(os.fsencode(into), entry.path.encode("utf-8", "surrogateescape"))  # noqa: PTH118
        match entry:
            case DirEntry():
                os.makedirs(path, exist_ok=True)  # noqa: PTH103
            case SymlinkEntry():
                os.symlink(entry.target.encode("utf-8", "surrogateescape"), path)  # noqa: PTH211
            case FileEntry():
                os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
                with entry.content.open() as stream, open(path, "wb") as file:  # noqa: PTH123
                    copyfileobj(stream, file)
                os.chmod(path, entry.mode)  # noqa: PTH101
            case _:
                raise ContentError(f"{entry.path} cannot be copied")
