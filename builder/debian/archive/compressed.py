"""Indexes as archives compress them, unpacked piece by piece."""

import lzma
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, Protocol

from builder.errors import ArchiveError
from layers.digest import CHUNK

SUFFIXES = (".xz", ".gz", "")
"""What names of indexes may end in, the smallest file first."""

_XZ_MEMORY = 256 << 20
"""Four times what xz takes at its highest level."""

_GZIP = 31
"""zlib's number for a gzip header, any window."""


class Decompressed:
    """The content of a compressed stream; never more of it in memory than one piece.

    Args:
        stream: what is compressed; it is read to its end, so whoever verifies it there can.
        suffix: one of ``SUFFIXES``.
        what: the file, for messages.
    """

    def __init__(self, stream: BinaryIO, suffix: str, what: str) -> None:
        pieces = iter(lambda: stream.read(CHUNK), b"")
        self._stream = stream
        start = _STARTS[suffix]
        self._pieces = _unpack(pieces, start) if start else pieces
        self._what = what
        self._left = b""

    def read(self, size: int = CHUNK) -> bytes:
        """At most ``size`` bytes, none at the end.

        Raises:
            ArchiveError: the stream is damaged, or ends too early.
        """
        try:
            self._left = self._left or next(self._pieces, b"")
        except (lzma.LZMAError, zlib.error, EOFError, MemoryError) as error:
            raise ArchiveError(f"{self._what} cannot be unpacked: {error}") from None
        taken, self._left = self._left[:size], self._left[size:]
        return taken

    def close(self) -> None:
        """Close what is read."""
        self._stream.close()


class _Decompressor(Protocol):
    """Unpacks one stream; the next one may follow it."""

    @property
    def eof(self) -> bool: ...

    @property
    def needs_input(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class _Gzip:
    """zlib's decompressor, to be used as that of xz is."""

    def __init__(self) -> None:
        self._inner = zlib.decompressobj(_GZIP)
        self._has_more = False

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._has_more

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int, /) -> bytes:
        unpacked = self._inner.decompress(self._inner.unconsumed_tail + data, max_length)
        self._has_more = len(unpacked) == max_length or bool(self._inner.unconsumed_tail)
        return unpacked


def _xz() -> lzma.LZMADecompressor:
    return lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)


_STARTS: dict[str, Callable[[], _Decompressor] | None] = {".xz": _xz, ".gz": _Gzip, "": None}


def _unpack(pieces: Iterator[bytes], start: Callable[[], _Decompressor]) -> Iterator[bytes]:
    data = next(pieces, b"")
    if not data:
        raise EOFError("it is empty")
    while data:
        decompressor = start()
        while not decompressor.eof:
            if not data and decompressor.needs_input:
                data = next(pieces, b"")
                if not data:
                    raise EOFError("it ends too early")
            unpacked = decompressor.decompress(data, CHUNK)
            data = b""
            if unpacked:
                yield unpacked
        data = decompressor.unused_data or next(pieces, b"")
