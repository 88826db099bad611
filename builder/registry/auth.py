"""How a request gets its permission, without any connection of its own.

A registry that wants permission answers 401 and a challenge; a bearer challenge names the server
that gives out tokens. ``Authorization.flow`` is a generator: it yields requests to send, takes
their answers, and its last request is the one that counts.
https://distribution.github.io/distribution/spec/auth/token/
"""

import json
import re
from collections.abc import Generator, Mapping
from dataclasses import dataclass, replace
from http import HTTPStatus
from urllib.parse import urlencode

from builder.errors import RegistryError
from builder.registry.refusal import refusal
from builder.transport import Request, Response, host_of

_MAX_TOKEN = 1 << 20
_SCHEME = re.compile(r"[\s,]*([A-Za-z][\w-]*)(?=[\s,]|$)(?!\s*=)\s*")
_PARAMETER = re.compile(r'\s*,?\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to get in: a scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(field: str) -> tuple[Challenge, ...]:
    """Read a ``WWW-Authenticate`` field; what is no challenge in it is left out.

    https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate
    """
    challenges: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(field, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(field, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain or re.sub(r"\\(.)", r"\1", quoted or "")
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return tuple(challenges)


class Authorization:
    """Permission at one registry: anonymous, with one bearer token kept per scope."""

    def __init__(self) -> None:
        self._tokens: dict[str, str] = {}

    def flow(self, request: Request, scope: str) -> Generator[Request, Response]:
        """The requests that lead to an answer for ``request``, in order.

        Whoever drives this sends each one and passes the answer in; the answer to the last one
        is the answer to ``request``, and may still be a 401.

        Args:
            request: what is wanted.
            scope: what it needs, e.g. ``repository:library/python:pull``.

        Raises:
            RegistryError: the server of the tokens refused, or cannot be asked.
        """
        answer = yield self._permitted(request, scope)
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return
        challenges = parse_challenges(answer.headers.get("www-authenticate", ""))
        bearer = next((c for c in challenges if c.scheme == "bearer"), None)
        if bearer is None or "realm" not in bearer.parameters:
            return
        # A token at hand was refused: it is too old, or good for something else.
        self._tokens.pop(scope, None)
        given = yield _token_request(bearer, scope, request.url)
        self._tokens[scope] = _read_token(given, bearer.parameters["realm"])
        yield self._permitted(request, scope)

    def _permitted(self, request: Request, scope: str) -> Request:
        token = self._tokens.get(scope)
        if token is None:
            return request
        return replace(request, headers={**request.headers, "Authorization": f"Bearer {token}"})


def _token_request(bearer: Challenge, scope: str, asked: str) -> Request:
    realm = bearer.parameters["realm"]
    scheme = realm.partition("://")[0].lower() if "://" in realm else ""
    if scheme not in {"http", "https"} or (scheme == "http" and asked.startswith("https:")):
        raise RegistryError(
            # Not the address itself: what else is in it may be secret.
            f"{host_of(asked)} sends for a token to {host_of(realm) or 'no host'} "
            f"by {scheme or 'no scheme'}; refused: "
            "tokens are not fetched over less than the registry's own scheme",
            status=HTTPStatus.UNAUTHORIZED,
        )
    query = {"scope": scope}
    if service := bearer.parameters.get("service"):
        query = {"service": service, **query}
    joint = "&" if "?" in realm else "?"
    return Request(url=f"{realm}{joint}{urlencode(query)}")


def _read_token(answer: Response, realm: str) -> str:
    attempt = f"fetching a token from {host_of(realm)}"
    if answer.status != HTTPStatus.OK:
        raise refusal(answer, attempt)
    try:
        value = json.loads(answer.read(_MAX_TOKEN))
        # Two names for one thing: the older clients' and OAuth 2's.
        token = value.get("token") or value.get("access_token")
    except (ValueError, AttributeError):
        token = None
    if not isinstance(token, str) or not token.isprintable() or not token.isascii():
        raise RegistryError(f"{attempt}: the answer holds no token", status=answer.status)
    return token
