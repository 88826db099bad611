"""How a request gets its permission, without any connection of its own.

A registry that wants permission answers 401 and a challenge; a bearer challenge names the server
that gives out tokens. ``Authorization.flow`` is a generator: it yields requests to send, takes
their answers, and its last request is the one that counts.
https://distribution.github.io/distribution/spec/auth/token/
"""

import threading
import time
from collections.abc import Callable, Collection, Generator
from contextlib import closing
from dataclasses import replace
from http import HTTPStatus

from builder.registry.bearer import (
    REFUSED,
    Permission,
    indispensable,
    read_token,
    rights,
    token_refusal,
    token_request,
)
from builder.registry.challenge import Challenge, parse_challenges
from builder.registry.credential import Credential
from builder.transport import Request, Response, Transport, host_of

_MOST_CHALLENGES = 3
"""A token that is too old, one that is good for too little, and then it is the answer."""
_DEFAULT_PORTS = {"http": ":80", "https": ":443"}


class Authorization:
    """Permission at one server; threads and repositories share it.

    Nothing secret leaves before the server has asked for it. Its challenge is remembered, and so
    is every token for as long as it lasts.

    Args:
        credential: who asks; nobody when None.
        clock: seconds that only ever grow.
    """

    def __init__(
        self,
        credential: Credential | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._credential = credential
        self._clock = clock
        self._origin = ""
        self._challenge: Challenge | None = None
        # Replaced, never changed: other threads read them.
        self._tokens: tuple[tuple[Permission, float], ...] = ()
        # What is asked for when it is not what was wanted: more, or only what is given.
        self._asked: dict[frozenset[str], frozenset[str]] = {}
        self._fetching = threading.Lock()

    @property
    def is_known(self) -> bool:
        """Whether there is a credential to show."""
        return self._credential is not None

    @property
    def was_asked(self) -> bool:
        """Whether the server wanted permission for anything so far."""
        return self._challenge is not None

    def send(self, transport: Transport, request: Request, scopes: Collection[str]) -> Response:
        """The answer to a request, with the permission that it needs; it may still be a 401.

        Raises:
            RegistryError: the server of the tokens refused, or cannot be asked.
            TransportError: no answer came.
        """
        # Closed in any case: another thread may wait for the token that this one was to fetch.
        with closing(self.flow(request, scopes)) as flow:
            answer = transport.send(next(flow))
            while True:
                try:
                    following = flow.send(answer)
                except StopIteration:
                    return answer
                except BaseException:
                    answer.close()
                    raise
                answer.close()
                answer = transport.send(following)

    def flow(self, request: Request, scopes: Collection[str]) -> Generator[Request, Response]:
        """The requests that lead to an answer for ``request``, in order.

        Whoever drives this sends each one and passes the answer in; the answer to the last one
        is the answer to ``request``, and may still be a 401. It has to be closed: a lock is held
        while a token is fetched.

        Args:
            request: what is wanted; one to another server goes out as it is.
            scopes: what it needs, e.g. ``{"repository:library/python:pull"}``.

        Raises:
            RegistryError: the server of the tokens refused, or cannot be asked.
        """
        origin = _origin(request.url)
        if self._origin and origin != self._origin:
            yield request
            return
        wanted, before, sent = frozenset(scopes), [each for each, _ in self._tokens], None
        if self._challenge is not None:
            sent = yield from self._permission(self._challenge, wanted, request.url)
        answer = yield _carrying(request, sent)
        self._origin = self._origin or origin
        for _ in range(_MOST_CHALLENGES):
            # Who was redirected to says nothing about where this server's tokens come from.
            is_own = not answer.url or _origin(answer.url) == origin
            challenge = self._choose(answer) if is_own else None
            if challenge is None:
                return
            if sent is not None and sent not in before:
                # It is new, so only more scopes can help.
                if rights(challenge.scopes) <= sent.rights:
                    return
                self._asked[frozenset(scopes)] = wanted = wanted | challenge.scopes
            self._challenge = challenge
            self._tokens = tuple(pair for pair in self._tokens if pair[0] is not sent)
            following = yield from self._permission(challenge, wanted, request.url)
            if following is None or following == sent:
                return
            sent = following
            answer = yield _carrying(request, sent)

    def _choose(self, answer: Response) -> Challenge | None:
        """The challenge of a 401 that can be met."""
        if answer.status != HTTPStatus.UNAUTHORIZED:
            return None
        found = parse_challenges(answer.headers.get("www-authenticate", ""))
        token = self._credential.registry_token if self._credential else ""
        for challenge in found:
            if challenge.scheme == "bearer" and (challenge.realm or token):
                return challenge
        basic = self._credential.basic if self._credential else ""
        return next((each for each in found if each.scheme == "basic" and basic), None)

    def _permission(
        self, challenge: Challenge, wanted: frozenset[str], asked: str
    ) -> Generator[Request, Response, Permission | None]:
        credential = self._credential
        if challenge.scheme == "basic":
            return Permission(header=credential.basic) if credential else None
        if credential and credential.registry_token:
            return Permission(header=f"Bearer {credential.registry_token}")
        if held := self._held(wanted):
            return held
        with self._fetching:
            # Another thread may have fetched it meanwhile.
            if held := self._held(wanted):
                return held
            until = self._clock()
            token = yield from self._fetch(challenge, wanted, asked)
            until += token.seconds or 0
            self._tokens = (*self._fresh(), (token, until))
            return token

    def _held(self, wanted: frozenset[str]) -> Permission | None:
        needed = rights(self._asked.get(wanted, wanted))
        return next((each for each, _ in self._fresh() if needed <= each.rights), None)

    def _fresh(self) -> list[tuple[Permission, float]]:
        now = self._clock()
        return [(each, until) for each, until in self._tokens if now < until]

    def _fetch(
        self, challenge: Challenge, wanted: frozenset[str], asked: str
    ) -> Generator[Request, Response, Permission]:
        """A token for the scopes, or else for those of them that matter."""
        scopes = self._asked.get(wanted, wanted)
        answer = yield token_request(challenge, scopes, self._credential, asked)
        fewer = indispensable(scopes)
        if answer.status in REFUSED and fewer != scopes:
            self._asked[wanted] = scopes = fewer
            answer = yield token_request(challenge, scopes, self._credential, asked)
        if answer.status != HTTPStatus.OK:
            raise token_refusal(answer, challenge, self._credential, asked)
        return read_token(answer, challenge, scopes)


def _carrying(request: Request, permission: Permission | None) -> Request:
    if permission is None:
        return request
    return replace(request, headers={**request.headers, "Authorization": permission.header})


def _origin(url: str) -> str:
    """Scheme, host and port: who may see what was meant for one may not at another."""
    scheme = url.partition("://")[0].lower()
    return f"{scheme}://{host_of(url).lower().removesuffix(_DEFAULT_PORTS.get(scheme, ''))}"
