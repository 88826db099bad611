"""Whoever is asked over HTTP: straight, or by a proxy of the environment's."""

import os
import threading
from dataclasses import replace
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urljoin, urlsplit

from builder import __version__
from builder.errors import TransportError
from builder.transport.address import PORTS, Origin, has_proxies, is_behind_proxy, origin_of
from builder.transport.message import Request, Response, host_of
from builder.transport.tls import Tls

if TYPE_CHECKING:
    from ssl import SSLContext

    from builder.transport.direct import DirectConnections
    from builder.transport.pooled import PooledConnections

_MAX_REDIRECTS = 5
_REDIRECTS = {301, 302, 303, 307, 308}
_WITH_BODY = {307, 308}
"""The redirects that ask for the same request again, whatever its method."""
_QUESTIONS = {"GET", "HEAD"}
_USER_AGENT = f"image-builder/{__version__}"


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
        self._own = origin_of(f"https://{host}") if host else None
        self._lock = threading.RLock()
        self._contexts: dict[Tls, SSLContext] = {}
        self._direct: DirectConnections | None = None
        self._pools: dict[Tls, PooledConnections] = {}
        self._check()

    def send(self, request: Request) -> Response:
        """Ask, follow redirects, and return when status and headers are here.

        Raises:
            TransportError: no answer came, or redirects that nobody should follow.
        """
        answer, first, followed = self._once(request), request, 0
        while following := _following(request, answer):
            answer.close()
            followed += 1
            if followed > _MAX_REDIRECTS:
                host = urlsplit(first.url).hostname
                raise TransportError(f"{host} redirected more than {_MAX_REDIRECTS} times")
            request = following
            try:
                answer = self._once(request)
            except TransportError as error:
                # Whoever sent there was reached.
                error.unreached = False
                raise
        return answer

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for pool in self._pools.values():
                pool.close()
            if self._direct:
                self._direct.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _check(self) -> None:
        """Tell what is wrong before anybody is asked; what takes long waits until it is needed."""
        named = os.environ.get("SSL_CERT_FILE")
        is_missing = bool(named) and not os.access(str(named), os.R_OK)
        if is_missing or self._tls.authorities or self._tls.certificates:
            self._context(self._tls)
        if has_proxies():
            self._pool(_for_others(self._tls))

    def _once(self, request: Request) -> Response:
        origin = origin_of(request.url)
        if origin is not None and not is_behind_proxy(origin):
            return self._straight().ask(request)
        return self._pool(self._tls_for(request.url)).ask(request)

    def _straight(self) -> "DirectConnections":
        # The standard library's client takes 20 ms to import, and many builds ask nobody.
        from builder.transport.direct import DirectConnections  # noqa: PLC0415

        with self._lock:
            if self._direct is None:
                self._direct = DirectConnections(
                    contexts=self._context_for,
                    user_agent=_USER_AGENT,
                    connect_seconds=self._connect_seconds,
                    read_seconds=self._seconds_for,
                )
            return self._direct

    def _pool(self, tls: Tls) -> "PooledConnections":
        # httpx2 takes 150 ms to import, and most machines have no proxy.
        from builder.transport.pooled import PooledConnections  # noqa: PLC0415

        with self._lock:
            if tls not in self._pools:
                self._pools[tls] = PooledConnections(
                    self._context(tls),
                    user_agent=_USER_AGENT,
                    connect_seconds=self._connect_seconds,
                    read_seconds=self._seconds_for,
                )
            return self._pools[tls]

    def _context(self, tls: Tls) -> "SSLContext":
        from builder.transport.context import tls_context  # noqa: PLC0415 - ssl takes its time

        with self._lock:
            if tls not in self._contexts:
                self._contexts[tls] = tls_context(tls)
            return self._contexts[tls]

    def _context_for(self, url: str, /, *, verifies: bool) -> "SSLContext":
        tls = self._tls_for(url)
        return self._context(tls if verifies else replace(tls, verify=False))

    def _tls_for(self, url: str) -> Tls:
        """Whoever is not the host itself is neither trusted blindly nor shown a certificate."""
        is_own = self._own is not None and origin_of(url) == self._own
        return self._tls if is_own else _for_others(self._tls)

    def _seconds_for(self, method: str) -> float:
        return self._commit_seconds if method == "PUT" else self._read_seconds


def _for_others(tls: Tls) -> Tls:
    return replace(tls, certificates=(), verify=True)


def _following(request: Request, answer: Response) -> Request | None:
    """The request that an answer redirects to; None when it does not, or nobody should follow.

    Raises:
        TransportError: it leads to where nothing safe may come from.
    """
    keeps = request.method in _QUESTIONS or answer.status in _WITH_BODY
    location = answer.headers.get("location")
    if not (request.follows and keeps and location and answer.status in _REDIRECTS):
        return None
    asked = answer.url or request.url
    try:
        url = _joined(asked, location)
    except TransportError:
        answer.close()
        raise
    headers = dict(request.headers)
    if not _is_same(origin_of(asked), origin_of(url)):
        headers = {name: v for name, v in headers.items() if name.lower() != "authorization"}
    return replace(request, url=url, headers=headers)


def _joined(asked: str, location: str) -> str:
    """Where a redirect leads.

    Raises:
        TransportError: to no address, or from https to plain http.
    """
    try:
        url = urljoin(asked, location).partition("#")[0]
        # By the scheme alone, whatever server an odd address turns out to name.
        before, after = urlsplit(asked), urlsplit(url)
    except ValueError:
        raise TransportError(
            f"{host_of(asked)} redirects to what is no http address that can be read"
        ) from None
    if (before.scheme, after.scheme) == ("https", "http"):
        raise TransportError(
            f"{host_of(asked)} redirects from https to plain http, "
            f"to {after.hostname or 'no host'}; refused"
        )
    return url


def _is_same(before: Origin | None, after: Origin | None) -> bool:
    """Whether both are one server; also when it only wants to be spoken with by TLS."""
    if before is None or after is None:
        return False
    is_upgrade = (before[0], before[2]) == ("http", PORTS["http"])
    return before == after or (is_upgrade and after == ("https", before[1], PORTS["https"]))
