"""A blob's bytes as they come; when the connection breaks, the rest is asked for.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pulling-blobs
"""

import re
from collections.abc import Callable
from http import HTTPStatus
from typing import BinaryIO, Self, cast

from builder.errors import LayerError, RegistryError, TransportError
from builder.oci.descriptor import Descriptor
from builder.retry import Retry, Transient, passing
from builder.transport import Response
from layers.digest import CHUNK, VerifyingReader

type Opened = Callable[[int], Response]
"""Asks for a blob from a byte on; the answer may begin at 0 all the same."""

_RANGE = re.compile(r"bytes (\d+)-")


class Download:
    """The body of a blob, as a stream that outlives its connections.

    Args:
        opened: asks for the rest of the blob.
        descriptor: of the blob.
        host: for messages.
        retry: how often to ask for the rest, each time that something came.

    Raises:
        RegistryError: the registry does not give the blob.
        TransportError: the registry cannot be reached.
    """

    def __init__(self, opened: Opened, descriptor: Descriptor, host: str, retry: Retry) -> None:
        self._opened = opened
        self._descriptor = descriptor
        self._host = host
        self._retry = retry
        self._position = 0
        # What came and was not handed on yet.
        self._pieces: list[bytes] = []
        # The first answer is asked for here, so that a refusal shows before anything is read.
        self._answer: Response | None = retry.run(lambda: opened(0))

    def verified(self) -> BinaryIO:
        """The stream, which refuses at its end bytes that are not the blob's."""
        return cast("BinaryIO", _Verified(self, self._descriptor, self._host))

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, none at the end; all that is left when negative.

        Raises:
            TransportError: the connection kept breaking.
            RegistryError: the registry does not give the rest.
        """
        if size < 0:
            return b"".join(iter(lambda: self.read(CHUNK), b""))
        self._retry.run(lambda: self._gather(size), progress=lambda: self._position)
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def close(self) -> None:
        """Let go of the connection."""
        if self._answer:
            self._answer.close()
            self._answer = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _gather(self, size: int) -> None:
        """As much as was wanted: hashing and writing small pieces costs threads their turns."""
        try:
            with passing():
                while (left := size - sum(map(len, self._pieces))) and (data := self._piece(left)):
                    self._pieces.append(data)
                    self._position += len(data)
        except Transient:
            self.close()
            raise

    def _piece(self, size: int) -> bytes:
        if self._answer is None:
            if self._position == self._descriptor.size:
                # Broken off after its last byte; the digest decides.
                return b""
            self._answer = self._rest()
        data = self._answer.body.read(size)
        if not data and self._position < self._descriptor.size:
            raise self._broken_off()
        return data

    def _rest(self) -> Response:
        """An answer whose body stands at the position reached."""
        answer = self._opened(self._position)
        try:
            self._skip(answer, _beginning(answer))
        except BaseException:
            answer.close()
            raise
        return answer

    def _skip(self, answer: Response, position: int) -> None:
        """Pass over what was read before: a server may know nothing of ranges."""
        if position > self._position:
            raise RegistryError(
                f"asking {self._host} for blob {self._descriptor.digest} from byte "
                f"{self._position} on: got it from byte {position} on",
                status=answer.status,
            )
        while position < self._position:
            data = answer.body.read(min(self._position - position, CHUNK))
            if not data:
                raise self._broken_off()
            position += len(data)

    def _broken_off(self) -> TransportError:
        blob = self._descriptor
        return TransportError(
            f"{self._host} broke off blob {blob.digest} at {self._position} of {blob.size} bytes",
            transient=True,
            hint="try again later, or use a mirror",
        )


def _beginning(answer: Response) -> int:
    if answer.status != HTTPStatus.PARTIAL_CONTENT:
        return 0
    found = _RANGE.match(answer.headers.get("content-range", ""))
    return int(found[1]) if found else 0


class _Verified(VerifyingReader):
    """A download read through its digest, which knows whom to blame."""

    def __init__(self, download: Download, descriptor: Descriptor, host: str) -> None:
        super().__init__(cast("BinaryIO", download), descriptor.digest, descriptor.size)
        self._host = host

    def read(self, size: int = -1) -> bytes:
        try:
            return super().read(size)
        except LayerError as error:
            hint = f"{self._host}, or something on the way, changes what it sends; use a mirror"
            raise LayerError(error.message, hint=error.hint or hint) from None
