"""Versions of packages, compared as dpkg does.

https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
"""

import operator as operators
from collections.abc import Callable, Mapping
from functools import cmp_to_key, lru_cache
from typing import Any

# The class of python-debian that is Python all through: `Version` becomes another one where
# python-apt is installed, and results must not depend on the build machine.
from debian.debian_support import NativeVersion

from builder.errors import PackageError

_HOLDS: Mapping[str, Callable[[int, int], bool]] = {
    "<<": operators.lt,
    "<=": operators.le,
    "=": operators.eq,
    ">=": operators.ge,
    ">>": operators.gt,
}
OPERATORS = frozenset(_HOLDS)


@lru_cache(maxsize=1 << 14)
def compare(a: str, b: str) -> int:
    """Below, at or above zero: as the first is older than, equal to or newer than the second.

    Raises:
        PackageError: one of them is no version.
    """
    if a == b:
        return 0
    first, second = _parsed(a), _parsed(b)
    return (first > second) - (first < second)


def satisfies(version: str, operator: str, wanted: str) -> bool:
    """Whether a version stands in a relation to another.

    Args:
        version: what there is.
        operator: one of ``OPERATORS``.
        wanted: what it is compared with.

    Raises:
        PackageError: one of the two is no version.
    """
    return _HOLDS[operator](compare(version, wanted), 0)


def sort_key(version: str) -> Any:
    """A key that puts versions in order, the oldest first; ``PackageError`` as ``compare``."""
    return _by_version(version)


_by_version = cmp_to_key(compare)


@lru_cache(maxsize=1 << 14)
def _parsed(version: str) -> NativeVersion:
    try:
        return NativeVersion(version)
    except ValueError as error:
        raise PackageError(f"{version!r} is not a version of a Debian package") from error
