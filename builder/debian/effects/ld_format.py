"""``/etc/ld.so.cache``, as glibc 2.32 and later write and read it.

A header, entries of 24 bytes, strings that share their tails, and an extension that names the
writer. https://sourceware.org/git/?p=glibc.git;a=blob;f=sysdeps/generic/dl-cache.h
"""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from builder.errors import PackageError

_MAGIC = b"glibc-ld.so.cache1.1"
_EXTENSION_MAGIC = 0xEAA42174
_GENERATOR = 0
_LITTLE, _BIG = 2, 3
_HEADER = "20sIIB3xI12x"
_ENTRY = "iIIIQ"
_EXTENSION_SECTION = "IIII"
_TOKEN = re.compile(r"[0-9]+|[^0-9]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Library:
    """One entry of the cache.

    Attributes:
        soname: what programs ask for.
        path: absolute in-image path, as its directory is written in ``ld.so.conf``.
        flags: the kind of library; the low byte is 3 for glibc's own, above it the ABI.
    """

    soname: str
    path: str
    flags: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cache:
    """The libraries that a loader finds by name, and who wrote them down."""

    libraries: tuple[Library, ...] = ()
    generator: str = ""


def sort_key(name: str) -> tuple[tuple[int, int], ...]:
    """Names in the loader's order: numbers by value, and after every other character.

    The loader searches by bisection with this very order (``_dl_cache_libcmp``).
    """
    return tuple(
        (1, int(token)) if token.isdigit() else (0, ord(token)) for token in _TOKEN.findall(name)
    )


def encode(libraries: Iterable[Library], *, generator: str, little_endian: bool = True) -> bytes:
    """The bytes of a cache.

    Args:
        libraries: in the order of their directories: among equals the first is found first.
        generator: what ``ldconfig`` says of itself.
        little_endian: the target's byte order.
    """
    order = "<" if little_endian else ">"
    ordered = sorted(libraries, key=lambda one: (sort_key(one.soname), one.flags), reverse=True)
    start = struct.calcsize(order + _HEADER) + len(ordered) * struct.calcsize(order + _ENTRY)
    offsets, table = _string_table({text for one in ordered for text in (one.soname, one.path)})
    entries = b"".join(
        struct.pack(
            order + _ENTRY, one.flags, start + offsets[one.soname], start + offsets[one.path], 0, 0
        )
        for one in ordered
    )
    end = start + len(table)
    extension = end + -end % 4
    header = struct.pack(
        order + _HEADER,
        _MAGIC,
        len(ordered),
        len(table),
        _LITTLE if little_endian else _BIG,
        extension,
    )
    padding = bytes(extension - end)
    return header + entries + table + padding + _extension(generator.encode(), extension, order)


def _extension(generator: bytes, offset: int, order: str) -> bytes:
    head = struct.calcsize(order + "II") + struct.calcsize(order + _EXTENSION_SECTION)
    return (
        struct.pack(order + "II", _EXTENSION_MAGIC, 1)
        + struct.pack(order + _EXTENSION_SECTION, _GENERATOR, 0, offset + head, len(generator))
        + generator
    )


def _string_table(texts: set[str]) -> tuple[dict[str, int], bytes]:
    """Strings ended by NUL, by their reversal from the last on; one that ends another is in it."""
    encoded = {text: text.encode("utf-8", "surrogateescape") for text in texts}
    offsets: dict[str, int] = {}
    table = b""
    previous = b""
    start = 0
    for text in sorted(texts, key=lambda one: encoded[one][::-1], reverse=True):
        data = encoded[text]
        if table and previous.endswith(data):
            start += len(previous) - len(data)
        else:
            start = len(table)
            table += data + b"\0"
        offsets[text] = start
        previous = data
    return offsets, table


def decode(data: bytes) -> Cache:
    """Read a cache; variants for special processors are left out.

    Before glibc 2.32 the format was written behind an older one.

    Raises:
        PackageError: it is damaged, or of the older format alone.
    """
    data = data[max(data.find(_MAGIC), 0) :]
    order = ">" if data[28:29] == bytes([_BIG]) else "<"
    try:
        _check(data)
        _, count, _, _, extension = struct.unpack_from(order + _HEADER, data)
        size = struct.calcsize(order + _ENTRY)
        end = struct.calcsize(order + _HEADER) + count * size
        entries = struct.iter_unpack(
            order + _ENTRY, data[struct.calcsize(order + _HEADER) : _within(end, data)]
        )
        libraries = tuple(
            Library(soname=_string(data, key), path=_string(data, value), flags=flags)
            for flags, key, value, _, hwcap in entries
            if not hwcap
        )
        return Cache(libraries=libraries, generator=_generator(data, extension, order))
    except (ValueError, struct.error) as error:
        raise PackageError(f"/etc/ld.so.cache of the base cannot be read: {error}") from error


def _check(data: bytes) -> None:
    if not data.startswith(_MAGIC):
        raise ValueError("it is not in the format of glibc 2.2 and later")


def _within(offset: int, data: bytes) -> int:
    if offset > len(data):
        raise ValueError("truncated")
    return offset


def _string(data: bytes, start: int) -> str:
    return data[start : data.index(b"\0", start)].decode("utf-8", "surrogateescape")


def _generator(data: bytes, offset: int, order: str) -> str:
    if not offset:
        return ""
    magic, count = struct.unpack_from(order + "II", data, offset)
    if magic != _EXTENSION_MAGIC:
        raise ValueError("its extension is damaged")
    for tag, _, start, size in _sections(data, offset + 8, count, order):
        if tag == _GENERATOR:
            return data[start : _within(start + size, data)].decode()
    return ""


def _sections(data: bytes, start: int, count: int, order: str) -> Sequence[tuple[int, ...]]:
    size = struct.calcsize(order + _EXTENSION_SECTION)
    end = _within(start + count * size, data)
    return list(struct.iter_unpack(order + _EXTENSION_SECTION, data[start:end]))
