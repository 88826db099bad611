"""The headers of a tar that stand before a member's own: long names, PAX records, sparse maps.

The library that reads tars holds them in memory, whatever size they claim.
https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_03
"""

import tarfile  # noqa: TID251 - a tar that other tools wrote is read here
from typing import BinaryIO

from builder.errors import PackageError

BLOCK = 512
_MAX = 1 << 20  # bytes; Linux takes no path above 4096
_TYPE = slice(156, 157)
_GLOBAL = b"g"
_NAMES = {
    b"x": "PAX records",
    b"X": "PAX records",
    _GLOBAL: "PAX records for all members",
    b"L": "a long name",
    b"K": "a long target of a link",
}
_SPARSE_TYPE = b"S"
_SPARSE_MAP = b"GNU.sparse.major="  # the format whose map stands with the content


class HeaderGuard:
    """Looks at the headers of one tar before the library reads them.

    Args:
        file: the tar; its position is kept.
        place: for messages: package and tar.
    """

    def __init__(self, file: BinaryIO, place: str) -> None:
        self._file = file
        self._place = place
        self._global = 0

    def check(self, offset: int) -> None:
        """Check what stands before the next member.

        Args:
            offset: of its first header, in bytes.

        Raises:
            PackageError: it is larger than any name needs, or of a sparse file.
        """
        before = self._file.tell()
        self._file.seek(offset)
        total, is_sparse = self._global, False
        while (block := self._file.read(BLOCK))[_TYPE] in _NAMES:
            name, size = _name_and_size(block)
            total += size
            if size < 0 or total > _MAX:
                raise PackageError(
                    f"{self._place}: {name} at byte {offset} is {_NAMES[block[_TYPE]]} of {size} "
                    f"bytes; expected at most {_MAX} bytes of such before a member"
                )
            self._global += size if block[_TYPE] == _GLOBAL else 0
            data = self._file.read(-(-size // BLOCK) * BLOCK)
            is_sparse |= _SPARSE_MAP in data
            offset += BLOCK + len(data)
        if is_sparse or block[_TYPE] == _SPARSE_TYPE:
            raise PackageError(
                f"{self._place}: {_name_and_size(block)[0]} is a sparse file; a package may ship "
                f"files, directories and links"
            )
        self._file.seek(before)


def _name_and_size(block: bytes) -> tuple[str, int]:
    """What a header says; nothing when it cannot be read."""
    try:
        info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
    except tarfile.HeaderError:
        return "", 0
    return info.name, info.size
