"""The files of an image by who answers for them, each looked at once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING

from builder.checks.inspect import inspect
from builder.checks.leaks.clues import clues_of_name
from builder.checks.subject import Clue, FileFacts, Inspected, Origin
from builder.examine.members import Member, members_of
from builder.examine.owners import ANY_PACKAGE
from layers.entries import FileEntry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from builder.examine.owners import Owners
    from builder.rootfs.file_index import FileIndex
    from layers.layer import Layer

type _Owner = tuple[Origin, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What was seen.

    Attributes:
        present: files that a container has.
        buried: the user's files that a later layer deletes or replaces: whoever has the image can
            still read them.
        paths: of all new files that a container has.
    """

    present: tuple[Inspected, ...]
    buried: tuple[Inspected, ...]
    paths: frozenset[str]

    def programs(self) -> Iterator[str]:
        """Paths of programs and libraries, whoever they are of."""
        for part in self.present:
            yield from (path for path, facts in part.files.items() if facts.elf)


def read_parts(layers: Sequence[Layer], owners: Owners, files: FileIndex, *, below: int) -> Parts:
    """Look at the files of an image, but for those of its base and of system packages.

    Args:
        layers: all of the image's; every one above the base is read.
        owners: who answers for what; they have learned all that there is.
        files: of the whole image.
        below: how many layers are the base's.

    Raises:
        ContentError: a path is none that can be.
        LayerError: a layer is not what was promised.
    """
    seen = {number: _look(layers[number], number, owners) for number in range(below, len(layers))}
    last = {
        path: number for number, each in seen.items() for path in each.paths if path in files.files
    }
    present, buried = [], []
    for number, each in seen.items():
        here = {path for path in each.paths if last.get(path) == number}
        for part in each.parts():
            present.append(_among(part, here))
            if part.origin is Origin.PROJECT:
                buried.append(_among(part, each.paths - here))
    return Parts(
        present=tuple(part for part in present if part.files),
        buried=tuple(part for part in buried if part.files),
        paths=frozenset(last),
    )


def _among(part: Inspected, paths: Collection[str]) -> Inspected:
    return replace(part, files={path: f for path, f in part.files.items() if path in paths})


@dataclass(slots=True)
class _Seen:
    """A layer that was read.

    Attributes:
        digest: of the layer.
        paths: of all its files.
        found: what is worth knowing of them, by who answers for them.
    """

    digest: str
    paths: set[str] = field(default_factory=set)
    found: dict[_Owner, dict[str, FileFacts]] = field(default_factory=dict)

    def parts(self) -> Iterator[Inspected]:
        for (origin, distribution), files in self.found.items():
            if distribution == ANY_PACKAGE:
                # They may be of many packages, so each of them is told.
                for path, facts in files.items():
                    yield Inspected(origin=origin, layer=self.digest, files={path: facts})
            else:
                yield Inspected(
                    origin=origin, layer=self.digest, distribution=distribution, files=files
                )


def _look(layer: Layer, number: int, owners: Owners) -> _Seen:
    seen = _Seen(str(layer.digest))
    links: list[Member] = []
    files = _files(members_of(layer), seen.paths, links)
    # What belongs together stands together, as a rule.
    for (origin, distribution), group in groupby(files, lambda each: owners.of(number, each.path)):
        if distribution == ANY_PACKAGE:
            seen.found.setdefault((origin, distribution), {}).update(_with_clues(group))
        elif origin is not Origin.SYSTEM:
            looked = inspect(map(_entry, group), origin=origin, distribution=distribution)
            seen.found.setdefault((origin, distribution), {}).update(looked.files)
    known = {path: facts for files in seen.found.values() for path, facts in files.items()}
    for link in links:
        owner = owners.of(number, link.path)
        if link.linked in known and owner[0] is not Origin.SYSTEM:
            seen.found.setdefault(owner, {})[link.path] = known[link.linked]
    return seen


def _with_clues(members: Iterable[Member]) -> dict[str, FileFacts]:
    """What gives secrets away in files that may be the user's, and nothing else of them."""
    named: dict[str, tuple[Clue, ...]] = {}

    def entries() -> Iterator[FileEntry]:
        for member in members:
            named[member.path] = clues_of_name(member.path, member.size, Origin.PROJECT)
            yield _entry(member)

    looked = inspect(entries(), origin=Origin.SYSTEM).files
    found = {
        path: clues or (looked[path].clues if path in looked else ())
        for path, clues in named.items()
    }
    return {path: FileFacts(mode=0, size=0, clues=clues) for path, clues in found.items() if clues}


def _files(members: Iterable[Member], paths: set[str], links: list[Member]) -> Iterator[Member]:
    for member in members:
        paths.add(member.path)
        if member.linked:
            links.append(member)
        elif member.content is not None:
            yield member


def _entry(member: Member) -> FileEntry:
    return FileEntry(path=member.path, content=member, size=member.size, mode=member.mode)
