"""What is asked of a server, and what it answers."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol, Self

from layers.entries import Content

WORTH_READING = 64 << 10
"""A connection is of more use than this many bytes of an answer cost."""

_HOST_END = re.compile(r"[/?#]")


class Headers(Mapping[str, str]):
    """Header fields; names in any case, a repeated field's values joined by commas."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = {name.lower(): value for name, value in fields.items()}

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is asked.

    Attributes:
        url: absolute, ``http`` or ``https``.
        method: in capitals.
        headers: beside those that every request has; ``Content-Length`` belongs to a body that
            is not bytes.
        body: opened anew whenever the request has to be sent again.
        follows: whether redirects are followed; not where the body is for one server alone.
        verifies: whether it matters who answers; when it does not, any certificate may do.
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | Content | None = None
    follows: bool = True
    verifies: bool = True


class Body(Protocol):
    """The bytes of an answer, as they come."""

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, none at the end; all that is left when negative.

        Raises:
            TransportError: the connection broke.
        """
        ...

    def close(self) -> None:
        """Let go of the connection."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """An answer, whatever its status; close it, by ``with``, once its body is of no more use.

    Attributes:
        status: of HTTP.
        headers: all of them.
        body: as it comes.
        url: what gave it, at the end of redirects; empty when it is what was asked.
    """

    status: int
    headers: Headers
    body: Body
    url: str = ""

    def read(self, limit: int) -> bytes:
        """The body's first ``limit`` bytes, all of them when there are fewer.

        Raises:
            TransportError: the connection broke.
        """
        data = bytearray()
        while len(data) < limit and (more := self.body.read(limit - len(data))):
            data += more
        return bytes(data)

    def close(self) -> None:
        """Let go of the connection."""
        self.body.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Transport(Protocol):
    """Asks servers; may be shared by threads."""

    def send(self, request: Request) -> Response:
        """Ask, and return when status and headers are here.

        Raises:
            TransportError: no answer came.
        """
        ...

    def close(self) -> None:
        """Close every connection."""
        ...


def host_of(url: str) -> str:
    """Host and port of an address, for messages: its credentials and query may be secret."""
    _, found, rest = url.partition("://")
    return _HOST_END.split(rest if found else url, maxsplit=1)[0].rpartition("@")[2]
