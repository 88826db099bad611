"""The only module that opens HTTP connections.

Everything else speaks through ``Transport``: one request in, one answer out, its body a stream.
The library behind it is imported when a connection is wanted, not before: it costs 90 ms.
"""

import re
import ssl
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from types import MappingProxyType, TracebackType
from typing import TYPE_CHECKING, Any, Protocol, Self

from builder.errors import TransportError
from layers.digest import CHUNK
from layers.entries import Content

if TYPE_CHECKING:
    import httpx2  # noqa: TID251 - this is the module that the ban points to

_MAX_REDIRECTS = 5
_HOST_END = re.compile(r"[/?#]")
_CONNECTING = {"connection.connect_tcp.started", "connection.connect_tcp.failed"}
"""What the library tells of a request until a connection stands."""
_CAUSES = 8
"""How far down a chain of exceptions its root is looked for."""

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Hosts that are this machine; a proxy could not reach them."""


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
    """

    url: str
    method: str = "GET"
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    body: bytes | Content | None = None


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
    """An answer, whatever its status; close it, by ``with``, once its body is of no more use."""

    status: int
    headers: Headers
    body: Body

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


class HttpTransport:
    """The ``Transport`` of real life: HTTP/1.1, connections kept and shared.

    Proxies come from ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` (never for this machine
    itself), certificate authorities from ``SSL_CERT_FILE``, ``SSL_CERT_DIR`` or the system.
    GET and HEAD follow redirects, and take ``Authorization`` along to the same host only.

    Args:
        connect_seconds: until a connection stands, TLS included.
        read_seconds: between two pieces of an answer.

    Raises:
        TransportError: the environment names a proxy or certificates that cannot be used.
    """

    def __init__(self, *, connect_seconds: float = 3, read_seconds: float = 30) -> None:
        import httpx2  # noqa: PLC0415, TID251 - this is the module that the ban points to

        try:
            self._client = httpx2.Client(
                timeout=httpx2.Timeout(read_seconds, connect=connect_seconds),
                # A blob is what the registry stores, so no coding may be put around it on the way.
                headers={"User-Agent": _user_agent(), "Accept-Encoding": "identity"},
                mounts={f"all://{host}": None for host in LOOPBACK},
            )
        except (OSError, ValueError, ImportError, httpx2.InvalidURL) as error:
            raise TransportError(
                f"cannot set up HTTP from this environment: {error}",
                hint="look at SSL_CERT_FILE, SSL_CERT_DIR, HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
            ) from error

    def send(self, request: Request) -> Response:
        """Ask, follow redirects, and return when status and headers are here.

        Raises:
            TransportError: no answer came, or redirects that nobody should follow.
        """
        told: set[str] = set()
        with _plain_words(request.url, told):
            sent = self._client.build_request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=_content(request.body),
                extensions={"trace": lambda event, _: told.add(event)},
            )
            answer = self._client.send(sent, stream=True)
            if request.method in {"GET", "HEAD"}:
                answer = self._follow(answer)
        return Response(
            status=answer.status_code,
            headers=Headers(answer.headers),
            body=_Stream(answer),
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _follow(self, answer: "httpx2.Response") -> "httpx2.Response":
        first = answer.url
        for _ in range(_MAX_REDIRECTS):
            following = answer.next_request
            if following is None:
                return answer
            answer.close()
            if (answer.url.scheme, following.url.scheme) == ("https", "http"):
                raise TransportError(
                    f"{answer.url.host} redirects from https to plain http, "
                    f"to {following.url.host}; refused"
                )
            answer = self._client.send(following, stream=True)
        answer.close()
        raise TransportError(f"{first.host} redirected more than {_MAX_REDIRECTS} times")


class _Stream:
    """The undecoded body of an answer of the library's."""

    def __init__(self, answer: "httpx2.Response") -> None:
        self._answer = answer
        self._pieces = answer.iter_raw()
        self._left = b""

    def read(self, size: int = -1, /) -> bytes:
        with _plain_words(str(self._answer.url)):
            if size < 0:
                return self._take(len(self._left)) + b"".join(self._pieces)
            if not self._left:
                self._left = next(self._pieces, b"")
        return self._take(size)

    def close(self) -> None:
        self._answer.close()

    def _take(self, size: int) -> bytes:
        taken, self._left = self._left[:size], self._left[size:]
        return taken


@dataclass(frozen=True, slots=True)
class _Reopened:
    """Content as an iterable that begins anew each time: a redirected upload is sent again."""

    content: Content

    def __iter__(self) -> Iterator[bytes]:
        with self.content.open() as stream:
            while data := stream.read(CHUNK):
                yield data


def host_of(url: str) -> str:
    """Host and port of an address, for messages: its credentials and query may be secret."""
    _, found, rest = url.partition("://")
    return _HOST_END.split(rest if found else url, maxsplit=1)[0].rpartition("@")[2]


def _content(body: bytes | Content | None) -> Any:
    return body if body is None or isinstance(body, bytes) else _Reopened(body)


def _user_agent() -> str:
    try:
        return f"image-builder/{metadata.version('image-builder')}"
    except metadata.PackageNotFoundError:
        return "image-builder"


@contextmanager
def _plain_words(url: str, told: Collection[str] = ()) -> Iterator[None]:
    import httpx2  # noqa: PLC0415, TID251 - this is the module that the ban points to

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise _failure(url, error, told) from error


def _failure(url: str, error: Exception, told: Collection[str]) -> TransportError:
    import httpx2  # noqa: PLC0415, TID251 - this is the module that the ban points to

    host = host_of(url)
    # A redirect that leads nowhere, or a handshake that hangs, comes after a connection.
    before = _CONNECTING.issuperset(told)
    unreached = before and isinstance(error, httpx2.ConnectError | httpx2.ConnectTimeout)
    if isinstance(error, httpx2.ConnectTimeout):
        return _unreachable(host, "it did not take the connection in time", unreached=unreached)
    if isinstance(error, httpx2.TimeoutException):
        # Not transient: whoever waited that long once should not wait four times.
        return TransportError(
            f"{host} stopped answering: time-out", hint="try again later, or use a mirror"
        )
    root = _root(error)
    if isinstance(root, ssl.SSLError):
        return _tls_failure(host, root)
    if isinstance(error, httpx2.ProxyError):
        return TransportError(
            f"the proxy on the way to {host} refused: {error}", hint="check HTTPS_PROXY"
        )
    if isinstance(error, httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        # Not in the library's words: they quote the part of the address that it cannot read.
        return TransportError(
            f"cannot ask {host or 'an address without a host'}: no http address that can be read"
        )
    return _unreachable(
        host, _reason(root), transient=not _is_unknown_name(root), unreached=unreached
    )


def _root(error: BaseException) -> BaseException:
    for _ in range(_CAUSES):
        below = error.__cause__ or error.__context__
        if below is None:
            break
        error = below
    return error


def _is_unknown_name(root: BaseException) -> bool:
    """A resolver that cannot tell just now says so by another number."""
    from socket import EAI_NONAME, gaierror  # noqa: PLC0415 - only when something failed

    return isinstance(root, gaierror) and root.errno == EAI_NONAME


def _reason(root: BaseException) -> str:
    from socket import gaierror  # noqa: PLC0415 - only when something failed

    if isinstance(root, gaierror):
        return f"its name cannot be resolved ({root.strerror})"
    if isinstance(root, ConnectionRefusedError):
        return "connection refused"
    if isinstance(root, ConnectionResetError | BrokenPipeError):
        return "the connection was reset"
    return (root.strerror if isinstance(root, OSError) else None) or str(root)


def _unreachable(
    host: str, reason: str, *, unreached: bool, transient: bool = True
) -> TransportError:
    from urllib.request import getproxies  # noqa: PLC0415 - only when something failed

    proxied = bool(getproxies().keys() & {"http", "https", "all"})
    also = ", and the proxy that HTTPS_PROXY or HTTP_PROXY names" if proxied else ""
    return TransportError(
        f"cannot reach {host}: {reason}",
        transient=transient,
        unreached=unreached,
        hint=f"check the name and the network{also}",
    )


def _tls_failure(host: str, error: ssl.SSLError) -> TransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(
            f"{host}: its TLS certificate is not trusted: {error.verify_message}",
            hint="name the authority that signed it in SSL_CERT_FILE",
        )
    reason = (error.reason or str(error)).replace("_", " ").lower()
    return TransportError(
        f"{host}: no TLS connection: {reason}",
        hint="if it speaks plain http only, give its address with http://",
    )
