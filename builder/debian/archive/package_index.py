"""What archives offer, read out of their Packages files as far as somebody asks.

A Packages file of Debian's has 50 MB and 63,000 paragraphs, and a build looks at a hundred of
them: it is searched once for names and where they stand, and a paragraph is read when it is
asked for.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NoReturn

from builder.debian.control import parse_paragraph
from builder.debian.package import Package, Pin, candidate
from builder.debian.resolve.mentions import first_mention
from builder.debian.versions import sort_key
from builder.errors import ArchiveError, LayerError
from layers.digest import Digest

_PACKAGE = re.compile(rb"\nPackage:[ \t]*([^\s]+)")
_PROVIDES = re.compile(rb"\nProvides:([^\n]*(?:\n[ \t][^\n]*)*)")
_PROVIDED = re.compile(rb"(?:^|,)\s*([^\s,(:]+)")
_REQUIRED = ("Version", "Architecture", "Filename", "Size", "SHA256")


@dataclass(frozen=True, slots=True, kw_only=True)
class PackagesFile:
    """A verified Packages file.

    Attributes:
        data: its whole text.
        place: what it is called in messages.
        suite: as the source names it.
        priority: of the suite's packages.
    """

    data: bytes
    place: str
    suite: str
    priority: int


type _Place = tuple[int, int]
"""Which file, and where in it the newline before the name stands; no class: there are 64,000."""


class ArchiveIndex:
    """A ``PackageIndex`` over Packages files.

    Every method raises ``ArchiveError`` for a paragraph that names no content, or is malformed;
    ``PackageError`` for a version that is none.

    Args:
        files: in the order of their sources: of equal versions the first one counts.
        architecture: ``amd64``; packages for another one are not seen, but for ``all``.
    """

    def __init__(self, files: Iterable[PackagesFile], architecture: str) -> None:
        self._files = tuple(files)
        self._architecture = architecture
        self._versions: dict[str, tuple[Package, ...]] = {}

    def versions(self, name: str) -> Sequence[Package]:
        """Every version on offer, the highest first."""
        if name not in self._versions:
            self._versions[name] = self._merged(name)
        return self._versions[name]

    def providers(self, name: str) -> Sequence[Package]:
        """Candidates that say ``Provides: name``, by name; the real package is not among them."""
        found: dict[str, Package] = {}
        for place in self._provided.get(name.encode(), ()):
            package = self._paragraph(place)
            if package is None or package.name == name:
                continue
            chosen = candidate(self.versions(package.name))
            if chosen and chosen.fields == package.fields:
                found[package.name] = chosen
        return [found[key] for key in sorted(found)]

    def names(self) -> Iterable[str]:
        """The name of every package on offer, each once; virtual ones are not among them."""
        return (name.decode("utf-8", "replace") for name in self._names)

    def first_mention(self, name: str) -> tuple[int, ...]:
        """When apt hears of a package first, reading the files; later ones are larger."""
        return first_mention(name, [file.data for file in self._files])

    def _merged(self, name: str) -> tuple[Package, ...]:
        """Versions, the highest first; one that several suites have has the best priority."""
        by_version: dict[str, Package] = {}
        for place in self._names.get(name.encode(), ()):
            package = self._paragraph(place)
            if package is None:
                continue
            first = by_version.setdefault(package.version, package)
            if package.priority > first.priority:
                by_version[package.version] = replace(first, priority=package.priority)
        return tuple(by_version[found] for found in sorted(by_version, key=sort_key, reverse=True))

    @cached_property
    def _located(self) -> list[list[tuple[bytes, int]]]:
        return [_named(file.data) for file in self._files]

    @cached_property
    def _names(self) -> dict[bytes, list[_Place]]:
        names: dict[bytes, list[_Place]] = {}
        for number, located in enumerate(self._located):
            for name, offset in located:
                names.setdefault(name, []).append((number, offset))
        return names

    @cached_property
    def _provided(self) -> dict[bytes, list[_Place]]:
        provided: dict[bytes, list[_Place]] = {}
        for number, file in enumerate(self._files):
            starts = [offset for _, offset in self._located[number]]
            for found in _PROVIDES.finditer(file.data):
                # The paragraph is that of the last package named before.
                before = bisect_right(starts, found.start()) - 1
                place = (number, starts[max(before, 0)])
                for name in _PROVIDED.findall(found[1]):
                    provided.setdefault(name, []).append(place)
        return provided

    def _paragraph(self, place: _Place) -> Package | None:
        """The package that stands there; None when it is for another architecture."""
        number, offset = place
        file = self._files[number]
        start = max(file.data.rfind(b"\n\n", 0, offset + 1), 0)
        end = file.data.find(b"\n\n", offset + 1)
        text = file.data[start : end if end >= 0 else len(file.data)]
        fields = parse_paragraph(text.decode("utf-8", "replace"))
        if fields.get("Architecture") not in {self._architecture, "all", None}:
            return None
        return Package(fields=fields, pin=_pin(fields, file), priority=file.priority)


def _named(data: bytes) -> list[tuple[bytes, int]]:
    """The names of a file's packages, and where the newline before each stands; -1 at its start."""
    first = _PACKAGE.match(b"\n" + data[:1024])
    found = [(first[1], -1)] if first else []
    return found + [(match[1], match.start()) for match in _PACKAGE.finditer(data)]


def _pin(fields: dict[str, str], file: PackagesFile) -> Pin:
    name = fields.get("Package", "")
    missing = [field for field in _REQUIRED if not fields.get(field)]
    if missing:
        _refuse(name, file, f"has no {', '.join(missing)}")
    path = fields["Filename"].removeprefix("./")
    if path.startswith("/") or ".." in path.split("/") or "://" in path:
        _refuse(name, file, f"lies outside of the archive: {path!r}")
    if not fields["Size"].isdecimal():
        _refuse(name, file, f"has the size {fields['Size']!r}")
    try:
        digest = Digest(f"sha256:{fields['SHA256'].lower()}")
    except LayerError as error:
        _refuse(name, file, f"has a SHA256 that is none: {error.message}")
    return Pin(
        name=name,
        version=fields["Version"],
        architecture=fields["Architecture"],
        digest=digest,
        size=int(fields["Size"]),
        path=path,
        suite=file.suite,
    )


def _refuse(name: str, file: PackagesFile, what: str) -> NoReturn:
    raise ArchiveError(f"{file.place}: package {name or 'without a name'} {what}")
