"""How a layer's tar is compressed, and read again.

A codec's library, its version and its level decide the bytes, so they are part of a codec's
identity and of every key that a layer is cached under. What each library's bytes depend on was
measured: see docs/decisions.md, "Which deflate".

A blob may take in fragments that were compressed before. Of gzip that makes no second member, which
some readers never get to: a full flush ends a fragment at a byte and with nothing to look back at,
so raw deflate fragments follow one another under one header and one trailer, as pigz has them.
https://www.rfc-editor.org/rfc/rfc1951#section-3.2.4
"""

import gzip
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, Protocol, Self, cast

from layers.digest import Sink
from layers.errors import LayerError
from layers.expand import Expander, expander_of
from layers.libraries import zlib_ng, zstd

TAR = "application/vnd.oci.image.layer.v1.tar"
TAR_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
TAR_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
DOCKER_TAR = "application/vnd.docker.image.rootfs.diff.tar"
DOCKER_TAR_GZIP = f"{DOCKER_TAR}.gzip"
DOCKER_TAR_ZSTD = f"{DOCKER_TAR}.zstd"

_GZIP_LEVEL = 3
_ZSTD_LEVEL = 3
# RFC 1952: magic, deflate, no flags, no time, no extra flags, "unknown" operating system. Written
# out because Python's own gzip writer changed these bytes between versions.
_GZIP_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


class Compressor(Protocol):
    """A sink that must be closed: only then are all bytes written."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""
        ...

    def close(self) -> None:
        """Write what is left; the underlying sink stays open."""
        ...


class BlobCompressor(Compressor, Protocol):
    """A compressor of a whole blob, of which fragments may be a part."""

    def splice(self, fragment: Iterable[bytes], /, *, crc: int, size: int) -> None:
        """Take what a compressor of ``Codec.fragment`` wrote, as it is.

        Args:
            fragment: its bytes, in order.
            crc: CRC-32 of what is inside.
            size: of what is inside, in bytes.
        """
        ...


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to compress: ``gzip``, ``zstd`` or ``none``."""

    name: str
    media_type: str

    @property
    def identity(self) -> str:
        """Name, library version and level: what the compressed bytes depend on."""
        return f"{self.name}/{_library(self.name)}"

    def open(self, sink: Sink) -> BlobCompressor:
        """A compressor that writes a whole blob to ``sink``."""
        if self.name == "gzip":
            return _Gzip(sink)
        return _Zstd(sink) if self.name == "zstd" else _Plain(sink)

    def fragment(self, sink: Sink) -> Compressor:
        """A compressor that writes a fragment, to stand in a blob after and before anything."""
        return _Deflate(sink) if self.name == "gzip" else self.open(sink)

    def expander(self) -> Expander:
        """What finds out what is inside of one fragment."""
        return expander_of(self.name)


GZIP = Codec("gzip", TAR_GZIP)
ZSTD = Codec("zstd", TAR_ZSTD)
PLAIN = Codec("none", TAR)
CODECS = {codec.name: codec for codec in (GZIP, ZSTD, PLAIN)}


@cache
def _library(name: str) -> str:
    if name == "gzip":
        return f"zlib-ng-{zlib_ng().ZLIBNG_VERSION}/{_GZIP_LEVEL}"
    if name == "zstd":
        return f"zstd-{zstd().zstd_version}/{_ZSTD_LEVEL}"
    return "1"


class _Plain:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> object:
        return self._sink.write(data)

    def splice(self, fragment: Iterable[bytes], **_: int) -> None:
        for data in fragment:
            self._sink.write(data)

    def close(self) -> None:
        """Nothing is held back."""


class _Deflate:
    """A raw deflate stream without an end: a full flush leaves it at a byte, with no memory."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._stream = _deflate()

    def write(self, data: bytes) -> None:
        self._sink.write(self._stream.compress(data))

    def close(self) -> None:
        self._sink.write(self._stream.flush(zlib_ng().Z_FULL_FLUSH))


class _Gzip:
    """One gzip member around a raw deflate stream."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._stream: Any = None
        self._crc = 0
        self._size = 0
        sink.write(_GZIP_HEADER)

    def write(self, data: bytes) -> None:
        if not data:
            return  # or a flush would follow nothing
        self._crc = crc32(data, self._crc)
        self._size += len(data)
        self._stream = self._stream or _deflate()
        self._sink.write(self._stream.compress(data))

    def splice(self, fragment: Iterable[bytes], *, crc: int, size: int) -> None:
        if self._stream:
            self._sink.write(self._stream.flush(zlib_ng().Z_FULL_FLUSH))
            self._stream = None
        for data in fragment:
            self._sink.write(data)
        self._crc = zlib_ng().crc32_combine(self._crc, crc, size)
        self._size += size

    def close(self) -> None:
        self._sink.write((self._stream or _deflate()).flush())
        self._sink.write(self._crc.to_bytes(4, "little"))
        self._sink.write((self._size & 0xFFFFFFFF).to_bytes(4, "little"))


def crc32(data: bytes, crc: int = 0) -> int:
    """CRC-32 of what ``crc`` is of, and ``data``."""
    return cast("int", zlib_ng().crc32(data, crc))


def _deflate() -> Any:
    return zlib_ng().compressobj(_GZIP_LEVEL, zlib_ng().DEFLATED, -zlib_ng().MAX_WBITS)


class _Zstd:
    """A frame, and one for each fragment; never with worker threads, whose output differs."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._frame: Any = None

    def write(self, data: bytes) -> None:
        if not data:
            return  # or a frame would stand for nothing
        self._frame = self._frame or _zstd_frame()
        self._sink.write(self._frame.compress(data))

    def splice(self, fragment: Iterable[bytes], **_: int) -> None:
        if self._frame:
            self.close()
            self._frame = None
        for data in fragment:
            self._sink.write(data)

    def close(self) -> None:
        self._sink.write((self._frame or _zstd_frame()).flush())


def _zstd_frame() -> Any:
    return zstd().ZstdCompressor(level=_ZSTD_LEVEL)


class _Decompressed:
    """A decompressing stream; each library has a name of its own for damage, here it is OSError."""

    def __init__(self, stream: Any, damage: type[Exception]) -> None:
        self._stream = stream
        self._damage = damage

    def read(self, size: int = -1) -> bytes:
        try:
            return cast("bytes", self._stream.read(size))
        except self._damage as error:
            raise OSError(str(error)) from error

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def decompressed(stream: BinaryIO, media_type: str) -> BinaryIO:
    """The tar inside a layer blob, of every media type that registries hold.

    What cannot be decompressed raises OSError or EOFError while it is read.

    Raises:
        LayerError: the media type is not a layer's.
    """
    if media_type.endswith(("tar.gzip", "tar+gzip", "tar.gz")):
        return cast("BinaryIO", _Decompressed(gzip.GzipFile(fileobj=stream), zlib.error))
    if media_type.endswith(("tar+zstd", "tar.zstd")):
        library = zstd()
        return cast("BinaryIO", _Decompressed(library.ZstdFile(stream), library.ZstdError))
    if media_type.endswith(".tar"):
        return stream
    raise LayerError(f"a layer of media type {media_type} cannot be read")
