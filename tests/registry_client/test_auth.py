import base64
import io
import json
from collections.abc import Collection, Generator, Mapping
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest

from builder.errors import RegistryError
from builder.registry.auth import Authorization
from builder.registry.credential import Credential
from builder.transport import Headers, Request, Response

PULL = frozenset({"repository:library/python:pull"})
PUSH = frozenset({"repository:a/b:pull,push"})
MOUNT = PUSH | {"repository:c:pull"}
BLOB = Request(url="https://registry.test/v2/library/python/blobs/x", headers={"Accept": "*/*"})
BEARER = 'Bearer realm="https://auth.test/token",service="registry.test"'
ME = Credential(username="me", password="hunter2")
BASIC = f"Basic {base64.b64encode(b'me:hunter2').decode()}"

type Flow = Generator[Request, Response]


def answer(
    status: int, body: object = None, headers: Mapping[str, str] | None = None, url: str = ""
) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=Headers(headers or {}), body=io.BytesIO(raw), url=url)


def challenged(field: str = BEARER, **more: str) -> Response:
    parts = [field, *(f'{name}="{value}"' for name, value in more.items())]
    return answer(401, headers={"WWW-Authenticate": ",".join(parts)})


def ended(flow: Flow, last: Response) -> bool:
    with pytest.raises(StopIteration):
        flow.send(last)
    return True


def get_in(authorization: Authorization, token: object, scopes: Collection[str] = PULL) -> str:
    """Be challenged, fetch a token, be let in; the address of the token's server."""
    flow = authorization.flow(BLOB, scopes)
    next(flow)
    asked = flow.send(challenged())
    flow.send(answer(200, token if isinstance(token, dict) else {"token": token}))
    assert ended(flow, answer(200))
    return asked.url


def scopes_of(request: Request) -> list[str]:
    return parse_qs(urlsplit(request.url).query).get("scope", [])


def permission(request: Request) -> str | None:
    return request.headers.get("Authorization")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_an_open_registry_sees_one_request_and_no_secret() -> None:
    authorization = Authorization(ME)
    flow = authorization.flow(BLOB, PULL)
    assert next(flow) == BLOB
    assert ended(flow, answer(200))
    assert not authorization.was_asked


def test_a_bearer_challenge_leads_to_a_token_and_back() -> None:
    authorization = Authorization()
    flow = authorization.flow(BLOB, PULL)
    next(flow)
    token = flow.send(challenged())
    assert token == Request(
        url="https://auth.test/token?service=registry.test"
        "&scope=repository%3Alibrary%2Fpython%3Apull"
    )
    again = flow.send(answer(200, {"token": "abc"}))
    assert again.url == BLOB.url
    assert again.headers == {"Accept": "*/*", "Authorization": "Bearer abc"}
    assert ended(flow, answer(200))
    assert authorization.was_asked
    assert permission(next(authorization.flow(BLOB, PULL))) == "Bearer abc"


def test_what_was_asked_once_is_answered_at_once() -> None:
    authorization = Authorization()
    get_in(authorization, "abc")
    other = authorization.flow(BLOB, {"repository:other:pull"})
    assert scopes_of(next(other)) == ["repository:other:pull"]
    assert permission(other.send(answer(200, {"token": "def"}))) == "Bearer def"
    assert ended(other, answer(200))


def test_a_password_goes_to_the_server_of_the_tokens_alone() -> None:
    flow = Authorization(ME).flow(BLOB, PULL)
    assert permission(next(flow)) is None
    token = flow.send(challenged())
    assert permission(token) == BASIC
    assert dict(parse_qsl(urlsplit(token.url).query))["account"] == "me"
    assert "hunter2" not in token.url
    assert permission(flow.send(answer(200, {"token": "abc"}))) == "Bearer abc"


def test_basic() -> None:
    authorization = Authorization(ME)
    flow = authorization.flow(BLOB, PULL)
    assert permission(next(flow)) is None
    assert permission(flow.send(challenged('Basic realm="x"'))) == BASIC
    assert ended(flow, answer(200))
    again = authorization.flow(BLOB, {"repository:other:pull"})
    assert permission(next(again)) == BASIC
    assert ended(again, challenged('Basic realm="x"')), "a wrong password is not tried again"


def test_an_identity_token_is_exchanged() -> None:
    flow = Authorization(Credential(username="0", identity_token="s3cret")).flow(BLOB, MOUNT)
    next(flow)
    token = flow.send(challenged())
    assert (token.method, token.url) == ("POST", "https://auth.test/token")
    assert token.headers == {"Content-Type": "application/x-www-form-urlencoded"}
    assert isinstance(token.body, bytes)
    assert dict(parse_qsl(token.body.decode())) == {
        "service": "registry.test",
        "scope": "repository:a/b:pull,push repository:c:pull",
        "grant_type": "refresh_token",
        "client_id": "image-builder",
        "refresh_token": "s3cret",
    }
    assert permission(flow.send(answer(200, {"access_token": "abc"}))) == "Bearer abc"


def test_a_registry_token_is_used_as_it_is() -> None:
    flow = Authorization(Credential(registry_token="given")).flow(BLOB, PULL)
    next(flow)
    assert permission(flow.send(challenged("Bearer"))) == "Bearer given"
    assert ended(flow, challenged("Bearer"))


def test_all_scopes_are_asked_for_at_once_and_serve_each() -> None:
    authorization = Authorization()
    flow = authorization.flow(BLOB, MOUNT)
    next(flow)
    assert scopes_of(flow.send(challenged())) == ["repository:a/b:pull,push", "repository:c:pull"]
    flow.send(answer(200, {"token": "abc"}))
    assert ended(flow, answer(200))
    for scope in (*MOUNT, "repository:a/b:push", "repository:a/b:pull"):
        assert permission(next(authorization.flow(BLOB, {scope}))) == "Bearer abc"
    for scope in ("repository:c:pull,push", "repository:a:pull"):
        assert scopes_of(next(authorization.flow(BLOB, {scope}))) == [scope]


@pytest.mark.parametrize("status", [400, 401, 403])
def test_who_may_not_mount_may_still_push(status: int) -> None:
    authorization = Authorization(ME)
    flow = authorization.flow(BLOB, MOUNT)
    next(flow)
    flow.send(challenged())
    assert scopes_of(flow.send(answer(status))) == [*PUSH]
    assert permission(flow.send(answer(200, {"token": "abc"}))) == "Bearer abc"
    assert ended(flow, answer(202))
    assert permission(next(authorization.flow(BLOB, MOUNT))) == "Bearer abc"


def test_a_token_that_is_refused_is_replaced_once() -> None:
    authorization = Authorization()
    get_in(authorization, "old")
    flow = authorization.flow(BLOB, PULL)
    assert permission(next(flow)) == "Bearer old"
    assert scopes_of(flow.send(challenged(error="invalid_token"))) == [*PULL]
    assert permission(flow.send(answer(200, {"token": "new"}))) == "Bearer new"
    assert ended(flow, challenged(error="invalid_token"))


def test_the_registry_may_want_more_than_was_asked_for() -> None:
    authorization = Authorization()
    flow = authorization.flow(BLOB, PULL)
    next(flow)
    flow.send(challenged())
    flow.send(answer(200, {"token": "narrow"}))
    wider = flow.send(challenged(error="insufficient_scope", scope="repository:x:pull"))
    assert scopes_of(wider) == [*PULL, "repository:x:pull"]
    assert permission(flow.send(answer(200, {"token": "wide"}))) == "Bearer wide"
    assert ended(flow, challenged(error="insufficient_scope", scope="repository:x:pull"))


def test_a_registry_that_always_wants_more_is_not_asked_for_ever() -> None:
    flow = Authorization().flow(BLOB, PULL)
    next(flow)
    for number in range(3):
        flow.send(challenged(scope=f"repository:x{number}:pull"))
        flow.send(answer(200, {"token": f"t{number}"}))
    assert ended(flow, challenged(scope="repository:x9:pull"))


@pytest.mark.parametrize(
    ("given", "headers", "usable"),
    [
        ({}, {}, 50),
        ({"expires_in": 300}, {}, 290),
        ({"expires_in": 5}, {}, 4),
        ({"expires_in": 10**400}, {}, 365 * 86400 - 10),
        ({"expires_in": -1}, {}, 50),
        ({"expires_in": "300"}, {}, 50),
        (
            {"expires_in": 300, "issued_at": "2026-01-01T00:00:00.123456789Z"},
            {"Date": "Thu, 01 Jan 2026 00:01:40 GMT"},
            190,
        ),
        ({"expires_in": 300, "issued_at": "yesterday"}, {"Date": "today"}, 290),
        ({"expires_in": 300, "issued_at": "2026-01-01T00:00:00Z"}, {}, 290),
    ],
)
def test_a_token_is_replaced_before_it_ends(
    given: dict[str, object], headers: dict[str, str], usable: float
) -> None:
    clock = Clock()
    authorization = Authorization(clock=clock)
    flow = authorization.flow(BLOB, PULL)
    next(flow)
    flow.send(challenged())
    flow.send(answer(200, {"token": "abc", **given}, headers))
    assert ended(flow, answer(200))
    clock.now += usable - 1
    assert permission(next(authorization.flow(BLOB, PULL))) == "Bearer abc"
    clock.now += 2
    assert scopes_of(next(authorization.flow(BLOB, PULL))) == [*PULL]


@pytest.mark.parametrize("field", ["", 'Basic realm="x"', "Bearer", 'Bearer service="s"'])
def test_a_challenge_that_cannot_be_met_leaves_the_401(field: str) -> None:
    flow = Authorization().flow(BLOB, PULL)
    next(flow)
    assert ended(flow, challenged(field))


def test_another_server_gets_nothing() -> None:
    authorization = Authorization(ME)
    get_in(authorization, "abc")
    for url in (
        "https://storage.test/x",
        "http://registry.test/v2/x",
        "https://registry.test:444/v2/x",
        "https://registry.test@evil.test/v2/x",
    ):
        flow = authorization.flow(Request(url=url), PULL)
        assert permission(next(flow)) is None
        assert ended(flow, challenged('Basic realm="x"'))
    same = authorization.flow(Request(url="https://REGISTRY.test:443/v2/x"), PULL)
    assert permission(next(same)) == "Bearer abc"


def test_who_was_redirected_to_names_no_server_of_tokens() -> None:
    flow = Authorization(ME).flow(BLOB, PULL)
    next(flow)
    field = {"WWW-Authenticate": 'Bearer realm="https://evil.test/token"'}
    assert ended(flow, answer(401, headers=field, url="https://storage.test/x"))


def test_a_query_in_the_realm_is_kept() -> None:
    flow = Authorization().flow(BLOB, PULL)
    next(flow)
    url = flow.send(challenged('Bearer realm="https://a.test/t?x=1#y"')).url
    assert url.startswith("https://a.test/t?x=1&scope=")
    plain = Authorization().flow(BLOB, ())
    next(plain)
    assert plain.send(challenged('Bearer realm="https://a.test/t"')).url == "https://a.test/t"


@pytest.mark.parametrize("realm", ["http://auth.test/token", "file:///etc/passwd", "/token"])
def test_a_token_is_not_fetched_over_less_than_the_registrys_scheme(realm: str) -> None:
    flow = Authorization(ME).flow(BLOB, PULL)
    next(flow)
    with pytest.raises(RegistryError, match=r"registry\.test sends for a token to .*; refused"):
        flow.send(challenged(f'Bearer realm="{realm}"'))


@pytest.mark.parametrize(
    "body", [b"<html>", [], {}, {"token": 7}, {"token": "a\nHost: evil"}, {"token": "\xe9"}]
)
def test_an_answer_without_a_token_is_an_error(body: object) -> None:
    flow = Authorization().flow(BLOB, PULL)
    next(flow)
    flow.send(challenged())
    message = r"fetching a token from auth\.test: the answer holds no token"
    with pytest.raises(RegistryError, match=message):
        flow.send(answer(200, body))


@pytest.mark.parametrize(
    ("credential", "status", "hint"),
    [
        (None, 401, "it gives no token to somebody unknown; log in"),
        (ME, 401, "the user name or password is wrong"),
        (ME, 403, "the user name or password is wrong, or may not do this; to log in anew"),
        (
            Credential(identity_token="hunter2"),
            400,
            "what was logged in with is no longer good; log in again",
        ),
    ],
)
def test_a_refused_token_says_why(credential: Credential | None, status: int, hint: str) -> None:
    flow = Authorization(credential).flow(BLOB, PULL)
    next(flow)
    flow.send(challenged())
    body = {"errors": [{"code": "DENIED", "message": "no such account"}]}
    with pytest.raises(RegistryError) as caught:
        flow.send(answer(status, body))
    error = caught.value
    # Whatever it answered, it is no word of the registry's on what there is: no 404, no 403.
    assert error.status == 401
    assert error.message.startswith(f"fetching a token from auth.test: the answer is {status} ")
    assert error.message.endswith(": DENIED: no such account")
    assert error.hint == f"{hint}: python -m builder login registry.test"
    assert "hunter2" not in error.message


def test_a_busy_server_of_tokens_keeps_its_own_hint() -> None:
    flow = Authorization(ME).flow(BLOB, PULL)
    next(flow)
    flow.send(challenged())
    with pytest.raises(RegistryError) as caught:
        flow.send(answer(503))
    assert (caught.value.status, caught.value.hint) == (
        503,
        "the fault is the registry's: try again later",
    )


def test_a_refused_realm_is_shown_by_its_host_alone() -> None:
    flow = Authorization().flow(BLOB, PULL)
    next(flow)
    with pytest.raises(RegistryError) as caught:
        flow.send(challenged('Bearer realm="http://me:hunter2@auth.test/t?key=hunter2"'))
    assert caught.value.message == (
        "registry.test sends for a token to auth.test by http; refused: "
        "tokens are not fetched over less than the registry's own scheme"
    )
