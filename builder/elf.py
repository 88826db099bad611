"""What an ELF file says of itself to a loader.

Four small structures are enough: the header, the program headers, the dynamic section and the
strings that it names. They are read here rather than by a library because every file of an image
is asked, and because a loader looks at no more than these either: sections are for linkers, and a
stripped file may have none.
https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import BinaryIO, Literal

MAGIC = b"\x7fELF"
_HEADER = 64
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_FLAGS_1 = 1, 5, 10, 14, 15, 0x6FFFFFFB
_DT_RUNPATH = 29
_DF_1_PIE = 0x08000000
_EF_ARM_HARD_FLOAT = 0x400
_MOST_BYTES = 16 << 20  # of a table; more is damage

Kind = Literal["relocatable", "executable", "shared", "core"]
_KINDS: Mapping[int, Kind] = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}

# Debian's names: https://wiki.debian.org/ArchitectureSpecificsMemo
_ARCHITECTURES = {
    (3, 32, True): "i386",
    (8, 32, True): "mipsel",
    (8, 64, True): "mips64el",
    (21, 64, True): "ppc64el",
    (21, 64, False): "ppc64",
    (22, 64, False): "s390x",
    (62, 64, True): "amd64",
    (62, 32, True): "x32",
    (183, 64, True): "arm64",
    (243, 64, True): "riscv64",
    (258, 64, True): "loong64",
}
_ARM = (40, 32, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """The facts that a loader goes by.

    Attributes:
        bits: 32 or 64.
        little_endian: its byte order.
        machine: ``e_machine``.
        flags: ``e_flags``.
        architecture: Debian's name for what runs it; None for one that Debian does not have.
        kind: of file; a position-independent program is ``shared``, as a library is.
        is_dynamic: whether it has a dynamic section: a static program has none.
        is_program: whether it is meant to be started, not loaded by another.
        interpreter: absolute path of the loader it asks for.
        soname: what those that are linked with it ask for.
        needed: sonames, in order.
        rpath: directories with ``$ORIGIN`` and the like as written; ``runpath`` overrides it.
        runpath: the same.
    """

    bits: int
    little_endian: bool
    machine: int
    flags: int
    architecture: str | None
    kind: Kind
    is_dynamic: bool = False
    is_program: bool = False
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


def read_elf(stream: BinaryIO) -> Elf | None:
    """Read a file's headers and its dynamic section.

    Args:
        stream: of the whole file, seekable; it is left anywhere.

    Returns:
        None for what is no ELF file, or one so damaged that no loader would take it.
    """
    stream.seek(0)
    head = stream.read(_HEADER)
    if head[:4] != MAGIC:
        return None
    try:
        return _read(stream, head)
    except (struct.error, IndexError, KeyError, ValueError, OverflowError):
        return None


def _read(stream: BinaryIO, head: bytes) -> Elf:
    bits = {1: 32, 2: 64}[head[4]]
    little = {1: True, 2: False}[head[5]]
    order = "<" if little else ">"
    number = "I" if bits == 32 else "Q"  # noqa: PLR2004 - the other is 64
    kind, machine, _version, _entry, offset, _sections, flags, _size, entry_size, count = (
        struct.unpack_from(f"{order}HHI{number}{number}{number}IHHH", head, 16)
    )
    segments = _segments(_at(stream, offset, entry_size * count), entry_size, count, order, bits)
    dynamic = next((s for s in segments if s.kind == _PT_DYNAMIC), None)
    interpreter = next((s for s in segments if s.kind == _PT_INTERP), None)
    tags = _tags(_at(stream, dynamic.offset, dynamic.size), order + number) if dynamic else []
    strings = _Strings(_string_table(stream, segments, dict(tags)) if tags else b"")
    named = {tag: [strings[value] for t, value in tags if t == tag] for tag in _NAMED}
    is_pie = any(tag == _DT_FLAGS_1 and value & _DF_1_PIE for tag, value in tags)
    return Elf(
        bits=bits,
        little_endian=little,
        machine=machine,
        flags=flags,
        architecture=_architecture(machine, bits, flags, little_endian=little),
        kind=_KINDS[kind],
        is_dynamic=dynamic is not None,
        is_program=_KINDS[kind] == "executable" or is_pie,
        interpreter=_text(_at(stream, interpreter.offset, interpreter.size))
        if interpreter
        else None,
        soname=next(iter(named[_DT_SONAME]), None),
        needed=tuple(named[_DT_NEEDED]),
        rpath=_paths(named[_DT_RPATH]),
        runpath=_paths(named[_DT_RUNPATH]),
    )


_NAMED = (_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH)


class _Strings:
    """A string table: an offset is where a name starts, a NUL ends it."""

    def __init__(self, table: bytes) -> None:
        self._table = table

    def __getitem__(self, offset: int) -> str:
        return _text(self._table[offset : self._table.index(b"\0", offset)])


def _at(stream: BinaryIO, offset: int, size: int) -> bytes:
    if size > _MOST_BYTES:
        raise ValueError(f"a table of {size} bytes")
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("truncated")
    return data


def _segments(table: bytes, size: int, count: int, order: str, bits: int) -> list[_Segment]:
    segments = []
    for index in range(count):
        if bits == 64:  # noqa: PLR2004
            kind, _flags, offset, address, _physical, length = struct.unpack_from(
                f"{order}IIQQQQ", table, index * size
            )
        else:
            kind, offset, address, _physical, length = struct.unpack_from(
                f"{order}IIIII", table, index * size
            )
        segments.append(_Segment(kind=kind, offset=offset, address=address, size=length))
    return segments


def _tags(table: bytes, number: str) -> list[tuple[int, int]]:
    pair = struct.Struct(f"{number[0]}{number[1]}{number[1]}")
    tags: list[tuple[int, int]] = []
    for tag, value in pair.iter_unpack(table[: len(table) // pair.size * pair.size]):
        if not tag:
            break
        tags.append((tag, value))
    return tags


def _string_table(stream: BinaryIO, segments: list[_Segment], tags: Mapping[int, int]) -> bytes:
    address = tags[_DT_STRTAB]
    for segment in segments:
        if segment.kind == _PT_LOAD and 0 <= address - segment.address < segment.size:
            return _at(stream, address - segment.address + segment.offset, tags[_DT_STRSZ])
    raise ValueError("its strings are in no segment")


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _paths(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":"))


def _architecture(machine: int, bits: int, flags: int, *, little_endian: bool) -> str | None:
    if (machine, bits, little_endian) == _ARM:
        return "armhf" if flags & _EF_ARM_HARD_FLOAT else "armel"
    return _ARCHITECTURES.get((machine, bits, little_endian))
