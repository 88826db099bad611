"""What is inside of a fragment that was compressed on its own (see ``Codec.fragment``)."""

from collections.abc import Iterator
from typing import Protocol

from layers.digest import CHUNK
from layers.libraries import zlib_ng, zstd


class Expander(Protocol):
    """What is inside of a fragment."""

    def expand(self, data: bytes, /) -> Iterator[bytes]:
        """What the next bytes of the fragment hold, at most ``CHUNK`` bytes at a time.

        Raises:
            OSError: they are damaged.
        """
        ...

    def is_whole(self) -> bool:
        """Whether a fragment may end after the bytes that came so far."""
        ...


def expander_of(name: str) -> Expander:
    """The expander of one fragment that the codec of that name wrote."""
    if name == "gzip":
        return _Inflate()
    return _Unframe() if name == "zstd" else _Same()


class _Same:
    def expand(self, data: bytes) -> Iterator[bytes]:
        yield data

    def is_whole(self) -> bool:
        return True


class _Inflate:
    def __init__(self) -> None:
        self._stream = zlib_ng().decompressobj(-zlib_ng().MAX_WBITS)

    def expand(self, data: bytes) -> Iterator[bytes]:
        try:
            while found := self._stream.decompress(data, CHUNK):
                yield found
                data = self._stream.unconsumed_tail
        except zlib_ng().error as error:
            raise OSError(str(error)) from error

    def is_whole(self) -> bool:
        # The last block of all belongs to the blob.
        return not self._stream.eof


class _Unframe:
    def __init__(self) -> None:
        self._frame = zstd().ZstdDecompressor()

    def expand(self, data: bytes) -> Iterator[bytes]:
        try:
            while found := self._frame.decompress(data, CHUNK):
                yield found
                if self._frame.eof:
                    break
                data = b""
        except (zstd().ZstdError, EOFError) as error:
            raise OSError(str(error)) from error

    def is_whole(self) -> bool:
        return bool(self._frame.eof and not self._frame.unused_data)
