"""Bearer tokens: what they are good for, how they are asked for and read.

https://distribution.github.io/distribution/spec/auth/token/
https://distribution.github.io/distribution/spec/auth/oauth/
"""

import email.utils
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from builder.errors import RegistryError
from builder.registry.challenge import Challenge
from builder.registry.credential import Credential, registry_name
from builder.retry import PASSING
from builder.transport import Request, Response, host_of

REFUSED = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
"""How token servers say no to who asks, or to what is asked for."""

_MAX_TOKEN = 1 << 20
_CLIENT = "image-builder"
_USUAL_SECONDS = 60
"""How long a token lasts that does not say."""
_YEAR = 365 * 86400
_SPARE_SECONDS = 10
_FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Permission:
    """What a request carries to be let in.

    Attributes:
        header: the value of ``Authorization``.
        rights: what it was asked for, as pairs of a resource and an action; empty for a password.
        seconds: how long it may be used, from when it was asked for; None: for ever.
    """

    header: str
    rights: frozenset[tuple[str, str]] = frozenset()
    seconds: float | None = None


def rights(scopes: Collection[str]) -> frozenset[tuple[str, str]]:
    """Scopes such as ``repository:a/b:pull,push``, as pairs of a resource and one action."""
    divided = [scope.rpartition(":") for scope in scopes]
    return frozenset((name, each) for name, _, acts in divided for each in acts.split(","))


def indispensable(scopes: frozenset[str]) -> frozenset[str]:
    """Scopes without those that only read beside one that writes.

    Such are the sources of mounts; who may not read one can still upload.
    """
    writing = {scope for scope in scopes if "push" in scope.rpartition(":")[2].split(",")}
    return frozenset(writing) or scopes


def token_request(
    challenge: Challenge, scopes: Collection[str], credential: Credential | None, asked: str
) -> Request:
    """The request for a token.

    Args:
        challenge: of the bearer scheme.
        scopes: what it shall be good for.
        credential: who asks; nobody when None.
        asked: the address that the challenge came from.

    Raises:
        RegistryError: the challenge sends to a place where no secret may go.
    """
    realm = challenge.realm.partition("#")[0]
    _check_realm(realm, asked)
    service = challenge.parameters.get("service", "")
    fields = [("service", service)] if service else []
    if credential and credential.identity_token:
        fields += [("scope", " ".join(sorted(scopes)))] if scopes else []
        fields += [("grant_type", "refresh_token"), ("client_id", _CLIENT)]
        fields += [("refresh_token", credential.identity_token)]
        body = urlencode(fields).encode()
        return Request(url=realm, method="POST", headers=_FORM, body=body, follows=False)
    fields += [("scope", scope) for scope in sorted(scopes)]
    headers = {}
    if credential and credential.basic:
        fields += [("account", credential.username)] if credential.username else []
        headers = {"Authorization": credential.basic}
    if not fields:
        return Request(url=realm, headers=headers)
    joint = "&" if "?" in realm else "?"
    return Request(url=f"{realm}{joint}{urlencode(fields)}", headers=headers)


def _check_realm(realm: str, asked: str) -> None:
    scheme = realm.partition("://")[0].lower() if "://" in realm else ""
    if scheme not in {"http", "https"} or (scheme == "http" and asked.startswith("https:")):
        raise RegistryError(
            # Not the address itself: what else is in it may be secret.
            f"{host_of(asked)} sends for a token to {host_of(realm) or 'no host'} "
            f"by {scheme or 'no scheme'}; refused: "
            "tokens are not fetched over less than the registry's own scheme",
            status=HTTPStatus.UNAUTHORIZED,
        )


def read_token(answer: Response, challenge: Challenge, scopes: Collection[str]) -> Permission:
    """The token that a server gave.

    Raises:
        RegistryError: it gave none, or none that could be sent.
        TransportError: the connection broke.
    """
    attempt = _attempt(challenge)
    try:
        value = json.loads(answer.read(_MAX_TOKEN))
        # Two names for one thing: the older clients' and OAuth 2's.
        token = value.get("token") or value.get("access_token")
    except (ValueError, AttributeError):
        value, token = {}, None
    if not isinstance(token, str) or not token.isprintable() or not token.isascii():
        raise RegistryError(f"{attempt}: the answer holds no token", status=answer.status)
    seconds = _lifetime(value, answer.headers.get("date", ""))
    return Permission(header=f"Bearer {token}", rights=rights(scopes), seconds=seconds)


def token_refusal(
    answer: Response, challenge: Challenge, credential: Credential | None, asked: str
) -> RegistryError:
    """The error for a server that gave no token.

    Raises:
        TransportError: the connection broke while the reason was read.
    """
    # What servers mean when they refuse: mostly they do not.
    from builder.registry.refusal import refusal  # noqa: PLC0415

    error = refusal(answer, _attempt(challenge))
    if answer.status not in PASSING:
        # Whatever it answered: it is not the registry that spoke of a repository.
        error.status = HTTPStatus.UNAUTHORIZED
    if answer.status in REFUSED:
        error.hint = f"{_advice(answer.status, credential)}: {login_command(asked)}"
    return error


def login_command(url: str) -> str:
    """How a user logs in at the registry of an address."""
    return f"python -m builder login {registry_name(host_of(url))}"


def _advice(status: int, credential: Credential | None) -> str:
    if credential is None:
        return "it gives no token to somebody unknown; log in"
    if credential.identity_token:
        return "what was logged in with is no longer good; log in again"
    if status == HTTPStatus.FORBIDDEN:
        return "the user name or password is wrong, or may not do this; to log in anew"
    return "the user name or password is wrong"


def _attempt(challenge: Challenge) -> str:
    return f"fetching a token from {host_of(challenge.realm)}"


def _lifetime(value: Mapping[str, Any], date: str) -> float:
    """Seconds that a token may be used: a little less than it lasts."""
    stated = value.get("expires_in")
    lasts: float = _USUAL_SECONDS
    if isinstance(stated, int | float) and stated > 0:
        lasts = min(stated, _YEAR)
    return lasts - min(_SPARE_SECONDS, lasts / 5) - _age(value.get("issued_at"), date)


def _age(issued_at: object, date: str) -> float:
    """How old a token was when it was given; told by the server's own clock, ours may differ."""
    try:
        issued = datetime.fromisoformat(str(issued_at))
        given = email.utils.parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return 0
    if issued.tzinfo is None:
        issued = issued.replace(tzinfo=UTC)
    return max(0.0, given - issued.timestamp())
