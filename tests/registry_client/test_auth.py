import io
import json
from collections.abc import Mapping

import pytest

from builder.errors import RegistryError
from builder.registry.auth import Authorization, Challenge, parse_challenges
from builder.transport import Headers, Request, Response

SCOPE = "repository:library/python:pull"
BLOB = Request(url="https://registry.test/v2/library/python/blobs/x", headers={"Accept": "*/*"})
BEARER = 'Bearer realm="https://auth.test/token",service="registry.test"'


def answer(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Response:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status=status, headers=Headers(headers or {}), body=io.BytesIO(raw))


def challenged(field: str = BEARER) -> Response:
    return answer(401, headers={"WWW-Authenticate": field})


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ("", []),
        ("Basic", [("basic", {})]),
        ('Basic realm="Registry Realm"', [("basic", {"realm": "Registry Realm"})]),
        (
            'Bearer realm="https://a/t",service="s",scope="repository:x:pull,push"',
            [("bearer", {"realm": "https://a/t", "service": "s",
                         "scope": "repository:x:pull,push"})],
        ),
        (
            'Basic realm="a, b" , BEARER Realm = "https://a/t" , error=invalid_token',
            [("basic", {"realm": "a, b"}),
             ("bearer", {"realm": "https://a/t", "error": "invalid_token"})],
        ),
        (r'Basic realm="say \"hi\""', [("basic", {"realm": 'say "hi"'})]),
        ("Negotiate, Basic realm=x", [("negotiate", {}), ("basic", {"realm": "x"})]),
    ],
)  # fmt: skip
def test_challenges_are_read(field: str, expected: list[tuple[str, dict[str, str]]]) -> None:
    assert parse_challenges(field) == tuple(Challenge(*pair) for pair in expected)


def test_an_open_registry_sees_one_request() -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    assert next(flow) == BLOB
    with pytest.raises(StopIteration):
        flow.send(answer(200))


def test_a_bearer_challenge_leads_to_a_token_and_back() -> None:
    authorization = Authorization()
    flow = authorization.flow(BLOB, SCOPE)
    next(flow)
    token = flow.send(challenged())
    assert token == Request(
        url="https://auth.test/token?service=registry.test"
        "&scope=repository%3Alibrary%2Fpython%3Apull"
    )
    again = flow.send(answer(200, {"token": "abc"}))
    assert again.url == BLOB.url
    assert again.headers == {"Accept": "*/*", "Authorization": "Bearer abc"}
    with pytest.raises(StopIteration):
        flow.send(answer(200))
    assert next(authorization.flow(BLOB, SCOPE)).headers["Authorization"] == "Bearer abc"
    assert next(authorization.flow(BLOB, "repository:other:pull")) == BLOB


def test_a_token_that_is_refused_is_replaced() -> None:
    authorization = Authorization()
    for token in ("old", "new"):
        flow = authorization.flow(BLOB, SCOPE)
        next(flow)
        flow.send(challenged())
        assert flow.send(answer(200, {"access_token": token})).headers["Authorization"] == (
            f"Bearer {token}"
        )


@pytest.mark.parametrize("field", ["", 'Basic realm="x"', "Bearer", 'Bearer service="s"'])
def test_a_challenge_that_cannot_be_met_leaves_the_401(field: str) -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    with pytest.raises(StopIteration):
        flow.send(challenged(field))


def test_a_query_in_the_realm_is_kept() -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    url = flow.send(challenged('Bearer realm="https://a.test/t?x=1"')).url
    assert url.startswith("https://a.test/t?x=1&scope=")


@pytest.mark.parametrize("realm", ["http://auth.test/token", "file:///etc/passwd", "/token"])
def test_a_token_is_not_fetched_over_less_than_the_registrys_scheme(realm: str) -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    with pytest.raises(RegistryError, match=r"registry\.test sends for a token to .*; refused"):
        flow.send(challenged(f'Bearer realm="{realm}"'))


@pytest.mark.parametrize("body", [b"<html>", [], {}, {"token": 7}, {"token": "a\nHost: evil"}])
def test_an_answer_without_a_token_is_an_error(body: object) -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    flow.send(challenged())
    message = r"fetching a token from auth\.test: the answer holds no token"
    with pytest.raises(RegistryError, match=message):
        flow.send(answer(200, body))


def test_a_refused_token_says_why() -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    flow.send(challenged())
    body = {"errors": [{"code": "DENIED", "message": "no such account"}]}
    with pytest.raises(RegistryError) as caught:
        flow.send(answer(403, body))
    assert caught.value.status == 403
    assert caught.value.message == (
        "fetching a token from auth.test: the answer is 403 Forbidden: DENIED: no such account"
    )


def test_a_refused_realm_is_shown_by_its_host_alone() -> None:
    flow = Authorization().flow(BLOB, SCOPE)
    next(flow)
    with pytest.raises(RegistryError) as caught:
        flow.send(challenged('Bearer realm="http://me:hunter2@auth.test/t?key=hunter2"'))
    assert caught.value.message == (
        "registry.test sends for a token to auth.test by http; refused: "
        "tokens are not fetched over less than the registry's own scheme"
    )
