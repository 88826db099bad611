"""Debian's real registry, ``docker-registry``, on a loopback port of its own, in four shapes."""

import base64
import ctypes
import http.client
import json
import re
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self, get_args

from tests.registry_client.certificates import Certificates
from tests.registry_client.token_server import ISSUER, SERVICE, TokenServer, serve_tokens

type Shape = Literal["open", "htpasswd", "token", "tls"]
SHAPES: tuple[Shape, ...] = get_args(Shape.__value__)
"""How a registry lets clients in: anyone, by Basic, by tokens, by client certificates over TLS."""

USERNAME = "robot"
PASSWORD = "opensesame, the password"

_LISTENING = re.compile(r"listening on (127\.0\.0\.1:\d+)")
_ANSWERED = re.compile(r'"(?P<method>[A-Z]+) (?P<path>\S+) HTTP/[\d.]+" (?P<status>\d{3}) ')
_OCI = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"
_MARK = "end-of-list-"
_PATIENCE = 10.0
_SALT = b"$2b$05$abcdefghijklmnopqrstuu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request that the registry answered; ``path`` holds the query too."""

    method: str
    path: str
    status: int


class Registry:
    """A registry that keeps its blobs in ``storage`` and runs while its context is open.

    It is open to everyone, unless it has one of these.

    Args:
        storage: made when it is not there; configuration and logs are kept there too.
        users: names and passwords, for Basic authentication.
        tokens: signs the tokens that the registry asks for.
        certificates: it speaks TLS, and takes clients that have a certificate.
    """

    def __init__(
        self,
        storage: Path,
        *,
        users: Mapping[str, str] | None = None,
        tokens: TokenServer | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self.storage = storage
        self.tokens = tokens
        self.certificates = certificates
        self._users = users or {}
        self._access = storage / "access.log"
        self._log = storage / "registry.log"
        self._process: subprocess.Popen[bytes] | None = None
        self._host = ""

    @property
    def host(self) -> str:
        """The address as references have it: ``127.0.0.1:PORT``."""
        return self._host

    @property
    def url(self) -> str:
        """The address as HTTP clients have it."""
        return f"{'https' if self.certificates else 'http'}://{self.host}"

    @property
    def credentials(self) -> tuple[str, str] | None:
        """The name and password of a user who may do everything; None when nobody is asked."""
        users = self.tokens.users if self.tokens else self._users
        return next(iter(users.items()), None)

    @property
    def certs_dir(self) -> Path | None:
        """A ``certs.d`` that holds what clients of this registry need; None without TLS."""
        return self.storage / "certs.d" if self.certificates else None

    def connect(self) -> http.client.HTTPConnection:
        """A connection of the lowest kind, with a client certificate where one is wanted."""
        if self.certificates is None:
            return http.client.HTTPConnection(self.host, timeout=_PATIENCE)
        context = self.certificates.client_context()
        return http.client.HTTPSConnection(self.host, timeout=_PATIENCE, context=context)

    def __enter__(self) -> Self:
        self.storage.mkdir(parents=True, exist_ok=True)
        config = self.storage / "config.json"  # YAML is a superset of JSON
        config.write_text(json.dumps(self._config()))
        # An environ of our own: REGISTRY_* variables would change the config.
        with self._access.open("wb") as access, self._log.open("wb") as log:
            self._process = subprocess.Popen(
                ["docker-registry", "serve", config],
                stdin=subprocess.DEVNULL,
                stdout=access,
                stderr=log,
                env={"PATH": "/usr/bin:/bin"},
            )
        try:
            process = self._process
            self._host = _wait_for(lambda: self._address(process), self._log)
            if self.certificates and self.certs_dir:
                self.certificates.write_certs_d(self.certs_dir, self._host)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def read(self, repository: str, path: str) -> bytes | None:
        """What lies there, as someone who may do everything gets it; None when there is nothing.

        Args:
            repository: its name.
            path: in it, e.g. ``manifests/latest``; a manifest is one of OCI's.
        """
        headers = {"Accept": _OCI, **self._permission(repository)}
        with closing(self.connect()) as connection:
            connection.request("GET", f"/v2/{repository}/{path}", headers=headers)
            answer = connection.getresponse()
            body = answer.read()
        if answer.status not in {200, 404}:
            raise RuntimeError(f"{repository}/{path}: {answer.status} {body!r}")
        return body if answer.status == 200 else None

    def stop(self) -> None:
        """End the process; a test may do so early, to see what a dead registry looks like."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None

    def requests(self) -> list[Request]:
        """What was asked since the start, in the order of the answers.

        A line is written just after its answer is sent, so a request of our own ends the list.
        """
        mark = f"/{_MARK}{uuid.uuid4()}"
        with closing(self.connect()) as connection:
            connection.request("GET", mark)
            connection.getresponse().read()
        lines = _wait_for(lambda: self._lines_up_to(mark), self._access)
        found = filter(None, map(_ANSWERED.search, lines))
        asked = [
            Request(method=m["method"], path=m["path"], status=int(m["status"])) for m in found
        ]
        return [request for request in asked if _MARK not in request.path]

    def _permission(self, repository: str) -> dict[str, str]:
        if self.tokens:
            token = self.tokens.token(USERNAME, [f"repository:{repository}:pull"])
            return {"Authorization": f"Bearer {token}"}
        if self.credentials:
            basic = base64.b64encode(":".join(self.credentials).encode()).decode()
            return {"Authorization": f"Basic {basic}"}
        return {}

    def _lines_up_to(self, mark: str) -> list[str] | None:
        lines = self._access.read_text().splitlines()
        return lines if any(mark in line for line in lines) else None

    def _config(self) -> dict[str, object]:
        # Port 0: the kernel chooses, so no other process can take the port first.
        listen: dict[str, object] = {"addr": "127.0.0.1:0", "secret": "of no use to anyone"}
        if self.certificates:
            listen["tls"] = _tls(self.certificates)
        config: dict[str, object] = {
            "version": "0.1",
            "log": {"level": "info", "formatter": "text", "accesslog": {"disabled": False}},
            "storage": {
                "filesystem": {"rootdirectory": str(self.storage / "data")},
                "delete": {"enabled": True},
                "maintenance": {"uploadpurging": {"enabled": False}},
            },
            "http": listen,
        }
        if self.tokens:
            config["auth"] = {"token": _token_auth(self.tokens)}
        if self._users:
            passwords = self.storage / "htpasswd"
            lines = [f"{name}:{_bcrypt(password)}\n" for name, password in self._users.items()]
            passwords.write_text("".join(lines))
            config["auth"] = {"htpasswd": {"realm": "tests", "path": str(passwords)}}
        return config

    def _address(self, process: subprocess.Popen[bytes]) -> str | None:
        log = self._log.read_text()
        if process.poll() is not None:
            raise RuntimeError(f"docker-registry exited {process.returncode}\n{log}")
        listening = _LISTENING.search(log)
        return listening[1] if listening else None


@contextmanager
def serve_shape(shape: Shape, storage: Path) -> Iterator[Registry]:
    """A running registry of a shape; ``USERNAME`` may do everything where a user is asked for."""
    users = {USERNAME: PASSWORD}
    if shape == "token":
        with (
            serve_tokens(storage, users) as tokens,
            Registry(storage, tokens=tokens) as registry,
        ):
            yield registry
        return
    certificates = Certificates.make(storage) if shape == "tls" else None
    basic = users if shape == "htpasswd" else None
    with Registry(storage, users=basic, certificates=certificates) as registry:
        yield registry


def _token_auth(tokens: TokenServer) -> dict[str, str]:
    return {
        "realm": tokens.realm,
        "service": SERVICE,
        "issuer": ISSUER,
        "rootcertbundle": str(tokens.signer.certificate),
    }


def _tls(certificates: Certificates) -> dict[str, object]:
    return {
        "certificate": str(certificates.server.certificate),
        "key": str(certificates.server.key),
        "clientcas": [str(certificates.authority.certificate)],
    }


def _wait_for[T](ask: Callable[[], T | None], log: Path) -> T:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        if (answer := ask()) is not None:
            return answer
        time.sleep(0.01)
    raise TimeoutError(f"docker-registry: nothing for {_PATIENCE} s\n{log.read_text()}")


def _bcrypt(password: str) -> str:
    """The only hash that the registry takes; Python has none, the C library of the login does."""
    library = ctypes.CDLL("libcrypt.so.1")
    library.crypt.restype = ctypes.c_char_p
    hashed: bytes = library.crypt(password.encode(), _SALT)
    return hashed.decode()
