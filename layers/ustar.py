"""The header block of an entry that needs no more than POSIX.1-1988 has.

Nearly every entry is such a one, and the library takes as long for its header as a disk for its
content. It stays the authority: what it writes for an entry is what stands here, byte for byte.
https://pubs.opengroup.org/onlinepubs/9699919799/utilities/pax.html#tag_20_92_13_06
"""

import struct
from functools import lru_cache
from typing import assert_never

from layers.entries import DirEntry, Entry, FileEntry, HardLinkEntry, SymlinkEntry, WhiteoutEntry

MTIME = 315_532_801
"""1980-01-01T00:00:01Z. Not the epoch: zip files begin in 1980, and programs that zip what they
find in their image would fail on anything older. Buildpacks chose the same second."""

# Name; mode, uid and gid; size; mtime; checksum; typeflag; linkname; magic and version; prefix.
# Before the prefix the names of owners and the device numbers are empty.
_FIELDS = struct.Struct("100s 24s 11sx 11sx 6sxc c 100s 8s 80x 155s 12x")
_NAME, _PREFIX = 100, 155
_MAX_ID, _MAX_SIZE = 0o7777777, 0o77777777777
_TIME = b"%011o" % MTIME
_MAGIC = b"ustar\x0000"
_SPACES = 8 * 0x20
"""What the checksum's own bytes count for in it."""

_Fixed = tuple[bytes, bytes, int]
"""Type, the fields of mode and owner, and what all bytes that do not change add up to."""


def plain_header(entry: Entry) -> bytes | None:
    """A block of 512 bytes, or None for a name, size or owner that it cannot say."""
    match entry:
        case FileEntry():
            fixed = _fixed(b"0", entry.mode, entry.owner.uid, entry.owner.gid)
            return _block(entry.path, fixed, size=entry.size)
        case DirEntry():
            fixed = _fixed(b"5", entry.mode, entry.owner.uid, entry.owner.gid)
            return _block(f"{entry.path}/", fixed)
        case SymlinkEntry():
            fixed = _fixed(b"2", 0o777, entry.owner.uid, entry.owner.gid)
            return _block(entry.path, fixed, link=entry.target)
        case HardLinkEntry():
            fixed = _fixed(b"1", entry.mode, entry.owner.uid, entry.owner.gid)
            return _block(entry.path, fixed, link=entry.target)
        case WhiteoutEntry():
            return None
        case _:
            assert_never(entry)


@lru_cache(maxsize=256)
def _fixed(kind: bytes, mode: int, uid: int, gid: int) -> _Fixed | None:
    if max(uid, gid) > _MAX_ID:
        return None
    fields = b"%07o\0%07o\0%07o\0" % (mode, uid, gid)
    return kind, fields, sum(kind) + sum(fields) + sum(_TIME) + sum(_MAGIC) + _SPACES


def _block(path: str, fixed: _Fixed | None, *, size: int = 0, link: str = "") -> bytes | None:
    if fixed is None or not (path.isascii() and link.isascii()):
        return None
    if size > _MAX_SIZE or len(link) > _NAME:
        return None
    name, prefix = path.encode(), b""
    if len(name) > _NAME:
        cut = name.find(b"/", len(name) - _NAME - 1, _PREFIX + 1)
        if cut < 0:
            return None
        name, prefix = name[cut + 1 :], name[:cut]
    kind, fields, constant = fixed
    digits, target = b"%011o" % size, link.encode()
    checksum = b"%06o" % (constant + sum(name) + sum(digits) + sum(target) + sum(prefix))
    return _FIELDS.pack(name, fields, digits, _TIME, checksum, b" ", kind, target, _MAGIC, prefix)
