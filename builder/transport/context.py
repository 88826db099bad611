"""TLS contexts: whom this machine trusts, and by what it shows who it is."""

import os
import re
import ssl
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from builder.errors import TransportError
from builder.transport.failure import unusable
from builder.transport.tls import Tls

_BUNDLES = (
    *("/etc/ssl/cert.pem", "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem"),
    *("/etc/pki/tls/cert.pem", "/etc/ssl/certs/ca-certificates.crt", "/etc/ssl/ca-bundle.pem"),
)
"""Where distributions keep all authorities in one file, for a Python that was built elsewhere."""
_HASHED = re.compile(r"[0-9a-f]{8}\.\d+")


def tls_context(tls: Tls) -> ssl.SSLContext:
    """What the environment says of TLS, and ``tls``; reading all authorities takes 30 ms.

    Raises:
        TransportError: a file cannot be read, or is not what it should be.
    """
    context = _trusting() if tls.verify else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
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


def _trusting() -> ssl.SSLContext:
    """One that trusts whom the environment names, else whom the system trusts."""
    file, directory = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    try:
        if file or directory:
            return ssl.create_default_context(cafile=file, capath=None if file else directory)
        if sys.platform != "linux":
            # Elsewhere no file holds them: the library asks the system.
            import httpx2  # noqa: PLC0415, TID251 - this is the room that the ban points to

            return httpx2.create_ssl_context()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        file, directory = _of_the_system()
        if file or directory:
            context.load_verify_locations(file, directory)
    except (OSError, ImportError) as error:
        raise unusable(str(error)) from error
    return context


def _of_the_system() -> tuple[str | None, str | None]:
    """The file and the directory of authorities that OpenSSL was built for, or those there are."""
    built_for = ssl.get_default_verify_paths()
    file, directory = built_for.openssl_cafile, built_for.openssl_capath
    has_file = os.path.isfile(file)  # noqa: PTH113 - a name that may be empty
    has_directory = os.path.isdir(directory) and any(  # noqa: PTH112 - the same
        map(_HASHED.fullmatch, os.listdir(directory))  # noqa: PTH208 - the same
    )
    if has_file or has_directory:
        return (file if has_file else None), (directory if has_directory else None)
    return next((bundle for bundle in _BUNDLES if Path(bundle).is_file()), None), None


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
