"""What builds of local packages may see, which is all that can reach an image by way of a wheel.

To each local package its own rules apply: ``.dockerignore`` and the built-in excludes. Files that
builds need come in against ``.dockerignore``, which often names them (``*.md``, and with it the
readme), but not against the built-in excludes.
"""

from __future__ import annotations

import glob
import os
import posixpath
import stat
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.errors import ContentError
from builder.project.source import Below, Source, read_rules
from layers.ignore import project_rules
from layers.tree import Rules, host_path

if TYPE_CHECKING:
    from collections.abc import Iterable

# At the root of a package; what pyproject.toml names besides is in `_named`.
_BUILD_FILES = (
    "pyproject.toml",
    "uv.lock",
    "uv.toml",
    ".python-version",
    "setup.py",
    "setup.cfg",
    "MANIFEST.in",
    "hatch.toml",
    "hatch_build.py",
    "pdm_build.py",
    "CMakeLists.txt",
    "meson.build",
    "meson.options",
    "meson_options.txt",
    "Cargo.toml",
    "Cargo.lock",
    "build.rs",
)


class Paths:
    """Some paths, and all that is below them."""

    def __init__(self, paths: Iterable[str] = ()) -> None:
        self._named = frozenset(paths)
        self._above = tuple(f"{path}/" for path in self._named)
        self._ways = self._named.union(*map(_parents, self._named))

    def hold(self, path: str) -> bool:
        """Whether a path is one of them, or below one."""
        return path in self._named or path.startswith(self._above)

    def are_below(self, directory: str) -> bool:
        """Whether a directory is one of them, or has one below it."""
        return directory in self._ways


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A local package, or a wheel or directory of wheels beside the lock.

    Attributes:
        root: where it is.
        own: rules of ignore files.
        always: rules that stand above those.
        needed: paths, relative to the root, that come in whatever ``own`` says.
        shipped: paths, relative to the root, that the image or a wheel is known to take.
    """

    root: Path
    own: tuple[Rules, ...] = ()
    always: Rules
    needed: Paths = field(default_factory=Paths)
    shipped: Paths = field(default_factory=Paths)

    def ignores(self, inner: str) -> bool:
        """Whether a path of the place, which may be the place itself, stays out."""
        if inner == ".":
            return False
        if self.always.ignores(inner):
            return True
        return not self.needed.hold(inner) and any(r.ignores(inner) for r in self.own)

    def prunes(self, inner: str) -> bool:
        """Whether a directory and everything that can be below it stay out."""
        if inner == "." or self.needed.are_below(inner):
            return False
        if self.always.prunes(inner):
            return True
        return not self.needed.hold(inner) and any(r.prunes(inner) for r in self.own)

    def ships(self, inner: str) -> bool:
        """Whether a path is known to go into an image; of other packages, what is usual."""
        top = host_path(self.root, inner.partition("/")[0])
        usual = top.name == "src" or (top / "__init__.py").is_file()
        return usual or self.shipped.hold(".") or self.shipped.hold(inner)


def places(packages: Iterable[Path], wheels: Iterable[Path], source: Source) -> list[Place]:
    """The rules for the project, for other local packages, and for directories of wheels.

    Raises:
        ContentError: a ``.dockerignore`` cannot be read.
    """
    others = dict.fromkeys(path for path in packages if path != source.project and path.is_dir())
    files = [path for path in (*packages, *wheels) if path not in others and path != source.project]
    return [
        Place(
            root=source.project,
            own=(source.rules.own,),
            always=source.rules.always,
            needed=_needed(source.project),
            shipped=Paths((*source.parts, *source.included)),
        ),
        *(_package(path, source) for path in others),
        *(Place(root=path, always=project_rules(None).always) for path in files),
    ]


def _package(root: Path, source: Source) -> Place:
    rules = read_rules(root, source.apart)
    own: tuple[Rules, ...] = (rules.own,)
    if root.is_relative_to(source.project):
        # The project's rules hold here too, but for those that leave the whole package out: they
        # are about the image, and the lock says that the package is built.
        inner = root.relative_to(source.project).as_posix()
        own = (*own, Below(inner, source.rules.own.beyond(inner)))
    return Place(root=root, own=own, always=rules.always, needed=_needed(root))


class BuildRules:
    """The rules for walking a tree in which places lie.

    Links are followed by build backends. One that leads out of all trees would bring in what is
    there on this machine, so it stays out, and where it would be missed it is refused.
    """

    def __init__(self, tree: Path, places: Iterable[Place], trees: Iterable[Path]) -> None:
        self._tree = tree
        self._raw = os.fsencode(tree)
        inside = [place for place in places if place.root.is_relative_to(tree)]
        self._places = {place.root.relative_to(tree).as_posix(): place for place in inside}
        self._homes: dict[str, str] = {}
        self._trees = tuple(trees)
        self._real = tuple(os.path.realpath(path) for path in self._trees)

    def ignores(self, path: str, /) -> bool:
        """Whether this path stays out.

        Raises:
            ContentError: it is a link that leads out, in what ships.
        """
        place, inner = self._find(path)
        return place.ignores(inner) or (inner != "." and self._is_odd(path, place, inner))

    def prunes(self, directory: str, /) -> bool:
        """Whether nothing below this directory can come in."""
        if any(_holds(directory, root) for root in self._places):
            return False
        place, inner = self._find(directory)
        return place.prunes(inner)

    def _find(self, path: str) -> tuple[Place, str]:
        """The innermost place, and the path in it."""
        if path in self._places:
            return self._places[path], "."
        # Neighbours have the same one, and trees may hold very many of them.
        directory = path.rpartition("/")[0]
        root = self._homes.get(directory)
        if root is None:
            root = self._homes[directory] = self._home(directory)
        return self._places[root], path if root == "." else path[len(root) + 1 :]

    def _home(self, directory: str) -> str:
        above = (directory, *_parents(directory))
        return next((root for root in above if root in self._places), ".")

    def _is_odd(self, path: str, place: Place, inner: str) -> bool:
        try:
            mode = os.lstat(b"/".join((self._raw, path.encode("utf-8", "surrogateescape")))).st_mode
            if stat.S_ISREG(mode) or stat.S_ISDIR(mode):
                return False
            full = host_path(self._tree, path)
            target = str(full.readlink()) if stat.S_ISLNK(mode) else None
        except OSError as error:
            full = host_path(self._tree, path)
            raise ContentError(f"cannot read {full}: {error.strerror}") from error
        if target is None:
            # Sockets and pipes; in what ships the walk refuses them.
            return not place.ships(inner)
        if self._stays(full, target):
            return False
        if place.ships(inner):
            raise ContentError(
                f"symbolic link {full} -> {target} leads out of the project",
                hint="copy what it points to into the project, or exclude it in .dockerignore",
            )
        return True

    def _stays(self, link: Path, target: str) -> bool:
        """Whether it leads, both as it is written and as it is followed, to what is copied.

        An absolute one would lead from the copy to the original, and one that climbs above all
        trees and comes back names directories which are called otherwise in the copy.
        """
        written = Path(os.path.normpath(link.parent / target))
        followed = Path(os.path.realpath(link))
        room = len(link.parent.relative_to(os.path.commonpath(self._trees)).parts)
        return (
            not target.startswith("/")
            and _climb(target) <= room
            and any(written.is_relative_to(tree) for tree in self._trees)
            and any(followed.is_relative_to(tree) for tree in self._real)
        )


def _climb(target: str) -> int:
    """How many directories above its own a link names at most."""
    depth = highest = 0
    for part in target.split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        highest = max(highest, -depth)
    return highest


def _parents(path: str) -> Iterable[str]:
    while path := posixpath.dirname(path):
        yield path


def _holds(outer: str, path: str) -> bool:
    return path == outer or path.startswith(f"{outer}/")


def _needed(root: Path) -> Paths:
    named = map(posixpath.normpath, _named(root))
    return Paths((*_BUILD_FILES, *(path for path in named if path != ".")))


def _named(root: Path) -> list[str]:
    """Readme, licences, version files and backend that a ``pyproject.toml`` names."""
    try:
        document = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    except (OSError, ValueError):
        return []  # uv and the backend have their own words for that
    project = _table(document, "project")
    dynamic = _table(document, "tool", "setuptools", "dynamic").values()
    files = [project.get("readme"), project.get("license"), *dynamic]
    named = [
        *(path for file in files if isinstance(file, dict) for path in _strings(file.get("file"))),
        *_strings(project.get("readme")),
        *_strings(_table(document, "build-system").get("backend-path")),
    ]
    for pattern in _strings(project.get("license-files")):
        found = glob.glob(pattern, root_dir=root, recursive=True)  # noqa: PTH207 - never raises
        named += [os.fsencode(path).decode("utf-8", "surrogateescape") for path in found]
    return named


def _table(table: Any, *keys: str) -> dict[str, Any]:
    for key in keys:
        table = table.get(key) if isinstance(table, dict) else None
    return table if isinstance(table, dict) else {}


def _strings(value: Any) -> list[str]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, str) and item]
