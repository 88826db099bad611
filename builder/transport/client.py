"""Connections to HTTP servers, kept and shared."""

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from builder.errors import TransportError
from builder.transport.failure import plain_words
from builder.transport.message import Headers, Request, Response
from builder.transport.tls import Tls, tls_context
from layers.digest import CHUNK
from layers.entries import Content

if TYPE_CHECKING:
    import httpx2  # noqa: TID251 - this is the room that the ban points to

_MAX_REDIRECTS = 5
_WITH_BODY = {307, 308}
"""The redirects that ask for the same request again, whatever its method."""
_WORTH_READING = 64 << 10
"""A connection is of more use than this many bytes cost."""

_LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
"""Hosts that are this machine; a proxy could not reach them."""


class HttpTransport:
    """The ``Transport`` of real life: HTTP/1.1, connections kept and shared.

    Proxies come from ``HTTP_PROXY``, ``HTTPS_PROXY`` and ``NO_PROXY`` (never for this machine
    itself), certificate authorities from ``SSL_CERT_FILE``, ``SSL_CERT_DIR`` or the system.
    GET and HEAD follow redirects, the other methods those that keep them what they are (307 and
    308); ``Authorization`` goes along to the same host only.

    Args:
        tls: how TLS is spoken with ``host``. Other hosts, which it may redirect to, are always
            verified and never shown a client's certificate; its authorities count for them too.
        host: and port, as an address has it.
        connect_seconds: until a connection stands, TLS included.
        read_seconds: between two pieces of an answer.
        commit_seconds: until a PUT is answered, when that is more: a server may well look through
            all that it got before it says that it has it.

    Raises:
        TransportError: the environment names a proxy or certificates that cannot be used, or
            ``tls`` does.
    """

    def __init__(
        self,
        *,
        tls: Tls | None = None,
        host: str | None = None,
        connect_seconds: float = 3,
        read_seconds: float = 30,
        commit_seconds: float = 0,
    ) -> None:
        self._tls = tls or Tls()
        self._connect_seconds = connect_seconds
        self._read_seconds = read_seconds
        self._commit_seconds = max(read_seconds, commit_seconds)
        self._own = _origin(f"https://{host}") if host else None
        self._client = self._opened(self._tls if host else _for_others(self._tls))
        self._others: httpx2.Client | None = None
        self._lock = threading.Lock()

    def send(self, request: Request) -> Response:
        """Ask, follow redirects, and return when status and headers are here.

        Raises:
            TransportError: no answer came, or redirects that nobody should follow.
        """
        told: set[str] = set()
        with plain_words(request.url, told):
            sent = self._client.build_request(
                request.method,
                request.url,
                headers=dict(request.headers),
                content=_content(request.body),
                timeout=self._timeout(request.method),
                extensions={"trace": lambda event, _: told.add(event)},
            )
            answer = self._send(sent)
            if request.follows:
                answer = self._follow(answer)
        return Response(
            status=answer.status_code,
            headers=Headers(answer.headers),
            body=_Stream(answer, self._client_for(answer.url)),
            url=str(answer.url),
        )

    def close(self) -> None:
        """Close every connection."""
        self._client.close()
        if self._others:
            self._others.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _opened(self, tls: Tls) -> "httpx2.Client":
        import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

        try:
            return httpx2.Client(
                verify=tls_context(tls),
                # A blob is what the registry stores, so no coding may be put around it on the way.
                headers={"User-Agent": _user_agent(), "Accept-Encoding": "identity"},
                mounts={f"all://{host}": None for host in _LOOPBACK},
            )
        except httpx2.InvalidURL:
            # Not in the library's words: a part of the password may be what it cannot read.
            raise _unusable("the address of a proxy cannot be read") from None
        except (OSError, ValueError, ImportError) as error:
            raise _unusable(str(error)) from error

    def _timeout(self, method: str) -> "httpx2.Timeout":
        import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

        return httpx2.Timeout(
            self._read_seconds,
            connect=self._connect_seconds,
            read=self._commit_seconds if method == "PUT" else self._read_seconds,
        )

    def _send(self, request: "httpx2.Request") -> "httpx2.Response":
        return self._client_for(request.url).send(request, stream=True)

    def _client_for(self, url: "httpx2.URL") -> "httpx2.Client":
        """Whoever is not the host itself is neither trusted blindly nor shown a certificate."""
        others = _for_others(self._tls)
        if self._own is None or others == self._tls or _origin(str(url)) == self._own:
            return self._client
        with self._lock:
            self._others = self._others or self._opened(others)
            return self._others

    def _follow(self, answer: "httpx2.Response") -> "httpx2.Response":
        first = answer.url
        for _ in range(_MAX_REDIRECTS):
            following = answer.next_request
            keeps = answer.request.method in {"GET", "HEAD"} or answer.status_code in _WITH_BODY
            if following is None or not keeps:
                return answer
            _let_go(answer, self._client_for(answer.url))
            if (answer.url.scheme, following.url.scheme) == ("https", "http"):
                raise TransportError(
                    f"{answer.url.host} redirects from https to plain http, "
                    f"to {following.url.host}; refused"
                )
            answer = self._send(following)
        answer.close()
        raise TransportError(f"{first.host} redirected more than {_MAX_REDIRECTS} times")


class _Stream:
    """The undecoded body of an answer of the library's."""

    def __init__(self, answer: "httpx2.Response", client: "httpx2.Client") -> None:
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
    answer: "httpx2.Response", client: "httpx2.Client", pieces: Iterator[bytes] | None = None
) -> None:
    """Close an answer; when little of it is missing, so that its connection can be used again."""
    import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

    promised = answer.headers.get("content-length", "")
    is_empty = answer.request.method == "HEAD"
    missing = int(promised) - answer.num_bytes_downloaded if promised.isdecimal() else None
    is_short = missing is not None and missing <= _WORTH_READING
    # A closed client would never close a connection that is given back to it.
    if (is_empty or is_short) and not client.is_closed:
        with contextlib.suppress(httpx2.HTTPError, httpx2.StreamError):
            for _ in pieces or answer.iter_raw():
                pass
    answer.close()


def _unusable(reason: str) -> TransportError:
    return TransportError(
        f"cannot set up HTTP from this environment: {reason}",
        hint="look at SSL_CERT_FILE, SSL_CERT_DIR, HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
    )


@dataclass(frozen=True, slots=True)
class _Reopened:
    """Content as an iterable that begins anew each time: a redirected upload is sent again."""

    content: Content

    def __iter__(self) -> Iterator[bytes]:
        with self.content.open() as stream:
            while data := stream.read(CHUNK):
                yield data


def _for_others(tls: Tls) -> Tls:
    return replace(tls, certificates=(), verify=True)


def _origin(url: str) -> tuple[str, str, int | None]:
    import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

    with plain_words(url):
        parsed = httpx2.URL(url)
    port = parsed.port or {"https": 443, "http": 80}.get(parsed.scheme)
    return parsed.scheme, parsed.host, port


def _content(body: bytes | Content | None) -> Any:
    return body if body is None or isinstance(body, bytes) else _Reopened(body)


def _user_agent() -> str:
    try:
        return f"image-builder/{metadata.version('image-builder')}"
    except metadata.PackageNotFoundError:
        return "image-builder"
