"""Requests straight to a server, by the standard library: importing that takes 20 ms, httpx2 150.

What goes by a proxy of the environment's is the other library's.
"""

import http.client
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from ssl import SSLContext, SSLError
from typing import Protocol
from urllib.parse import SplitResult, quote, urlsplit

from builder.transport.address import PORTS, Origin, origin_of
from builder.transport.failure import Stage, broken_off, explain, unreadable
from builder.transport.message import WORTH_READING, Headers, Request, Response
from layers.digest import CHUNK
from layers.entries import Content

_IDLE_SECONDS = 5
"""Servers close what nobody uses; a question into that moment would be lost."""
_PIECE = 128 << 10
_INTERIM = frozenset(range(100, 200)) - {HTTPStatus.SWITCHING_PROTOCOLS}
_WRITTEN = "%/:=&?~#+!$,;'@()*[]"
"""What stands in an address as it is, beside letters and digits."""


class Contexts(Protocol):
    """Knows how TLS is spoken with the server of an address."""

    def __call__(self, url: str, /, *, verifies: bool) -> SSLContext:
        """The context; one that takes any certificate will do where nobody verifies."""
        ...


class DirectConnections:
    """Connections to servers, kept and shared; threads may ask at once.

    Args:
        contexts: asked when a server is to be spoken with by TLS.
        user_agent: who asks.
        connect_seconds: until a connection stands, and once more for TLS.
        read_seconds: between two pieces of an answer to a method.
    """

    def __init__(
        self,
        *,
        contexts: Contexts,
        user_agent: str,
        connect_seconds: float,
        read_seconds: Callable[[str], float],
    ) -> None:
        self._contexts = contexts
        self._user_agent = user_agent
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._idle: dict[Origin, list[tuple[http.client.HTTPConnection, float]]] = {}
        self._is_closed = False
        self._lock = threading.Lock()

    def ask(self, request: Request) -> Response:
        """The answer to a request, whatever it is.

        Raises:
            TransportError: none came.
        """
        address, origin = urlsplit(request.url), _origin(request.url)
        connection = (self._kept(origin) if request.verifies else None) or self._connected(
            address, partial(self._contexts, request.url, verifies=request.verifies)
        )
        try:
            with _explained(request.url, Stage.ASKED):
                is_sent = self._sent(connection, request, _target(address))
                answer = connection.getresponse()
        except _UnreadError as unread:
            connection.close()
            raise unread.reason from None
        except BaseException:
            connection.close()
            raise
        keeps = is_sent and request.verifies
        keep = partial(self._keep, origin, connection) if keeps else connection.close
        body = _Body(request.url, connection, answer, keep)
        return Response(status=answer.status, headers=_fields(answer), body=body, url=request.url)

    def _sent(self, connection: http.client.HTTPConnection, request: Request, target: str) -> bool:
        """Send a request; whether all of it went, and not only what the server wanted to see."""
        body = request.body
        sent = body if body is None or isinstance(body, bytes) else _Pieces(body)
        connection.sock.settimeout(self._read_seconds("GET"))
        try:
            connection.request(request.method, target, sent, headers=self._headers(request))
        except (ConnectionError, SSLError):
            # It may have said why before it hung up.
            return False
        finally:
            connection.sock.settimeout(self._read_seconds(request.method))
        return True

    def close(self) -> None:
        """Close every connection; one that is still read from, when that is over."""
        with self._lock:
            self._is_closed = True
            for kept in self._idle.values():
                for connection, _ in kept:
                    connection.close()
            self._idle.clear()

    def _headers(self, request: Request) -> dict[str, str]:
        # A blob is what the registry stores, so no coding may be put around it on the way.
        own = {"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "identity"}
        return {**own, **request.headers}

    def _kept(self, origin: Origin) -> http.client.HTTPConnection | None:
        while True:
            with self._lock:
                kept = self._idle.get(origin)
                if not kept:
                    return None
                connection, since = kept.pop()
            # What has something to say unasked has said goodbye.
            if time.monotonic() - since < _IDLE_SECONDS and not _is_readable(connection):
                return connection
            connection.close()

    def _keep(self, origin: Origin, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if not self._is_closed and connection.sock is not None:
                self._idle.setdefault(origin, []).append((connection, time.monotonic()))
                return
        connection.close()

    def _connected(
        self, address: SplitResult, context: Callable[[], SSLContext]
    ) -> http.client.HTTPConnection:
        if address.scheme == "http":
            return self._opened(address)
        connection = self._opened(address)
        try:
            with _explained(address.geturl(), Stage.HANDSHAKE):
                name = (address.hostname or "").encode("ascii")
                secure = context().wrap_socket(connection.sock, server_hostname=name)
        except BaseException:
            connection.close()
            raise
        connection.sock = secure
        return connection

    def _opened(self, address: SplitResult) -> http.client.HTTPConnection:
        host, port = address.hostname or "", address.port or PORTS[address.scheme]
        connection = http.client.HTTPConnection(host, port)
        connection.default_port = PORTS[address.scheme]
        connection.response_class = _Answer
        # It is this class that opens another one, and tells why it cannot.
        connection.auto_open = 0
        with _explained(address.geturl(), Stage.CONNECTING):
            # In bytes: what is no other alphabet's name needs none of that codec's tables.
            where = (host.encode("ascii"), port)
            connection.sock = socket.create_connection(where, self._connect_seconds)  # type: ignore[arg-type]
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection


class _Answer(http.client.HTTPResponse):
    """An answer after all that a server says in the meantime, of which the library knows only 100.

    https://www.rfc-editor.org/rfc/rfc9110#section-15.2
    """

    def begin(self) -> None:
        """Read up to the body of the final answer."""
        super().begin()
        while self.status in _INTERIM:
            # The library begins with whatever has no header yet.
            self.headers = None  # type: ignore[assignment]
            super().begin()


class _UnreadError(Exception):
    """What is to be sent cannot be read; no fault of the server's."""

    def __init__(self, reason: OSError) -> None:
        super().__init__(str(reason))
        self.reason = reason


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Content as an iterable that begins anew each time: a redirected upload is sent again."""

    content: Content

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self.content.open() as stream:
                # Each piece has as long as any answer, however thin the line is.
                while data := stream.read(_PIECE):
                    yield data
        except OSError as error:
            raise _UnreadError(error) from error


class _Body:
    """The bytes of an answer; at its end, or near it, the connection is kept."""

    def __init__(
        self,
        url: str,
        connection: http.client.HTTPConnection,
        answer: http.client.HTTPResponse,
        keep: Callable[[], None],
    ) -> None:
        self._url = url
        self._connection = connection
        self._answer = answer
        self._keep = keep
        self._is_over = False

    def read(self, size: int = -1, /) -> bytes:
        """At most ``size`` bytes, none at the end; all that is left when negative."""
        with _explained(self._url, Stage.ASKED):
            if size < 0:
                return b"".join(iter(self._some, b""))
            return self._some(size)

    def close(self) -> None:
        """Let go of the connection, and keep it when what is missing is worth less than it."""
        if self._is_over:
            return
        self._is_over = True
        with suppress(OSError, http.client.HTTPException):
            self._drain()
        is_read = self._answer.isclosed() or self._answer.length == 0
        # It closes its own file of the socket, not the socket.
        self._answer.close()
        if is_read and not self._answer.will_close:
            self._keep()
        else:
            self._connection.close()

    def _some(self, size: int = CHUNK) -> bytes:
        if self._is_over or self._answer.isclosed():
            return b""
        data = self._answer.read1(size)
        if not data and size and self._answer.length:
            raise broken_off(self._url)
        return data

    def _drain(self) -> None:
        if (missing := self._answer.length) is not None and missing <= WORTH_READING:
            while self._answer.length and self._answer.read1(missing):
                continue


@contextmanager
def _explained(url: str, stage: Stage) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        raise explain(url, error, stage) from error


def _origin(url: str) -> Origin:
    found = origin_of(url)
    if found is None:
        raise unreadable(url)
    return found


def _target(address: SplitResult) -> str:
    """What is asked for, as it is written in a request; redirects name it in many ways."""
    query = f"?{address.query}" if address.query else ""
    return quote(f"{address.path or '/'}{query}", safe=_WRITTEN)


def _fields(answer: http.client.HTTPResponse) -> Headers:
    names = {name.lower() for name in answer.headers}
    return Headers(
        {name: ", ".join(map(_decoded, answer.headers.get_all(name, []))) for name in names}
    )


def _decoded(value: str) -> str:
    """A header as who wrote it meant it; the library takes every one for Latin-1."""
    if value.isascii():
        return value
    try:
        return value.encode("latin-1").decode("utf-8")
    except UnicodeDecodeError:
        return value


def _is_readable(connection: http.client.HTTPConnection) -> bool:
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return bool(poll.poll(0))
