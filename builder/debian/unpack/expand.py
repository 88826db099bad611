"""The members of a ``.deb`` decompressed, without trust in what they claim."""

import lzma
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, cast

from builder.debian.unpack.ar import Part
from builder.errors import PackageError
from layers.compress import TAR_GZIP, TAR_ZSTD, decompressed
from layers.digest import CHUNK, Sink

MAX_CONTROL = 64 << 20
"""Bytes. Nearly all of it are md5 sums: 13 MB for the 116,000 files of papirus-icon-theme, which
has more than any other package of Debian 12."""

MAX_DATA = 20 << 30
"""Bytes. No package of Debian comes near: a ``.deb`` cannot hold a member of 10 GB."""

_MAX_RATIO = 1000
_SMALL = 64 << 20
"""Above so many bytes a ratio counts. Of the 63,000 packages of Debian 12, none of more than
32 MiB is 250 times as large unpacked as packed; bombs begin at 1000 (gzip) and go far above."""

_MAX_DICTIONARY = 256 << 20
"""Bytes of memory for xz: its highest preset takes 65 MiB, a header can ask for 4 GiB."""

_DAMAGES = (lzma.LZMAError, OSError, EOFError)


def expand(part: Part, suffix: str, sink: Sink, *, package: str, limit: int) -> None:
    """Decompress a member to its end.

    Args:
        part: the member.
        suffix: of its name: ``.xz``, ``.gz``, ``.zst``, or nothing.
        sink: where its bytes go; incomplete when this raises.
        package: for messages.
        limit: bytes that it may have.

    Raises:
        PackageError: its compression is another than its name says, is damaged or not known, or
            it grows beyond all measure.
    """
    reader = _READERS.get(suffix)
    if reader is None:
        raise PackageError(
            f"{package}: {part.name} is compressed in a way that is not supported; "
            f"expected .xz, .zst, .gz or nothing"
        )
    limit = min(limit, max(_SMALL, _MAX_RATIO * part.size))
    size = 0
    for data in _told(reader(part), part, package):
        size += len(data)
        if size > limit:
            raise PackageError(
                f"{package}: {part.name} has {part.size} bytes and grows beyond {limit} when it "
                f"is unpacked; no honest package does"
            )
        sink.write(data)


def _told(chunks: Iterator[bytes], part: Part, package: str) -> Iterator[bytes]:
    """What the library for a format says of damage, said of the package."""
    try:
        yield from chunks
    except _DAMAGES as error:
        raise PackageError(f"{package}: {part.name} cannot be decompressed: {error}") from error


def _plain(part: Part) -> Iterator[bytes]:
    return iter(lambda: part.read(CHUNK), b"")


def _gzip(part: Part) -> Iterator[bytes]:
    stream = decompressed(cast("BinaryIO", part), TAR_GZIP)
    return iter(lambda: stream.read(CHUNK), b"")


def _zstd(part: Part) -> Iterator[bytes]:
    stream = decompressed(cast("BinaryIO", part), TAR_ZSTD)
    return iter(lambda: stream.read(CHUNK), b"")


def _xz(part: Part) -> Iterator[bytes]:
    """One stream or several, as multi-threaded compressors write."""
    packed = part.read(CHUNK)
    while packed:
        stream = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_MAX_DICTIONARY)
        while not stream.eof:
            if stream.needs_input and not packed:
                packed = part.read(CHUNK)
                if not packed:
                    raise EOFError("it ends before its end marker")
            yield stream.decompress(packed, CHUNK)
            packed = b""
        packed = stream.unused_data or part.read(CHUNK)


_READERS: Mapping[str, Callable[[Part], Iterator[bytes]]] = {
    "": _plain,
    ".gz": _gzip,
    ".xz": _xz,
    ".zst": _zstd,
}
