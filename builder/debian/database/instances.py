"""Packages as dpkg tells them apart: by name and architecture.

https://wiki.debian.org/Multiarch/HOWTO
"""

from collections.abc import Mapping

type Instance = tuple[str, str]
"""A name and an architecture; the latter is empty where the database does not say."""

_ANY = frozenset({"all", ""})


def is_replaced(old: Instance, new: Mapping[str, str]) -> bool:
    """Whether an installed package gives way to one of its name.

    One for every architecture takes the place of one for a single architecture, and the other way
    round; between two architectures nothing is replaced.

    Args:
        old: what is installed.
        new: architectures of packages, by name.
    """
    name, architecture = old
    if name not in new:
        return False
    return new[name] == architecture or not _ANY.isdisjoint({new[name], architecture})
