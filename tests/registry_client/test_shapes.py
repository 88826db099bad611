"""The registries that these tests talk to really ask for what they should ask for."""

import base64
import http.client
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.registry import PASSWORD, SHAPES, USERNAME, Registry, Request, Shape, serve_shape
from tests.registry_client.token_server import (
    SERVICE,
    Grants,
    TokenRequest,
    TokenServer,
    serve_tokens,
)

pytestmark = pytest.mark.engine
_SCOPE = "repository:a/b:pull,push"


@pytest.fixture(params=SHAPES)
def shaped(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Registry]:
    shape: Shape = request.param
    with serve_shape(shape, tmp_path / "registry") as registry:
        yield registry


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    grants: Grants = {USERNAME: {"a/*": ("pull", "push")}, "": {"a/*": ("pull",)}}
    with serve_tokens(tmp_path / "tokens", {USERNAME: PASSWORD}, grants=grants) as server:
        yield server


def _asked(registry: Registry, authorization: str | None = None) -> tuple[int, str]:
    headers = {"Authorization": authorization} if authorization else {}
    with closing(registry.connect()) as connection:
        connection.request("POST", "/v2/a/b/blobs/uploads/", headers=headers)
        answer = connection.getresponse()
        answer.read()
        return answer.status, answer.headers.get("WWW-Authenticate", "")


def _basic(password: str = PASSWORD) -> str:
    return f"Basic {base64.b64encode(f'{USERNAME}:{password}'.encode()).decode()}"


def _token_answer(
    tokens: TokenServer, *, form: dict[str, str] | None = None, scope: str = _SCOPE, basic: str = ""
) -> tuple[int, dict[str, str]]:
    where = urlsplit(tokens.realm)
    assert where.hostname
    with closing(http.client.HTTPConnection(where.hostname, where.port)) as connection:
        if form is not None:
            connection.request("POST", where.path, body=urlencode(form))
        else:
            path = f"{where.path}?service={quote(SERVICE)}&scope={scope}&offline_token=true"
            connection.request("GET", path, headers={"Authorization": basic} if basic else {})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())


def test_lets_in_whom_it_should_and_tells_who_came(shaped: Registry) -> None:
    status, challenge = _asked(shaped)
    if shaped.credentials:
        assert status == 401
        given = _basic()
        if shaped.tokens:
            assert f'realm="{shaped.tokens.realm}"' in challenge
            (scope,) = re.findall(r'scope="([^"]+)"', challenge)
            given = "Bearer " + _token_answer(shaped.tokens, scope=scope, basic=given)[1]["token"]
        status, _ = _asked(shaped, given)
    assert status == 202
    wanted = Request(method="POST", path="/v2/a/b/blobs/uploads/", status=202)
    assert wanted in shaped.requests()


def test_a_client_without_certificate_is_sent_away(tmp_path: Path) -> None:
    with serve_shape("tls", tmp_path) as registry:
        assert registry.certs_dir
        authority = registry.certs_dir / registry.host / "ca.crt"
        context = ssl.create_default_context(cafile=str(authority))
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _status(registry.host, context)


def _status(host: str, context: ssl.SSLContext) -> int:
    with closing(http.client.HTTPSConnection(host, context=context)) as connection:
        connection.request("GET", "/v2/")
        return connection.getresponse().status


def test_a_token_ends(tmp_path: Path) -> None:
    with serve_shape("token", tmp_path) as registry:
        assert registry.tokens
        registry.tokens.lifetime_seconds = -1
        status, challenge = _asked(registry, f"Bearer {registry.tokens.token(USERNAME, [_SCOPE])}")
        assert (status, 'error="invalid_token"' in challenge) == (401, True)
        registry.tokens.lifetime_seconds = 60
        token = registry.tokens.token(USERNAME, [_SCOPE])
        assert _asked(registry, f"Bearer {token}")[0] == 202


def test_grants_are_by_user(tokens: TokenServer) -> None:
    def actions(token: str) -> object:
        claims = token.split(".")[1]
        return json.loads(base64.urlsafe_b64decode(claims + "=="))["access"]

    _, anonymous = _token_answer(tokens)
    _, known = _token_answer(tokens, basic=_basic())
    _, elsewhere = _token_answer(tokens, scope="repository:c/d:pull", basic=_basic())
    assert actions(anonymous["token"]) == [
        {"type": "repository", "name": "a/b", "actions": ["pull"]}
    ]
    assert actions(known["token"]) == [
        {"type": "repository", "name": "a/b", "actions": ["pull", "push"]}
    ]
    assert actions(elsewhere["token"]) == []


def test_an_identity_token_stands_for_its_user(tokens: TokenServer) -> None:
    _, first = _token_answer(tokens, basic=_basic())
    form = {
        "grant_type": "refresh_token",
        "service": SERVICE,
        "scope": f"{_SCOPE} repository:c:pull",
    }
    status, answer = _token_answer(tokens, form={**form, "refresh_token": first["refresh_token"]})
    assert (status, "access_token" in answer, "token" in answer) == (200, True, False)
    assert _token_answer(tokens, form={**form, "refresh_token": "made up"})[0] == 401
    assert _token_answer(tokens, basic=_basic("wrong"))[0] == 401
    scopes = (_SCOPE, "repository:c:pull")
    basic, refreshed, unknown, wrong = tokens.requests()
    assert basic == TokenRequest(
        method="GET",
        grant="basic",
        username=USERNAME,
        service=SERVICE,
        scopes=(_SCOPE,),
        status=200,
    )
    assert (refreshed.grant, refreshed.username, refreshed.scopes) == (
        "refresh_token",
        USERNAME,
        scopes,
    )
    assert (unknown.status, unknown.username, wrong.status) == (401, "", 401)
