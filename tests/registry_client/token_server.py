"""A server that gives out tokens for a registry: who may do what, for how long.

https://distribution.github.io/distribution/spec/auth/token/
https://distribution.github.io/distribution/spec/auth/oauth/
"""

import base64
import binascii
import json
import subprocess
import threading
import time
import uuid
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from tests.registry_client.certificates import Pair, signing_pair
from tests.registry_client.serving import Handler, Server, running

ANONYMOUS = ""
SERVICE = "tests registry"
ISSUER = "tests issuer"
_LEEWAY_SECONDS = 60  # docker-registry takes a token for so long after its end
_ALL = {"*": ("pull", "push", "delete")}

type Grants = Mapping[str, Mapping[str, Collection[str]]]
"""By user: patterns of repositories' names, and the actions allowed there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TokenRequest:
    """One request for a token, however it ended.

    Attributes:
        grant: ``anonymous``, ``basic``, ``password`` or ``refresh_token``.
        username: whom the credentials name; empty for nobody.
        scopes: as asked, e.g. ``repository:a/b:pull,push``.
    """

    method: str
    grant: str
    username: str
    service: str
    scopes: tuple[str, ...]
    status: int


@dataclass(slots=True, kw_only=True)
class TokenServer:
    """Signs what ``grants`` allow; settings may be changed while it runs.

    Attributes:
        signer: the registry trusts what it signs.
        users: names and passwords.
        grants: every user may do everything and nobody else anything, when there are none.
        lifetime_seconds: how long the registry takes a token, to the second.
        promised_seconds: what answers say of it (``expires_in``); None says nothing.
    """

    signer: Pair
    users: Mapping[str, str] = field(default_factory=dict)
    grants: Grants = field(default_factory=dict)
    lifetime_seconds: int = 300
    promised_seconds: int | None = None
    realm: str = ""
    _log: list[TokenRequest] = field(default_factory=list)
    _identities: dict[str, str] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def requests(self) -> list[TokenRequest]:
        """What was asked since the start."""
        with self._lock:
            return list(self._log)

    def identity_token(self, username: str) -> str:
        """A refresh token, which stands for the user and the password."""
        token = f"identity-{uuid.uuid4()}"
        with self._lock:
            self._identities[token] = username
        return token

    def user_of(self, identity: str) -> str | None:
        with self._lock:
            return self._identities.get(identity)

    def note(self, request: TokenRequest) -> None:
        with self._lock:
            self._log.append(request)

    def token(self, username: str, scopes: Collection[str]) -> str:
        """A signed token for what the user may do of ``scopes``.

        https://distribution.github.io/distribution/spec/auth/jwt/
        """
        now = int(time.time())
        claims = {
            "iss": ISSUER,
            "sub": username,
            "aud": SERVICE,
            "exp": now + self.lifetime_seconds - _LEEWAY_SECONDS,
            "nbf": now - _LEEWAY_SECONDS,
            "iat": now,
            "jti": str(uuid.uuid4()),
            "access": [found for scope in scopes if (found := self._access(username, scope))],
        }
        pem = self.signer.certificate.read_text()
        certificate = "".join(pem.splitlines()[1:-1])
        header = {"typ": "JWT", "alg": "RS256", "x5c": [certificate]}
        signed = f"{_encoded(header)}.{_encoded(claims)}"
        done = subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", self.signer.key],
            input=signed.encode(),
            capture_output=True,
            check=True,
        )
        return f"{signed}.{_base64(done.stdout)}"

    def _access(self, username: str, scope: str) -> dict[str, Any] | None:
        kind, _, rest = scope.partition(":")
        name, _, actions = rest.rpartition(":")
        patterns = self.grants.get(username, {})
        if not self.grants and username != ANONYMOUS:
            patterns = _ALL
        granted = {a for p, allowed in patterns.items() if fnmatchcase(name, p) for a in allowed}
        given = [action for action in actions.split(",") if action in granted]
        return {"type": kind, "name": name, "actions": given} if given else None


class _Handler(Handler):
    tokens: TokenServer

    def do_GET(self) -> None:  # noqa: N802 - http.server's word
        query = parse_qs(urlsplit(self.path).query)
        field_ = self.headers.get("Authorization")
        if field_ is None:
            self._give("anonymous", ANONYMOUS, query, known=True)
            return
        username, password = _basic(field_)
        known = self.tokens.users.get(username) == password
        self._give("basic", username, query, known=known)

    def do_POST(self) -> None:  # noqa: N802 - http.server's word
        form = parse_qs(self.read_body().decode())
        grant = _first(form, "grant_type")
        if grant == "refresh_token":
            found = self.tokens.user_of(_first(form, "refresh_token"))
            self._give(grant, found or "", form, known=found is not None)
            return
        username = _first(form, "username")
        known = self.tokens.users.get(username) == _first(form, "password")
        self._give(grant, username, form, known=known and grant == "password")

    def _give(
        self, grant: str, username: str, asked: Mapping[str, list[str]], *, known: bool
    ) -> None:
        # A form has one field for all, a query one for each.
        scopes = tuple(scope for words in asked.get("scope", []) for scope in words.split())
        request = TokenRequest(
            method=self.command,
            grant=grant,
            username=username,
            service=_first(asked, "service"),
            scopes=scopes,
            status=200 if known else 401,
        )
        self.tokens.note(request)
        if not known:
            refused = {"errors": [{"code": "UNAUTHORIZED", "message": "who is that?"}]}
            self._say(401, refused)
            return
        answer: dict[str, Any] = {"access_token": self.tokens.token(username, scopes)}
        if self.command == "GET":
            answer["token"] = answer["access_token"]
        if self.tokens.promised_seconds is not None:
            answer["expires_in"] = self.tokens.promised_seconds
        offline = _first(asked, "offline_token") or _first(asked, "access_type")
        if offline in {"true", "offline"} and username:
            answer["refresh_token"] = self.tokens.identity_token(username)
        self._say(200, answer)

    def _say(self, status: int, value: object) -> None:
        self.answer(status, {"Content-Type": "application/json"}, json.dumps(value).encode())


@contextmanager
def serve_tokens(
    directory: Path, users: Mapping[str, str], *, grants: Grants | None = None
) -> Iterator[TokenServer]:
    """A running token server; its key and certificate are kept in ``directory``."""
    tokens = TokenServer(signer=signing_pair(directory), users=users, grants=grants or {})
    server = Server(type("_Tokens", (_Handler,), {"tokens": tokens}), None)
    tokens.realm = f"{server.url}/token"
    with running(server):
        yield tokens


def _basic(field_: str) -> tuple[str, str]:
    kind, _, encoded = field_.partition(" ")
    try:
        username, _, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return (username, password) if kind.lower() == "basic" else ("", "")


def _first(values: Mapping[str, list[str]], name: str) -> str:
    return values.get(name, [""])[0]


def _encoded(value: object) -> str:
    return _base64(json.dumps(value).encode())


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
