"""Permission against real servers: docker-registry by Basic and by tokens, and threads."""

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from builder.errors import RegistryError, TransportError
from builder.registry.auth import Authorization
from builder.registry.credential import Credential
from builder.transport import HttpTransport, Request
from tests.registry import PASSWORD, USERNAME, serve_shape
from tests.registry_client.fake import Answer, Asked, FaultyServer, answering, closed_port

ROBOT = Credential(username=USERNAME, password=PASSWORD)
PULL = frozenset({"repository:a/b:pull"})
PUSH = frozenset({"repository:a/b:pull,push", "repository:c:pull"})


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport() as transport:
        yield transport


def status(
    transport: HttpTransport, authorization: Authorization, url: str, method: str = "GET"
) -> int:
    scopes = PUSH if method == "POST" else PULL
    with authorization.send(transport, Request(url=url, method=method), scopes) as answer:
        return answer.status


def test_basic_at_a_real_registry(tmp_path: Path, transport: HttpTransport) -> None:
    with serve_shape("htpasswd", tmp_path) as registry:
        tags, uploads = (f"{registry.url}/v2/a/b/{end}" for end in ("tags/list", "blobs/uploads/"))
        robot = Authorization(ROBOT)
        assert status(transport, robot, tags) == 404
        assert status(transport, robot, uploads, "POST") == 202
        wrong = Authorization(Credential(username=USERNAME, password="wrong"))
        assert status(transport, wrong, tags) == 401
        assert status(transport, Authorization(), tags) == 401
        seen = [request.status for request in registry.requests()]
    assert seen == [401, 404, 202, 401, 401, 401]


def test_tokens_at_a_real_registry(tmp_path: Path, transport: HttpTransport) -> None:
    with serve_shape("token", tmp_path) as registry:
        assert registry.tokens is not None
        url = f"{registry.url}/v2/a/b/blobs/uploads/"
        robot = Authorization(ROBOT)
        assert [status(transport, robot, url, "POST") for _ in range(3)] == [202] * 3
        assert status(transport, robot, f"{registry.url}/v2/a/b/tags/list") == 404
        identity = Credential(identity_token=registry.tokens.identity_token(USERNAME))
        assert status(transport, Authorization(identity), url, "POST") == 202
        assert status(transport, Authorization(), url, "POST") == 401
        wrong = Authorization(Credential(username=USERNAME, password="wrong"))
        with pytest.raises(RegistryError, match="401 Unauthorized: UNAUTHORIZED: who is that"):
            status(transport, wrong, url, "POST")
        asked = [(each.grant, each.status, each.scopes) for each in registry.tokens.requests()]
    both, fewer = tuple(sorted(PUSH)), ("repository:a/b:pull,push",)
    assert asked == [
        ("basic", 200, both),
        ("refresh_token", 200, both),
        ("anonymous", 200, both),
        ("basic", 401, both),
        ("basic", 401, fewer),
    ]


def test_a_token_that_ends_early_is_fetched_anew(tmp_path: Path, transport: HttpTransport) -> None:
    with serve_shape("token", tmp_path) as registry:
        assert registry.tokens is not None
        url = f"{registry.url}/v2/a/b/blobs/uploads/"
        authorization = Authorization(ROBOT)
        registry.tokens.lifetime_seconds = 0  # it says nothing of that: a minute is the rule
        assert status(transport, authorization, url, "POST") == 401
        registry.tokens.lifetime_seconds = 300
        assert status(transport, authorization, url, "POST") == 202
        assert len(registry.tokens.requests()) == 2


def test_threads_share_one_token(transport: HttpTransport) -> None:
    threads, together = 8, threading.Barrier(8)
    asked: list[str] = []

    def say(request: Asked) -> Answer:
        asked.append(request.path.partition("?")[0])
        if request.path.startswith("/token"):
            return Answer(body=json.dumps({"token": f"t{len(asked)}"}).encode())
        if "authorization" in request.headers:
            return Answer()
        together.wait(10)  # all of them are challenged before one of them has a token
        realm = f'Bearer realm="http://{request.headers["host"]}/token"'
        return Answer(status=401, headers={"WWW-Authenticate": realm})

    with answering(say) as host, ThreadPoolExecutor(threads) as pool:
        authorization = Authorization()
        url = f"http://{host}/v2/"
        done = list(pool.map(lambda _: status(transport, authorization, url), range(threads)))
    assert done == [200] * threads
    assert asked.count("/token") == 1


def test_a_server_of_tokens_that_is_gone_blocks_nobody(
    server: FaultyServer, transport: HttpTransport
) -> None:
    realm = f'Bearer realm="http://{closed_port()}/token"'
    server.on("/v2/", Answer(status=401, headers={"WWW-Authenticate": realm}))
    authorization = Authorization()
    for _ in range(2):
        with pytest.raises(TransportError, match="connection refused") as kept:
            status(transport, authorization, f"{server.url}/v2/")
        # As long as an error is held so are its frames: the lock must be free all the same.
        assert kept.value.transient
        assert not authorization._fetching.locked()  # noqa: SLF001 - else the next call hangs
