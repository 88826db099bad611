"""A certificate authority of our own, made by ``openssl``, for servers on 127.0.0.1."""

import shutil
import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

# A config of our own: what the machine's says about extensions differs from system to system.
_CONFIG = "[req]\ndistinguished_name = name\n[name]\n"
_EC = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1")
_RSA = ("-newkey", "rsa:2048")
_AUTHORITY = ("basicConstraints=critical,CA:TRUE", "keyUsage=critical,keyCertSign,cRLSign")
_SERVER = ("subjectAltName=IP:127.0.0.1,DNS:localhost", "extendedKeyUsage=serverAuth")
_CLIENT = ("extendedKeyUsage=clientAuth",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A certificate and its key, as PEM files."""

    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """An authority that no system trusts, and what it signed for a server and for a client."""

    authority: Pair
    server: Pair
    client: Pair

    @classmethod
    def make(cls, directory: Path) -> Self:
        directory.mkdir(parents=True, exist_ok=True)
        authority = _make(directory, "authority", _EC, _AUTHORITY)
        return cls(
            authority=authority,
            server=_make(directory, "server", _EC, _SERVER, signed_by=authority),
            client=_make(directory, "client", _EC, _CLIENT, signed_by=authority),
        )

    def server_context(self, *, wants_client: bool) -> ssl.SSLContext:
        """For a server; with ``wants_client`` it refuses clients without a certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server.certificate, self.server.key)
        context.load_verify_locations(self.authority.certificate)
        context.verify_mode = ssl.CERT_REQUIRED if wants_client else ssl.CERT_NONE
        return context

    def client_context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.load_cert_chain(self.client.certificate, self.client.key)
        return context

    def write_certs_d(self, directory: Path, host: str) -> None:
        """What a client reads about ``host`` below ``directory``, as containers and Docker do."""
        place = directory / host
        place.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.authority.certificate, place / "ca.crt")
        shutil.copyfile(self.client.certificate, place / "client.cert")
        shutil.copyfile(self.client.key, place / "client.key")


def signing_pair(directory: Path) -> Pair:
    """A pair that signs tokens: RSA, whose signatures need no change of form for a JWT."""
    directory.mkdir(parents=True, exist_ok=True)
    return _make(directory, "tokens", _RSA, ("keyUsage=critical,digitalSignature",))


def _make(
    directory: Path,
    name: str,
    kind: tuple[str, ...],
    extensions: tuple[str, ...],
    *,
    signed_by: Pair | None = None,
) -> Pair:
    pair = Pair(certificate=directory / f"{name}.crt", key=directory / f"{name}.key")
    config = directory / "openssl.cnf"
    config.write_text(_CONFIG)
    signer = ("-CA", signed_by.certificate, "-CAkey", signed_by.key) if signed_by else ()
    files = ("-config", config, "-keyout", pair.key, "-out", pair.certificate)
    added = [word for extension in extensions for word in ("-addext", extension)]
    subject = ("-nodes", "-days", "30", "-subj", f"/CN=tests {name}")
    subprocess.run(
        ["openssl", "req", "-x509", *kind, *signer, *files, *added, *subject],
        check=True,
        capture_output=True,
    )
    return pair
