"""Programs without what only a debugger reads, as ``strip`` leaves them, on any machine.

A loader reads segments. Sections that are no part of one (symbols, debug information, the
compiler's comment) come after them in the file and can be cut off; the section headers of the rest
are written anew, for tools that look sections up by name.
https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.sheader.html
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from builder.elf import MAGIC

_ELF64_LITTLE = MAGIC + b"\x02\x01"
_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SEGMENT = struct.Struct("<IIQQQQQQ")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_ALIGNMENT = 8
_NAMES = b".shstrtab\0"

# sh_type and sh_flags.
_NULL, _STRTAB, _NOBITS = 0, 3, 8
_RELOCATIONS = frozenset({4, 9})
_ALLOC, _INFO_LINK = 0x2, 0x40
_EXECUTABLE, _SHARED = 2, 3


@dataclass(frozen=True, slots=True)
class _Header:
    """The file header; names are the specification's, without their ``e_``."""

    ident: bytes
    type: int
    machine: int
    version: int
    entry: int
    phoff: int
    shoff: int
    flags: int
    ehsize: int
    phentsize: int
    phnum: int
    shentsize: int
    shnum: int
    shstrndx: int

    @classmethod
    def read(cls, data: bytes) -> Self:
        return cls(*_HEADER.unpack_from(data))

    def write(self) -> bytes:
        return _HEADER.pack(*(getattr(self, name) for name in self.__slots__))


@dataclass(frozen=True, slots=True)
class _Section:
    """A section header; names are the specification's, without their ``sh_``."""

    name: int
    type: int
    flags: int
    addr: int
    offset: int
    size: int
    link: int
    info: int
    addralign: int
    entsize: int

    @property
    def is_loaded(self) -> bool:
        return bool(self.flags & _ALLOC)

    @property
    def end(self) -> int:
        """Where its bytes end in the file."""
        return self.offset + (0 if self.type == _NOBITS else self.size)

    @property
    def info_is_index(self) -> bool:
        """Whether ``info`` is the number of a section."""
        return bool(self.flags & _INFO_LINK) or self.type in _RELOCATIONS

    def write(self) -> bytes:
        return _SECTION.pack(*(getattr(self, name) for name in self.__slots__))


def stripped(data: bytes) -> bytes:
    """A program or shared library without its debug information and symbol table.

    What programs link to and debuggers cannot do without (dynamic symbols, build id) stays. Other
    files than 64-bit little-endian programs, and those that hold sections in an unusual way, are
    returned as they are.
    """
    if not data.startswith(_ELF64_LITTLE):
        return data
    try:
        return _stripped(data)
    except (struct.error, IndexError, ValueError):
        return data  # damaged: that is for whoever loads it to find out


def _stripped(data: bytes) -> bytes:
    header = _Header.read(data)
    sections = _sections(header, data)
    if header.type not in {_EXECUTABLE, _SHARED} or not sections:
        return data
    names = sections[header.shstrndx]
    strings = data[names.offset : names.end]
    kept = [0, *(n for n, section in enumerate(sections) if n and section.is_loaded)]
    end = max(_segments_end(header, data), *(sections[n].end for n in kept))
    if end > len(data):
        return data
    return _rebuilt(header, data[:end], [sections[n] for n in kept], kept, strings)


def _sections(header: _Header, data: bytes) -> list[_Section]:
    """The section headers; none when they are not where, or what, they are elsewhere."""
    end = header.shoff + header.shnum * _SECTION.size
    usual = header.shentsize == _SECTION.size and header.phentsize == _SEGMENT.size
    if not usual or end > len(data) or not 0 < header.shstrndx < header.shnum:
        return []
    return [_Section(*fields) for fields in _SECTION.iter_unpack(data[header.shoff : end])]


def _segments_end(header: _Header, data: bytes) -> int:
    end = header.phoff + header.phnum * _SEGMENT.size
    segments = _SEGMENT.iter_unpack(data[header.phoff : end])
    ends: list[int] = [offset + size for _, _, offset, _, _, size, _, _ in segments]
    return max(end, *ends)


def _rebuilt(
    header: _Header, loaded: bytes, sections: Sequence[_Section], kept: list[int], names: bytes
) -> bytes:
    """The part of the file that is loaded, then names and headers of its sections."""
    number = {old: new for new, old in enumerate(kept)}
    table = bytearray(b"\0")
    headers = []
    for section in sections:
        name = names[section.name : names.index(b"\0", section.name) + 1] if section.type else b"\0"
        placed = replace(
            section,
            name=len(table) if len(name) > 1 else 0,
            link=number.get(section.link, 0),
            info=number.get(section.info, 0) if section.info_is_index else section.info,
        )
        headers.append(placed)
        table += name if len(name) > 1 else b""
    own = _Section(len(table), _STRTAB, 0, 0, len(loaded), len(table) + len(_NAMES), 0, 0, 1, 0)
    table += _NAMES
    body = loaded + table
    body += bytes(-len(body) % _ALIGNMENT)
    written = replace(header, shoff=len(body), shnum=len(headers) + 1, shstrndx=len(headers))
    rows = b"".join(section.write() for section in (*headers, own))
    return written.write() + body[_HEADER.size :] + rows
