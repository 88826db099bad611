"""Reading what an ELF file says of itself to a loader.

A few small structures are enough: the header, the program headers, the dynamic section and what it
points at. They are read here rather than by a library because every file of an image is asked, and
because a loader looks at no more than these either: sections are for linkers, and a stripped file
may have none.
https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html
"""

import struct
from collections.abc import Mapping, Sequence
from typing import BinaryIO, NamedTuple

from builder.elf.elf import KINDS, MAGIC, Elf, Kind, architecture_of
from builder.elf.versions import needed_versions, offered_versions

_HEADER = 64
_MOST_BYTES = 16 << 20  # of a table; more is damage
_LONGEST_NAME = 1 << 16
_VERSION_BYTES = 1 << 16  # far more than any library's
_DAMAGES = (struct.error, IndexError, KeyError, ValueError, OverflowError)

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK = 1, 2, 3, 0x6474E551
_PF_X = 1
_DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 1, 5, 10, 14, 15, 29
_DT_TEXTREL, _DT_FLAGS, _DT_FLAGS_1 = 22, 30, 0x6FFFFFFB
_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = (
    *(0x6FFFFFFC, 0x6FFFFFFD),
    *(0x6FFFFFFE, 0x6FFFFFFF),
)
_DF_TEXTREL, _DF_1_PIE = 0x4, 0x08000000
_STACK_IS_DATA = frozenset({"arm64", "loong64", "ppc64el", "riscv64"})
"""Where glibc takes a file that says nothing of the stack for one that does not execute it:
``DEFAULT_STACK_PERMS`` of its ``sysdeps/*/stackinfo.h``."""


class _Segment(NamedTuple):
    kind: int
    flags: int
    offset: int
    address: int
    size: int


class _Shape(NamedTuple):
    """Byte order and width of numbers, as ``struct`` writes them."""

    order: str
    number: str

    @property
    def is_wide(self) -> bool:
        return self.number == "Q"


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
    except _DAMAGES:
        return None


def _read(stream: BinaryIO, head: bytes) -> Elf:
    bits = {1: 32, 2: 64}[head[4]]
    little = {1: True, 2: False}[head[5]]
    shape = _Shape("<" if little else ">", {32: "I", 64: "Q"}[bits])
    kind, machine, _version, _entry, offset, _sections, flags, _size, entry_size, count = (
        struct.unpack_from(f"{shape.order}HHI{shape.number * 3}IHHH", head, 16)
    )
    segments = _segments(_at(stream, offset, entry_size * count), entry_size, count, shape)
    dynamic = next((s for s in segments if s.kind == _PT_DYNAMIC), None)
    interpreter = next((s for s in segments if s.kind == _PT_INTERP), None)
    tags = _tags(_at(stream, dynamic.offset, dynamic.size), shape) if dynamic else []
    section = _Dynamic(stream, segments, tags, shape.order)
    architecture = architecture_of(machine, bits, flags, little_endian=little)
    return Elf(
        bits=bits,
        little_endian=little,
        machine=machine,
        flags=flags,
        architecture=architecture,
        kind=KINDS[kind],
        is_dynamic=dynamic is not None,
        is_program=KINDS[kind] == "executable" or section.has_flag(_DT_FLAGS_1, _DF_1_PIE),
        # Tools that rewrite libraries leave empty ones.
        interpreter=(interpreter and _text(_at(stream, interpreter.offset, interpreter.size)))
        or None,
        soname=next(iter(section.names(_DT_SONAME)), None),
        needed=tuple(section.names(_DT_NEEDED)),
        rpath=_paths(section.names(_DT_RPATH)),
        runpath=_paths(section.names(_DT_RUNPATH)),
        needed_versions=section.needed_versions(),
        offered_versions=section.offered_versions(),
        executable_stack=_has_executable_stack(segments, KINDS[kind], architecture),
        text_relocations=section.has(_DT_TEXTREL) or section.has_flag(_DT_FLAGS, _DF_TEXTREL),
    )


class _Dynamic:
    """A dynamic section, and what its addresses stand for."""

    def __init__(
        self,
        stream: BinaryIO,
        segments: Sequence[_Segment],
        tags: Sequence[tuple[int, int]],
        order: str,
    ) -> None:
        self._stream = stream
        self._segments = segments
        self._order = order
        self._tags = tags
        self._values: Mapping[int, int] = dict(tags)
        self._strings = self._offset(self._values[_DT_STRTAB])[0] if tags else 0

    def has(self, tag: int) -> bool:
        return tag in self._values

    def has_flag(self, tag: int, flag: int) -> bool:
        return bool(self._values.get(tag, 0) & flag)

    def names(self, tag: int) -> list[str]:
        return [self.name(value) for key, value in self._tags if key == tag]

    def name(self, offset: int) -> str:
        """A string of its table, which is too long in some files to be read whole."""
        left = min(self._values[_DT_STRSZ] - offset, _LONGEST_NAME)
        if offset < 0 or left <= 0:
            raise ValueError("a name that is not in the table")
        self._stream.seek(self._strings + offset)
        data = self._stream.read(min(left, 256))
        if b"\0" not in data:
            data += self._stream.read(left - len(data))
        return _text(data[: data.index(b"\0")])

    def needed_versions(self) -> dict[str, tuple[str, ...]]:
        if _DT_VERNEED not in self._values:
            return {}
        table, count = self._table(_DT_VERNEED), self._values[_DT_VERNEEDNUM]
        return needed_versions(table, count, self._order, self.name)

    def offered_versions(self) -> tuple[str, ...]:
        if _DT_VERDEF not in self._values:
            return ()
        table, count = self._table(_DT_VERDEF), self._values[_DT_VERDEFNUM]
        return offered_versions(table, count, self._order, self.name)

    def _table(self, tag: int) -> bytes:
        offset, size = self._offset(self._values[tag])
        self._stream.seek(offset)
        return self._stream.read(min(size, _VERSION_BYTES))

    def _offset(self, address: int) -> tuple[int, int]:
        """Where in the file an address is, and how many bytes of its segment follow."""
        for segment in self._segments:
            at = address - segment.address
            if segment.kind == _PT_LOAD and 0 <= at < segment.size:
                return at + segment.offset, segment.size - at
        raise ValueError("an address in no segment")


def _at(stream: BinaryIO, offset: int, size: int) -> bytes:
    if size > _MOST_BYTES:
        raise ValueError(f"a table of {size} bytes")
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise ValueError("truncated")
    return data


def _segments(table: bytes, size: int, count: int, shape: _Shape) -> list[_Segment]:
    # Flags come earlier in the wide kind, for the sake of alignment.
    row = struct.Struct(f"{shape.order}{'IIQQQQ' if shape.is_wide else 'IIIIIII'}")
    segments = []
    for index in range(count):
        fields = row.unpack_from(table, index * size)
        if shape.is_wide:
            kind, flags, offset, address, _physical, length = fields
        else:
            kind, offset, address, _physical, length, _memory, flags = fields
        segments.append(_Segment(kind, flags, offset, address, length))
    return segments


def _tags(table: bytes, shape: _Shape) -> list[tuple[int, int]]:
    pair = struct.Struct(f"{shape.order}{shape.number * 2}")
    tags: list[tuple[int, int]] = []
    for tag, value in pair.iter_unpack(table[: len(table) // pair.size * pair.size]):
        if not tag:
            break
        tags.append((tag, value))
    return tags


def _has_executable_stack(
    segments: Sequence[_Segment], kind: Kind, architecture: str | None
) -> bool:
    if kind not in {"executable", "shared"} or not segments:
        return False
    stack = next((s for s in segments if s.kind == _PT_GNU_STACK), None)
    if stack is None:
        return architecture is not None and architecture not in _STACK_IS_DATA
    return bool(stack.flags & _PF_X)


def _text(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _paths(values: list[str]) -> tuple[str, ...]:
    return tuple(part for value in values for part in value.split(":"))
