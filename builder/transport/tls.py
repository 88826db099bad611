"""How TLS is spoken: whom this machine trusts, and by what it shows who it is."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from builder.errors import TransportError


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How TLS is spoken with one server, beyond what the environment says.

    Attributes:
        authorities: PEM files that are trusted beside the system's.
        certificates: PEM files of this client's certificate and key, in pairs; the first of one
            kind of key counts.
        verify: whether the server's certificate has to be a good one.
    """

    authorities: tuple[Path, ...] = ()
    certificates: tuple[tuple[Path, Path], ...] = ()
    verify: bool = True


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the environment says of TLS, and ``tls``.

    Raises:
        TransportError: a file cannot be read, or is not what it should be.
        OSError: one that the environment names cannot.
    """
    import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

    context = httpx2.create_ssl_context()
    for path in tls.authorities:
        with _use_of(path, "a certificate authority"):
            context.load_verify_locations(path)
    # Of one kind of key, the one that comes last is kept.
    for certificate, key in reversed(tls.certificates):
        with _use_of(certificate, "a client certificate"), key.open("rb"):
            # Without a password, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password="")
    if not tls.verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


@contextmanager
def _use_of(path: Path, purpose: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        named = error.filename or path
        raise TransportError(
            f"cannot use {named} as {purpose}: {_reason(error)}",
            hint="expected PEM files, with a key that needs no password and fits its certificate",
        ) from None


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it holds none").replace("_", " ").lower()
    return error.strerror or str(error)
