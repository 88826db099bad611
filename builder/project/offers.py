"""What a lock offers of a distribution, and what would help a target that nothing of it fits."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from builder.project.lock import artifact_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from packaging.tags import Tag

    from builder.target import Target

_LOCAL = ("editable", "directory", "virtual")
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
# Names that older wheels have beside those of PEP 600, or instead of them.
_OLD_LEVELS = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_LEVEL = re.compile(r"(?P<libc>manylinux|musllinux)_(?P<major>\d+)_(?P<minor>\d+)_(?P<machine>.+)")
_ELSEWHERE = {"macosx": "macOS", "win": "Windows", "ios": "iOS", "android": "Android"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a lock offers of one distribution.

    Attributes:
        tags: of all wheels.
        sources: what it could be built from: ``sdist``, ``git`` and the like.
    """

    tags: frozenset[Tag]
    sources: tuple[str, ...]

    @classmethod
    def of(cls, entries: Iterable[Mapping[str, Any]]) -> Self:
        """Read ``[[package]]`` tables of a lock, of one name and version."""
        tags: set[Tag] = set()
        sources = []
        for entry in entries:
            names = artifact_names(entry)
            for name in names:
                tags |= _tags(name)
            sources.append(_source(entry, is_wheel=bool(names)))
        return cls(tags=frozenset(tags), sources=tuple(dict.fromkeys(filter(None, sources))))

    def words(self, target: Target) -> str:
        """``Windows, manylinux_2_17_x86_64, sdist``: platforms of wheels for the Python, sources.

        Args:
            target: its Python decides which wheels are named by their platform.
        """
        fit = {tag for tag in self.tags if _is_for(tag, target.python.version)}
        others = sorted({tag.interpreter for tag in self.tags - fit})
        wheels = sorted({_platform(tag.platform) for tag in fit}, key=str.casefold)
        if others and not fit:
            wheels = [f"wheels for other Pythons ({', '.join(others)})"]
        return ", ".join([*wheels, *self.sources]) or "nothing"

    def helps(self, target: Target) -> str | None:
        """Which other base would help; None when nothing is known."""
        version, libc = target.python.version, target.libc
        fit = [level for tag in self.tags if _is_for(tag, version) for level in _level(tag, target)]
        others = [level for tag in self.tags for level in _level(tag, target)]
        glibc = sorted(version for name, version in fit if name == "glibc")
        if libc.name == "musl" and glibc:
            return "a base with glibc"
        if glibc and libc.version < glibc[0]:
            return f"a base with glibc {glibc[0][0]}.{glibc[0][1]} or newer"
        if fit and not glibc and libc.name == "glibc":
            return "a base with musl"
        if any(name == libc.name and version <= libc.version for name, version in others):
            return "a base with another Python"
        return None


def _level(tag: Tag, target: Target) -> list[tuple[str, tuple[int, int]]]:
    """The C library that a wheel for the target's machine is for; nothing for others."""
    found = _LEVEL.fullmatch(_platform(tag.platform))
    if found is None or found["machine"] != _MACHINES.get(target.platform.architecture):
        return []
    libc = "glibc" if found["libc"] == "manylinux" else "musl"
    return [(libc, (int(found["major"]), int(found["minor"])))]


def _tags(wheel: str) -> frozenset[Tag]:
    try:
        return parse_wheel_filename(wheel)[3]
    except InvalidWheelFilename:
        return frozenset()


def _source(entry: Mapping[str, Any], *, is_wheel: bool) -> str | None:
    source = entry["source"]
    if "git" in source:
        return "git"
    if any(kind in source for kind in _LOCAL):
        return "path"
    if entry.get("sdist") or ("path" in source and not is_wheel):
        return "sdist"
    return None


def _is_for(tag: Tag, version: tuple[int, int]) -> bool:
    """Whether a wheel's tag is for a Python; for which platform is another question."""
    found = re.fullmatch(r"(?P<kind>cp|py)(?P<major>\d)(?P<minor>\d*)", tag.interpreter)
    if found is None or int(found["major"]) != version[0]:
        return False
    if not found["minor"]:
        return True
    minor = int(found["minor"])
    is_older_enough = found["kind"] == "py" or tag.abi == "abi3"
    return minor <= version[1] if is_older_enough else minor == version[1]


def _platform(platform: str) -> str:
    for prefix, name in _ELSEWHERE.items():
        if platform.startswith(prefix):
            return name
    level, _, machine = platform.partition("_")
    if level in _OLD_LEVELS:
        major, minor = _OLD_LEVELS[level]
        return f"manylinux_{major}_{minor}_{machine}"
    return platform
