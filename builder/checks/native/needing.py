"""Libraries in an order in which few of them have to be loaded to know all."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from builder.elf import Elf


def needing_first(paths: Collection[str], elves: Mapping[str, Elf]) -> list[str]:
    """Every file before those that it asks for by name; in a circle, whichever comes first.

    Args:
        paths: of the files.
        elves: what they say.
    """
    called: dict[str, list[str]] = {}
    for path in sorted(paths):
        name = path.rpartition("/")[2]
        for each in {name, elves[path].soname or name}:
            called.setdefault(each, []).append(path)
    done: list[str] = []
    seen: set[str] = set()
    for path in sorted(paths, reverse=True):
        if path not in seen:
            seen.add(path)
            done += _left(path, elves, called, seen)
    return done[::-1]


def _left(
    path: str, elves: Mapping[str, Elf], called: Mapping[str, list[str]], seen: set[str]
) -> Iterator[str]:
    """A file and what it asks for, each after all that it needs; chains may be long."""

    def needs(each: str) -> Iterator[str]:
        return (found for soname in elves[each].needed for found in called.get(soname, ()))

    ways = [(path, needs(path))]
    while ways:
        at, ahead = ways[-1]
        following = next((found for found in ahead if found not in seen), None)
        if following is None:
            ways.pop()
            yield at
        else:
            seen.add(following)
            ways.append((following, needs(following)))
