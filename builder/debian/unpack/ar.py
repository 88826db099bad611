"""The outer shell of a ``.deb``: an ar archive, read once from front to back.

https://manpages.debian.org/deb.5
"""

from collections.abc import Iterator
from typing import BinaryIO

from builder.errors import PackageError
from layers.digest import CHUNK

_MAGIC = b"!<arch>\n"
_HEADER = 60
_NAME = slice(0, 16)
_SIZE = slice(48, 58)
_END = slice(58, 60)


class Part:
    """The bytes of one member; what is left of them is skipped when the next is asked for.

    Attributes:
        name: as written, without the slash that some tools put behind it.
        size: in bytes.
    """

    def __init__(self, stream: BinaryIO, name: str, size: int, package: str) -> None:
        self._stream = stream
        self._package = package
        self._left = size
        self.name = name
        self.size = size

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all that is left when negative.

        Raises:
            PackageError: the package ends before the member does.
        """
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._stream.read(wanted) if wanted else b""
        if wanted and not data:
            raise PackageError(
                f"{self._package}: ends within {self.name}, {self._left} bytes before its end"
            )
        self._left -= len(data)
        return data


def parts(stream: BinaryIO, package: str) -> Iterator[Part]:
    """The members in their order, to the end of the stream.

    Args:
        stream: the ``.deb``; need not be seekable.
        package: for messages.

    Raises:
        PackageError: it is no ar archive, or ends before it should.
    """
    magic = _exactly(stream, len(_MAGIC))
    if magic != _MAGIC:
        raise PackageError(f"{package}: begins with {magic!r}, expected the ar header {_MAGIC!r}")
    while header := _exactly(stream, _HEADER):
        part = _part(header, stream, package)
        yield part
        while part.read(CHUNK):
            pass
        if part.size % 2:
            _exactly(stream, 1)


def _part(header: bytes, stream: BinaryIO, package: str) -> Part:
    size = header[_SIZE].strip()
    if len(header) < _HEADER or header[_END] != b"`\n" or not size.isdigit():
        raise PackageError(f"{package}: an ar header cannot be read: {header[:_HEADER]!r}")
    name = header[_NAME].decode("utf-8", "backslashreplace").rstrip(" ").removesuffix("/")
    return Part(stream, name, int(size), package)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    """So many bytes, or what is left of the stream."""
    data = b""
    while len(data) < size and (more := stream.read(size - len(data))):
        data += more
    return data
