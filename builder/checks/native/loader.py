"""What a loader would load for a file, without starting anything.

glibc: https://man7.org/linux/man-pages/man8/ld.so.8.html
musl: https://git.musl-libc.org/cgit/musl/tree/ldso/dynlink.c
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from builder.errors import BaseError
from builder.rootfs.loader_paths import TRIPLETS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from builder.elf import Elf
    from builder.rootfs.file_index import FileIndex
    from builder.target import Target

_TOKEN = re.compile(r"\$(?:\{(ORIGIN|LIB|PLATFORM)\}|(ORIGIN|LIB|PLATFORM)\b)")
_MUSL_ITSELF = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\..*")


class Missing(NamedTuple):
    """A library that is not found, and the file that needs it; relative to the root."""

    path: str
    soname: str


@dataclass(slots=True)
class Load:
    """What comes with a file.

    Attributes:
        order: paths in the order of loading, itself first.
        missing: what is not found.
        names: paths by what libraries are asked for by.
    """

    order: list[str] = field(default_factory=list)
    missing: list[Missing] = field(default_factory=list)
    names: dict[str, str] = field(default_factory=dict)


class _Object(NamedTuple):
    """A loaded file.

    Attributes:
        path: real.
        origin: the directory in which it was found, links not followed.
        elf: what it says.
        inherited: directories in which it has what it needs looked for because those that load it
            say so, and what it says itself that those that it loads inherit.
    """

    path: str
    origin: str
    elf: Elf
    inherited: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loader:
    """The loader of an image.

    Attributes:
        elves: every file that it may load, by its real path relative to the root.
        settled: those of them that are known to load: what they need is not looked for.
        links: resolves symbolic links.
        directories: where it looks last, relative to the root, in order.
        library_path: what ``LD_LIBRARY_PATH`` names, as written.
        target: says which of the two it is, and for which architecture.
    """

    elves: Mapping[str, Elf]
    settled: Collection[str]
    links: FileIndex
    directories: Sequence[str]
    library_path: Sequence[str]
    target: Target
    _real: dict[str, str | None] = field(default_factory=dict, init=False, repr=False)
    _places: dict[tuple[Sequence[str], str], tuple[str, ...]] = field(
        default_factory=dict, init=False, repr=False
    )
    _needs: dict[str, frozenset[str]] = field(default_factory=dict, init=False, repr=False)
    _found: dict[tuple[str, tuple[str, ...], int, int], str | None] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def is_musl(self) -> bool:
        """Whether it is musl's, and not glibc's."""
        return self.target.libc.name == "musl"

    def load(self, path: str, *, program: str | None = None) -> Load:
        """Load a file and what it needs, breadth first.

        Args:
            path: real, and one of the loader's files.
            program: the one that loads it, with its own libraries; None when it is itself one,
                or nothing is known of who loads it.
        """
        done = Load()
        loaded: dict[str, _Object] = {}
        if program is not None:
            first = self._begin(program, done, loaded, None)
            self._load_all([first], done, loaded)
            # What the program lacks, others are not to blame for.
            done = Load(names=done.names)
            # A module that the program has loaded already is still the one that is asked about.
            loaded.pop(path, None)
            begun = self._begin(path, done, loaded, first)
        else:
            begun = self._begin(path, done, loaded, None)
        self._load_all([begun], done, loaded)
        return done

    def _begin(
        self, path: str, done: Load, loaded: dict[str, _Object], parent: _Object | None
    ) -> _Object:
        begun = self._object(path, path.rpartition("/")[0], parent)
        loaded[path] = begun
        done.order.append(path)
        if begun.elf.soname and not self.is_musl:
            done.names.setdefault(begun.elf.soname, path)
        return begun

    def _object(self, path: str, origin: str, parent: _Object | None) -> _Object:
        elf = self.elves[path]
        above = parent.inherited if parent else ()
        if self.is_musl:
            own = self._expanded(elf.runpath or elf.rpath, origin)
        else:
            own = () if elf.runpath else self._expanded(elf.rpath, origin)
        # What is looked in twice is found the first time.
        inherited = tuple(dict.fromkeys((*own, *above))) if own else above
        return _Object(path, origin, elf, inherited)

    def _load_all(self, queue: list[_Object], done: Load, loaded: dict[str, _Object]) -> None:
        names = done.names
        for one in queue:
            needs = self._needs.get(one.path)
            if needs is None:
                needs = self._needs[one.path] = frozenset(one.elf.needed)
            if names.keys() >= needs:
                continue  # so it is nearly always, and asked at once for all of them
            for soname in one.elf.needed:
                if soname in names:
                    continue
                at = self._search(one, soname)
                if at is None:
                    done.missing.append(Missing(one.path, soname))
                    continue
                path = names[soname] = self._resolved(at) or at
                if path in loaded:
                    continue
                found = loaded[path] = self._object(path, at.rpartition("/")[0], one)
                done.order.append(path)
                if found.elf.soname and not self.is_musl:
                    names.setdefault(found.elf.soname, path)
                if path not in self.settled:
                    queue.append(found)

    def _search(self, one: _Object, soname: str) -> str | None:
        """Where a library is found, links not followed."""
        if "/" in soname:
            return self._first([soname.lstrip("/")], one.elf)
        if self.is_musl and _MUSL_ITSELF.fullmatch(soname):
            return self._musl_itself()
        places = self._own_places(one)
        key = soname, places, one.elf.machine, one.elf.bits
        if key not in self._found:
            everywhere = chain(places, self.directories)
            self._found[key] = self._first((f"{at}/{soname}" for at in everywhere), one.elf)
        return self._found[key]

    def _first(self, candidates: Iterable[str], elf: Elf) -> str | None:
        for path in candidates:
            real = self._resolved(path)
            if real is not None and _is_alike(self.elves[real], elf):
                return path
        return None

    def _musl_itself(self) -> str | None:
        """As its own loader it stands for every library that is a part of it."""
        name = "ld-musl-"
        return next((p for p in self.elves if p.rpartition("/")[2].startswith(name)), None)

    def _own_places(self, one: _Object) -> tuple[str, ...]:
        """Where a file has libraries looked for, before the loader's own directories."""
        environment = self._expanded(self.library_path, one.origin)
        if self.is_musl:
            return (*environment, *one.inherited)
        if one.elf.runpath:
            return (*environment, *self._expanded(one.elf.runpath, one.origin))
        return (*one.inherited, *environment)

    def _expanded(self, entries: Sequence[str], origin: str) -> tuple[str, ...]:
        """The directories that entries of a path mean; relative ones depend on where one is."""
        if not entries:
            return ()
        known = self._places.get((entries, origin))
        if known is None:
            triplet = TRIPLETS.get(self.target.platform.architecture, "")
            words = {
                "ORIGIN": f"/{origin}",
                "LIB": f"lib/{triplet}",
                "PLATFORM": triplet.partition("-")[0],
            }
            places = [_TOKEN.sub(lambda found: words[found[1] or found[2]], e) for e in entries]
            known = tuple(place.strip("/") for place in places if place.startswith("/"))
            self._places[entries, origin] = known
        return known

    def _resolved(self, path: str) -> str | None:
        """The real path of a file that can be loaded; None when nothing of the kind is there."""
        if path not in self._real:
            try:
                real: str | None = self.links.resolve(path)
            except BaseError:
                real = None
            self._real[path] = real if real in self.elves else None
        return self._real[path]


def _is_alike(one: Elf, other: Elf) -> bool:
    """Whether one process can hold both."""
    return (one.machine, one.bits) == (other.machine, other.bits)
