"""How a layer's tar is compressed, and read again.

A codec's library, its version and its level decide the bytes, so they are part of a codec's
identity and of every key that a layer is cached under. What each library's bytes depend on was
measured: see docs/decisions.md, "Which deflate".
"""

import gzip
import importlib
import sys
import zlib
from dataclasses import dataclass
from functools import cache
from typing import Any, BinaryIO, Protocol, Self, cast

from layers.digest import Sink
from layers.errors import LayerError

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


@dataclass(frozen=True, slots=True)
class Codec:
    """A way to compress: ``gzip``, ``zstd`` or ``none``."""

    name: str
    media_type: str

    @property
    def identity(self) -> str:
        """Name, library version and level: what the compressed bytes depend on."""
        return f"{self.name}/{_library(self.name)}"

    def open(self, sink: Sink) -> Compressor:
        """A compressor that writes to ``sink``."""
        if self.name == "gzip":
            return _Gzip(sink)
        return _Zstd(sink) if self.name == "zstd" else _Plain(sink)


GZIP = Codec("gzip", TAR_GZIP)
ZSTD = Codec("zstd", TAR_ZSTD)
PLAIN = Codec("none", TAR)
CODECS = {codec.name: codec for codec in (GZIP, ZSTD, PLAIN)}


@cache
def _library(name: str) -> str:
    if name == "gzip":
        from zlib_ng import zlib_ng  # noqa: PLC0415 - a build that packs nothing needs no codec

        return f"zlib-ng-{zlib_ng.ZLIBNG_VERSION}/{_GZIP_LEVEL}"
    if name == "zstd":
        return f"zstd-{_zstd().zstd_version}/{_ZSTD_LEVEL}"
    return "1"


def _zstd() -> Any:
    """The standard library's zstd API: its own from Python 3.14 on, its backport before."""
    standard = sys.version_info >= (3, 14)
    return importlib.import_module("compression.zstd" if standard else "backports.zstd")


class _Plain:
    def __init__(self, sink: Sink) -> None:
        self._sink = sink

    def write(self, data: bytes) -> object:
        return self._sink.write(data)

    def close(self) -> None:
        """Nothing is held back."""


class _Gzip:
    """One gzip member around a raw deflate stream."""

    def __init__(self, sink: Sink) -> None:
        from zlib_ng import zlib_ng  # noqa: PLC0415

        self._sink = sink
        self._deflate = zlib_ng.compressobj(_GZIP_LEVEL, zlib_ng.DEFLATED, -zlib_ng.MAX_WBITS)
        self._crc = 0
        self._size = 0
        sink.write(_GZIP_HEADER)

    def write(self, data: bytes) -> None:
        self._crc = zlib.crc32(data, self._crc)
        self._size += len(data)
        self._sink.write(self._deflate.compress(data))

    def close(self) -> None:
        self._sink.write(self._deflate.flush())
        self._sink.write(self._crc.to_bytes(4, "little"))
        self._sink.write((self._size & 0xFFFFFFFF).to_bytes(4, "little"))


class _Zstd:
    """One frame; never with worker threads, whose output differs from none."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._frame = _zstd().ZstdCompressor(level=_ZSTD_LEVEL)

    def write(self, data: bytes) -> None:
        self._sink.write(self._frame.compress(data))

    def close(self) -> None:
        self._sink.write(self._frame.flush())


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
        zstd = _zstd()
        return cast("BinaryIO", _Decompressed(zstd.ZstdFile(stream), zstd.ZstdError))
    if media_type.endswith(".tar"):
        return stream
    raise LayerError(f"a layer of media type {media_type} cannot be read")
