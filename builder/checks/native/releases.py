"""Which symbol versions there are, and which release of Debian came with them."""

import re
from collections.abc import Iterable
from typing import NamedTuple

from builder.target import Python

_NUMBER = re.compile(r"\d+")

# https://sources.debian.org/src/glibc/, and symbols files of libstdc++6 and libgcc-s1
_RELEASES = (
    ("bullseye", {"GLIBC": (2, 31), "GLIBCXX": (3, 4, 28), "CXXABI": (1, 3, 12)}),
    ("bookworm", {"GLIBC": (2, 36), "GLIBCXX": (3, 4, 30), "CXXABI": (1, 3, 13)}),
    ("trixie", {"GLIBC": (2, 41), "GLIBCXX": (3, 4, 33), "CXXABI": (1, 3, 15)}),
)


class Version(NamedTuple):
    """Of symbols: ``GLIBC_2.36`` is (2, 36) of GLIBC."""

    family: str
    number: tuple[int, ...]

    def __str__(self) -> str:
        number = ".".join(map(str, self.number))
        return f"{self.family}_{number}" if number else self.family


def parse_version(text: str) -> Version:
    """A version's name, taken apart; one without a number has an empty one."""
    family, _, number = text.rpartition("_")
    if not family or not re.fullmatch(r"[\d.]+", number):
        return Version(text, ())
    return Version(family, tuple(map(int, _NUMBER.findall(number))))


def newest(texts: Iterable[str], family: str | None = None) -> Version | None:
    """The highest version, of one family or any; None when there is none."""
    versions = [v for text in texts if family in {None, (v := parse_version(text)).family}]
    return max(versions, key=lambda version: version.number, default=None)


def base_with(version: Version, python: Python) -> str | None:
    """The official image on the first Debian that has it; None when none is known."""
    for name, offered in _RELEASES:
        if version.family in offered and offered[version.family] >= version.number:
            return f"python:{python.minor}-slim-{name}"
    return None
