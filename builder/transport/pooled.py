"""Requests by httpx2, which knows proxies: whom the environment sends where, and by what."""

import contextlib
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ssl import SSLContext, SSLError
from typing import Any

import httpx2  # noqa: TID251 - this is the room that the ban points to

from builder.errors import TransportError
from builder.transport.address import LOOPBACK
from builder.transport.failure import Stage, explain, unreadable, unusable
from builder.transport.message import WORTH_READING, Headers, Request, Response, host_of
from layers.digest import CHUNK
from layers.entries import Content

_CONNECTING = {"connection.connect_tcp.started", "connection.connect_tcp.failed"}
"""What the library tells of a request until a connection stands."""
_CAUSES = 8
"""How far down a chain of exceptions its root is looked for."""


class PooledConnections:
    """The library's pool of connections to servers that are spoken with by the same TLS.

    Args:
        context: how TLS is spoken.
        user_agent: who asks.
        connect_seconds: until a connection stands, TLS included.
        read_seconds: between two pieces of an answer to a method.

    Raises:
        TransportError: the environment names a proxy that cannot be used.
    """

    def __init__(
        self,
        context: SSLContext,
        *,
        user_agent: str,
        connect_seconds: float,
        read_seconds: Callable[[str], float],
    ) -> None:
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        try:
            self._client = httpx2.Client(
                verify=context,
                # A blob is what the registry stores, so no coding may be put around it on the way.
                headers={"User-Agent": user_agent, "Accept-Encoding": "identity"},
                mounts={f"all://{_bracketed(host)}": None for host in LOOPBACK},
            )
        except httpx2.InvalidURL:
            # Not in the library's words: a part of the password may be what it cannot read.
            raise unusable("the address of a proxy cannot be read") from None
        except (OSError, ValueError, ImportError) as error:
            raise unusable(str(error)) from error

    def ask(self, request: Request) -> Response:
        """The answer to a request, whatever it is.

        Raises:
            TransportError: none came.
        """
        told: set[str] = set()
        read = self._read_seconds(request.method)
        with plain_words(request.url, told):
            sent = self._client.build_request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=_content(request.body),
                timeout=httpx2.Timeout(read, connect=self._connect_seconds),
                extensions={"trace": lambda event, _: told.add(event)},
            )
            answer = self._client.send(sent, stream=True)
        return Response(
            status=answer.status_code,
            headers=Headers(answer.headers),
            body=_Stream(answer, self._client),
            url=str(answer.url),
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()


class _Stream:
    """The undecoded body of an answer of the library's."""

    def __init__(self, answer: httpx2.Response, client: httpx2.Client) -> None:
        self._answer = answer
        self._client = client
        self._pieces = answer.iter_raw()
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        with plain_words(str(self._answer.url)):
            if size < 0:
                return self._take(len(self._left)) + b"".join(self._pieces)
            if not self._left:
                self._left = next(self._pieces, b"")
        return self._take(size)

    def close(self) -> None:
        _let_go(self._answer, self._client, self._pieces)

    def _take(self, size: int) -> bytes:
        if size >= len(self._left):  # most of the time; nothing is copied
            taken, self._left = self._left, b""
        else:
            taken, self._left = self._left[:size], self._left[size:]
        return taken


def _let_go(
    answer: httpx2.Response, client: httpx2.Client, pieces: Iterator[bytes] | None = None
) -> None:
    """Close an answer; when little of it is missing, so that its connection can be used again."""
    promised = answer.headers.get("content-length", "")
    is_empty = answer.request.method == "HEAD"
    missing = int(promised) - answer.num_bytes_downloaded if promised.isdecimal() else None
    is_short = missing is not None and missing <= WORTH_READING
    # A closed client would never close a connection that is given back to it.
    if (is_empty or is_short) and not client.is_closed:
        with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError):
            for _ in pieces or answer.iter_raw():
                pass
    answer.close()


@dataclass(frozen=True, slots=True)
class _Reopened:
    """Content as an iterable that begins anew each time: a redirected upload is sent again."""

    content: Content

    def __iter__(self) -> Iterator[bytes]:
        with self.content.open() as stream:
            while data := stream.read(CHUNK):
                yield data


def _content(body: bytes | Content | None) -> Any:
    return body if body is None or isinstance(body, bytes) else _Reopened(body)


@contextmanager
def plain_words(url: str, told: Collection[str] = ()) -> Iterator[None]:
    """Turn the library's errors into ours.

    Args:
        url: what was asked for.
        told: the events that the library told of that request so far.

    Raises:
        TransportError: in place of an error of the library's.
    """
    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise _failure(url, error, told) from error
    except UnicodeError as error:
        # The system's resolver is asked by a codec that refuses what is no name.
        raise unreadable(url) from error


def _failure(url: str, error: Exception, told: Collection[str]) -> TransportError:
    root = _root(error)
    if isinstance(error, httpx2.TimeoutException):
        return explain(url, TimeoutError(), _stage(error, told))
    if isinstance(error, httpx2.ProxyError) and not isinstance(root, SSLError):
        return TransportError(
            f"the proxy on the way to {host_of(url)} refused: {error}", hint="check HTTPS_PROXY"
        )
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        return unreadable(url)
    return explain(url, root, _stage(error, told))


def _stage(error: Exception, told: Collection[str]) -> Stage:
    if not isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout):
        return Stage.ASKED
    # A handshake that hangs comes after a connection.
    return Stage.CONNECTING if _CONNECTING.issuperset(told) else Stage.HANDSHAKE


def _root(error: BaseException) -> BaseException:
    for _ in range(_CAUSES):
        below = error.__cause__ or error.__context__
        if below is None:
            break
        error = below
    return error


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
