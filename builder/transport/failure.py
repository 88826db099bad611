"""Why no answer came, in plain words."""

import re
import ssl
from collections.abc import Collection, Iterator
from contextlib import contextmanager

from builder.errors import TransportError
from builder.transport.message import host_of

_CONNECTING = {"connection.connect_tcp.started", "connection.connect_tcp.failed"}
"""What the library tells of a request until a connection stands."""
_CAUSES = 8
"""How far down a chain of exceptions its root is looked for."""
_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
"""What OpenSSL says of bytes that are not TLS."""
# https://www.rfc-editor.org/rfc/rfc8446#section-6.2
_OF_CERTIFICATES = re.compile(r"CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED")


@contextmanager
def plain_words(url: str, told: Collection[str] = ()) -> Iterator[None]:
    """Turn the library's errors into ours.

    Args:
        url: what was asked for.
        told: the events that the library told of that request so far.

    Raises:
        TransportError: in place of an error of the library's.
    """
    import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError) as error:
        raise _failure(url, error, told) from error


def _failure(url: str, error: Exception, told: Collection[str]) -> TransportError:
    import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

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
        return _tls_failure(host, root, in_handshake=isinstance(error, httpx2.ConnectError))
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


def _tls_failure(host: str, error: ssl.SSLError, *, in_handshake: bool) -> TransportError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return TransportError(
            f"{host}: its TLS certificate is not trusted: {error.verify_message}",
            hint="name the authority that signed it in SSL_CERT_FILE, or, as a file NAME.crt, "
            f"in the directory certs.d/{host} of ~/.config/containers",
        )
    name = error.reason or str(error)
    reason = name.replace("_", " ").lower()
    if "ALERT" in name and _OF_CERTIFICATES.search(name):
        return TransportError(
            f"{host} does not let this client in by its TLS certificate: {reason}",
            hint="put NAME.cert and NAME.key into the directory "
            f"certs.d/{host} of ~/.config/containers or /etc/containers, or of registry-certs",
        )
    return TransportError(
        f"{host}: no TLS connection: {reason}",
        plain_http=in_handshake and name in _NO_TLS,
        hint="if it speaks plain http only, name it in insecure-registries (--insecure-registry), "
        "or, if it is a mirror, begin its address with http://",
    )
