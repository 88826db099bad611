"""Content identities, and streams that compute them while bytes pass.

``Digest`` names a blob as it is stored and sent; ``DiffId`` names a layer's uncompressed tar.
The two are distinct types: mixing them up is the classic way to write an image nobody can run.
https://github.com/opencontainers/image-spec/blob/main/descriptor.md#digests
https://github.com/opencontainers/image-spec/blob/main/config.md#layer-diffid
"""

import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO, Protocol, Self, cast

from layers.errors import LayerError

_PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
CHUNK = 1 << 20
"""Bytes moved at a time when a stream is copied or hashed."""


@dataclass(frozen=True, slots=True, order=True)
class _Identity:
    """``sha256:hex``.

    sha512 is registered too, and no registry or engine was met that gives it: it is refused
    rather than half supported.
    """

    text: str

    def __post_init__(self) -> None:
        if not _PATTERN.fullmatch(self.text):
            is_other = self.text.startswith("sha512:")
            wrong = "sha512 digests are not supported" if is_other else "not a digest"
            raise LayerError(f"{wrong}: {self.text!r}; expected sha256: and 64 hex digits")

    def __str__(self) -> str:
        return self.text

    @classmethod
    def of(cls, data: bytes) -> Self:
        """The sha256 identity of bytes at hand."""
        return cls(f"sha256:{hashlib.sha256(data).hexdigest()}")

    @property
    def algorithm(self) -> str:
        return self.text.partition(":")[0]

    @property
    def hex(self) -> str:
        return self.text.partition(":")[2]


class Digest(_Identity):
    """The identity of a blob's bytes as stored and sent.

    Raises:
        LayerError: the text is not ``sha256:`` and 64 digits.
    """

    __slots__ = ()


class DiffId(_Identity):
    """The identity of a layer's uncompressed tar.

    Raises:
        LayerError: the text is not ``sha256:`` and 64 digits.
    """

    __slots__ = ()


class Sink(Protocol):
    """Where bytes go."""

    def write(self, data: bytes, /) -> object:
        """Take all of ``data``."""
        ...


class HashingWriter:
    """Passes bytes on to ``sink`` and knows how many they were and what they hash to."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._hash = hashlib.sha256()
        self.size = 0

    def write(self, data: bytes) -> object:
        """Write all of ``data``."""
        self._hash.update(data)
        self.size += len(data)
        return self._sink.write(data)

    def pass_by(self, data: bytes) -> None:
        """Count and hash bytes that reach the sink by another way."""
        self._hash.update(data)
        self.size += len(data)

    @property
    def hexdigest(self) -> str:
        """sha256 of what has been written so far."""
        return self._hash.hexdigest()


class VerifyingReader:
    """Reads a blob and refuses it when it is not the blob that was asked for.

    The verdict falls at the end of the stream: ``read`` raises instead of returning the final
    empty bytes, so a reader that reads to the end cannot miss it. Too many bytes are refused
    as soon as they come. It is a stream as files are: closing it closes what it reads.
    """

    def __init__(self, stream: BinaryIO, digest: Digest, size: int) -> None:
        self._stream = stream
        self._digest = digest
        self._expected = size
        self._hash = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes; all that is left when negative.

        Raises:
            LayerError: the stream ended, or went on, against what the descriptor promises.
        """
        if size == 0:
            return b""
        data = self._stream.read(size)
        self._hash.update(data)
        self._size += len(data)
        if self._size > self._expected:
            raise LayerError(
                f"blob {self._digest}: more than the {self._expected} bytes its descriptor promises"
            )
        if not data or size < 0:
            self._verify()
        return data

    def verifies(self, digest: Digest, size: int) -> bool:
        """Whether this is the blob of that digest and size from its first byte on, or refused."""
        return (self._digest, self._expected, self._size) == (digest, size, 0)

    def close(self) -> None:
        """Close what is read."""
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _verify(self) -> None:
        got = self._hash.hexdigest()
        if self._size != self._expected or got != self._digest.hex:
            raise LayerError(
                f"blob {self._digest}: wanted {self._expected} bytes of that digest, "
                f"got {self._size} bytes that hash to sha256:{got}"
            )


def verified(stream: BinaryIO, digest: Digest, size: int) -> BinaryIO:
    """The stream, read through its digest once: as it is when it says that it already does that.

    What wraps such a stream says so by a method like ``VerifyingReader.verifies``.
    """
    verifies = getattr(stream, "verifies", None)
    if verifies is not None and verifies(digest, size):
        return stream
    return cast("BinaryIO", VerifyingReader(stream, digest, size))


def copy_verified(source: BinaryIO, sink: Sink, digest: Digest, size: int) -> None:
    """Copy ``source`` to ``sink``; the bytes must be ``size`` many and hash to ``digest``.

    Raises:
        LayerError: they are not; what was written to ``sink`` must be thrown away.
    """
    reader = verified(source, digest, size)
    while data := reader.read(CHUNK):
        sink.write(data)
