"""A private copy of the application to build from, and the identity of what is in it.

uv and build backends run in the copy: some write into the directory they build (setuptools leaves
``build/`` and ``*.egg-info`` behind), and a build must never write into the user's project. What
the ignore rules keep out of the source is not in the copy, so no wheel can smuggle it in.
"""

import os
import posixpath
import shutil
from collections.abc import Iterable
from pathlib import Path

from builder.errors import ContentError, LockError
from builder.project.lock import Lock
from builder.project.pyproject import Pyproject
from builder.project.source import Source
from layers.digest import Digest
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry, image_path
from layers.ignore import ProjectRules, project_rules
from layers.tree import fingerprint, walk

# What uv reads at the root of a workspace, which may be no package itself.
_UV_FILES = ("pyproject.toml", "uv.lock", "uv.toml", ".python-version")


def copy_for_build(lock: Lock, pyproject: Pyproject, source: Source, into: Path) -> Path:
    """Copy the lock and all local packages, and return where the project is in the copy.

    Their places relative to each other stay, so relative paths between them hold.

    Raises:
        ContentError: a file cannot be read, or a local package is not there.
        OSError: the copy cannot be written.
    """
    trees = _trees(lock, pyproject)
    common = Path(os.path.commonpath([*trees, lock.directory]))
    kept = _kept(lock, pyproject)
    for tree in trees:
        at = image_path(str(into / tree.relative_to(common)))
        _write(walk(tree, at=at, rules=_BuildRules(tree, source, kept)))
    for wanted in _uv_files(lock):
        copied = into / wanted.relative_to(common)
        if not copied.exists():
            copied.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(wanted, copied)
    return into / pyproject.directory.relative_to(common)


def source_digest(lock: Lock, pyproject: Pyproject, source: Source) -> Digest:
    """The identity of everything that the project's own layers are made from.

    Raises:
        ContentError: a file cannot be read, or changed while it was read.
    """
    kept = _kept(lock, pyproject)
    walks = {
        tree: walk(tree, at="project", rules=_BuildRules(tree, source, kept))
        for tree in _trees(lock, pyproject)
    }
    walks |= {path: walk(path, at="project") for path in _uv_files(lock) if path not in walks}
    lines = sorted(
        f"{os.path.relpath(path, pyproject.directory)}\0{fingerprint(entries)}\n"
        for path, entries in walks.items()
    )
    return Digest.of("".join(lines).encode("utf-8", "surrogateescape"))


class _BuildRules:
    """What a build may see: the source as the image takes it, and of the rest all but litter.

    ``.dockerignore`` often leaves out files that a build backend needs (``*.md``, and with it the
    readme that pyproject.toml names), so outside of the source only directories stay out by it:
    data, node_modules, another user's volumes. Not those that hold what the build is known to read.
    """

    def __init__(self, tree: Path, source: Source, kept: Iterable[Path]) -> None:
        self._tree = tree
        self._everywhere = project_rules(None)
        self._own, *lifted = source.rules.sets
        self._built_in = ProjectRules(sets=tuple(lifted))
        self._rules = source.rules
        inside = source.project.is_relative_to(tree)
        self._project = f"{source.project.relative_to(tree)}/" if inside else None
        self._parts = source.parts
        self._kept = tuple(
            str(path.relative_to(source.project))
            for path in kept
            if path.is_relative_to(source.project) and path != source.project
        )

    def ignores(self, path: str, /) -> bool:
        inner = self._inside_project(path)
        if inner is None:
            return self._everywhere.ignores(path)
        if self._is_source(inner):
            return self._rules.ignores(inner)
        return self._built_in.ignores(inner) or self._is_left_out(path, inner)

    def prunes(self, directory: str, /) -> bool:
        inner = self._inside_project(directory)
        if inner is None:
            return self._everywhere.prunes(directory)
        if self._is_source(inner):
            return self._rules.prunes(inner)
        return self._built_in.prunes(inner) or self._own.prunes(inner)

    def _inside_project(self, path: str) -> str | None:
        if self._project == "./":
            return path
        if self._project is None or not path.startswith(self._project):
            return None
        return path.removeprefix(self._project)

    def _is_source(self, inner: str) -> bool:
        return any(part == "." or _holds(part, inner) for part in self._parts)

    def _is_left_out(self, path: str, inner: str) -> bool:
        """Whether ``.dockerignore`` names the directory that this is, or is in."""
        if any(_holds(kept, inner) or _holds(inner, kept) for kept in self._kept):
            return False
        if not self._own.ignores(inner):
            return False
        directory = inner if (self._tree / path).is_dir() else posixpath.dirname(inner)
        return bool(directory) and self._own.ignores(directory)


def _holds(outer: str, path: str) -> bool:
    return path == outer or path.startswith(f"{outer}/")


def _trees(lock: Lock, pyproject: Pyproject) -> list[Path]:
    """The directories (and files) of all local packages, none inside another."""
    trees = _outermost([*lock.local_paths, *lock.wheel_directories, pyproject.directory])
    for tree in trees:
        if not tree.exists():
            raise LockError(f"{lock.path} names {tree}, which does not exist")
    return trees


def _kept(lock: Lock, pyproject: Pyproject) -> list[Path]:
    """What a build is known to read, whatever ``.dockerignore`` says."""
    readme = pyproject.metadata.get("readme")
    if isinstance(readme, dict):
        readme = readme.get("file")
    named = [pyproject.directory / readme] if isinstance(readme, str) else []
    return [*lock.local_paths, *lock.wheel_directories, *named]


def _uv_files(lock: Lock) -> list[Path]:
    return [path for name in _UV_FILES if (path := lock.directory / name).is_file()]


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """Each path once, without those that lie in another one."""
    resolved = sorted({Path(os.path.normpath(path)) for path in paths})
    return [p for p in resolved if not any(p.is_relative_to(q) and p != q for q in resolved)]


def _write(entries: Iterable[Entry]) -> None:
    for entry in entries:
        path = Path("/", entry.path)
        match entry:
            case DirEntry():
                path.mkdir(parents=True, exist_ok=True)
            case SymlinkEntry():
                path.symlink_to(entry.target)
            case FileEntry():
                path.parent.mkdir(parents=True, exist_ok=True)
                with entry.content.open() as stream, path.open("wb") as file:
                    shutil.copyfileobj(stream, file)
                path.chmod(entry.mode)
            case _:
                raise ContentError(f"{entry.path} cannot be copied")
