"""The tables of symbol versions, as GNU's loader reads them.

https://refspecs.linuxfoundation.org/LSB_5.0.0/LSB-Core-generic/LSB-Core-generic/symversion.html
"""

import struct
from collections.abc import Callable

_WEAK = 0x2  # a version that may be missing
_BASE = 0x1  # the library's own name, which is no version
_MOST = 10_000  # more is damage, and would take for ever where entries overlap


def needed_versions(
    table: bytes, count: int, order: str, name: Callable[[int], str]
) -> dict[str, tuple[str, ...]]:
    """The versions that must be there, by soname.

    Args:
        table: what ``DT_VERNEED`` points at; more may follow.
        count: of its entries.
        order: ``<`` or ``>``.
        name: gives the string at an offset of the string table.

    Raises:
        IndexError, ValueError, struct.error: it is damaged.
    """
    need = struct.Struct(f"{order}HHIII")
    one = struct.Struct(f"{order}IHHII")
    found: dict[str, tuple[str, ...]] = {}
    at = 0
    left = _MOST
    for _ in range(count):
        _version, versions, file, first, following = need.unpack_from(table, at)
        names = []
        inner = at + first
        for _ in range(versions):
            _hash, flags, _index, offset, onward = one.unpack_from(table, inner)
            left -= 1
            if left < 0:
                raise ValueError("versions without end")
            if not flags & _WEAK:
                names.append(name(offset))
            inner += onward
            if not onward:
                break
        if names:
            soname = name(file)
            found[soname] = (*found.get(soname, ()), *names)
        at += following
        if not following:
            break
    return found


def offered_versions(
    table: bytes, count: int, order: str, name: Callable[[int], str]
) -> tuple[str, ...]:
    """The versions of a library's symbols.

    Args:
        table: what ``DT_VERDEF`` points at; more may follow.
        count: of its entries.
        order: ``<`` or ``>``.
        name: gives the string at an offset of the string table.

    Raises:
        IndexError, ValueError, struct.error: it is damaged.
    """
    definition = struct.Struct(f"{order}HHHHIII")
    own = struct.Struct(f"{order}I")
    found = []
    at = 0
    for _ in range(min(count, _MOST)):
        _version, flags, _index, _names, _hash, first, following = definition.unpack_from(table, at)
        if not flags & _BASE:
            found.append(name(*own.unpack_from(table, at + first)))
        at += following
        if not following:
            break
    return tuple(found)
