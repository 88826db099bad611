"""Why no answer came, in plain words."""

import re
from enum import Enum, auto
from ssl import SSLCertVerificationError, SSLError

from builder.errors import TransportError
from builder.transport.message import host_of

_NO_TLS = {"WRONG_VERSION_NUMBER", "RECORD_LAYER_FAILURE", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST"}
"""What OpenSSL says of bytes that are not TLS."""
# https://www.rfc-editor.org/rfc/rfc8446#section-6.2
_OF_CERTIFICATES = re.compile(r"CERTIFICATE|UNKNOWN_CA|ACCESS_DENIED")


class Stage(Enum):
    """How far a request had come."""

    CONNECTING = auto()
    HANDSHAKE = auto()
    ASKED = auto()


def explain(url: str, error: BaseException, stage: Stage) -> TransportError:
    """The error for a request to which no answer came, or not all of it.

    Args:
        url: what was asked for.
        error: what the operating system, TLS or a library said.
        stage: how far it had come.
    """
    host, unreached = host_of(url), stage is Stage.CONNECTING
    if isinstance(error, TimeoutError) and stage is Stage.ASKED:
        # Not transient: whoever waited that long once should not wait four times.
        return TransportError(
            f"{host} stopped answering: time-out", hint="try again later, or use a mirror"
        )
    if isinstance(error, TimeoutError):
        return _unreachable(host, "it did not take the connection in time", unreached=unreached)
    if isinstance(error, SSLError):
        return _tls_failure(host, error, in_handshake=stage is Stage.HANDSHAKE)
    transient = not _is_unknown_name(error)
    return _unreachable(host, _reason(error), transient=transient, unreached=unreached)


def broken_off(url: str) -> TransportError:
    """The error for an answer that ended before all of it was here."""
    return _unreachable(host_of(url), "it broke off in the middle of an answer", unreached=False)


def unreadable(url: str) -> TransportError:
    """The error for what is no http address; it may hold secrets, and only its host is shown."""
    shown = host_of(url) or "an address without a host"
    return TransportError(f"cannot ask {shown}: no http address that can be read")


def unusable(reason: str) -> TransportError:
    """The error for an environment that nobody can be asked from."""
    return TransportError(
        f"cannot set up HTTP from this environment: {reason}",
        hint="look at SSL_CERT_FILE, SSL_CERT_DIR, HTTP_PROXY, HTTPS_PROXY and ALL_PROXY",
    )


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


def _tls_failure(host: str, error: SSLError, *, in_handshake: bool) -> TransportError:
    if isinstance(error, SSLCertVerificationError):
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
