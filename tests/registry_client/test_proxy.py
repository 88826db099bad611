"""The proxy passes on what it should, and each of its faults is what its name says."""

import hashlib
import http.client
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.registry import USERNAME, Registry, serve_shape
from tests.registry_client.faults import FOR_EVER, HABITS, KINDS, Fault, FaultPlan, Kind, Operation
from tests.registry_client.proxy import FaultProxy, faulty

pytestmark = pytest.mark.engine

_BLOB = bytes(range(256)) * 10
_DIGEST = f"sha256:{hashlib.sha256(_BLOB).hexdigest()}"
_BROKEN = (ConnectionError, http.client.HTTPException)


@dataclass(frozen=True, slots=True)
class Got:
    status: int
    headers: Mapping[str, str]
    body: bytes


type Open = Callable[..., FaultProxy]


@pytest.fixture
def open_proxy(registry: Registry) -> Iterator[Open]:
    """A proxy in which one fault happens to the first request that it fits."""
    with ExitStack() as stack:

        def make(kind: Kind | None = None, *, tenth: int = 5, times: int = 1) -> FaultProxy:
            faults = [Fault(kind=kind, tenth=tenth, times=times)] if kind else []
            running: AbstractContextManager[FaultProxy] = faulty(
                registry, FaultPlan(faults), stall_seconds=0.05
            )
            return stack.enter_context(running)

        yield make


def _ask(url: str, method: str, path: str, body: bytes = b"", **headers: str) -> Got:
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=10)
    with closing(connection):
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, body=body or None, headers=fields)
        answer = connection.getresponse()
        return Got(answer.status, {n.lower(): v for n, v in answer.getheaders()}, answer.read())


def _start(proxy: FaultProxy, query: str = "") -> str:
    return _ask(proxy.url, "POST", f"/v2/proxy/a/blobs/uploads/{query}").headers["location"]


def _finish(proxy: FaultProxy, location: str, body: bytes = _BLOB) -> Got:
    place = urlsplit(location)
    return _ask(proxy.url, "PUT", f"{place.path}?{place.query}&digest={_DIGEST}", body)


def _pushed(proxy: FaultProxy) -> str:
    """The path of a blob that the registry has."""
    clean, proxy.plan = proxy.plan, FaultPlan()
    assert _finish(proxy, _start(proxy)).status == 201
    proxy.plan = clean
    return f"/v2/proxy/a/blobs/{_DIGEST}"


def test_passes_on_what_is_asked_and_answered(open_proxy: Open, registry: Registry) -> None:
    proxy = open_proxy()
    path = _pushed(proxy)
    head = _ask(proxy.url, "HEAD", path)
    assert (head.status, head.headers["content-length"]) == (200, str(len(_BLOB)))
    assert _ask(proxy.url, "GET", path).body == _BLOB
    part = _ask(proxy.url, "GET", path, Range="bytes=10-19")
    assert (part.status, part.body) == (206, _BLOB[10:20])
    asked = [(seen.operation, seen.status, seen.sent) for seen in proxy.seen()]
    assert asked == [
        (Operation.START, 202, 0),
        (Operation.FINISH, 201, len(_BLOB)),
        (Operation.BLOB_HEAD, 200, 0),
        (Operation.BLOB_GET, 200, 0),
        (Operation.BLOB_GET, 206, 0),
    ]
    paths = {request.path for request in registry.requests()}
    assert {seen.path for seen in proxy.seen()} <= paths


@pytest.mark.parametrize(
    ("kind", "status"),
    [(kind, int(kind.rpartition("_")[2])) for kind in Kind if kind.startswith("status_")],
)
def test_says_a_status_once(open_proxy: Open, kind: Kind, status: int) -> None:
    proxy = open_proxy(kind)
    first = _ask(proxy.url, "GET", "/v2/")
    assert (first.status, first.headers.get("retry-after")) == (
        status,
        "1" if status == 429 else None,
    )
    assert _ask(proxy.url, "GET", "/v2/").status == 200


@pytest.mark.parametrize(
    "kind", [Kind.RESET_AFTER_HEAD, Kind.RESET_BEFORE_ANSWER, Kind.STALL_ANSWER]
)
def test_gives_no_answer(open_proxy: Open, registry: Registry, kind: Kind) -> None:
    proxy = open_proxy(kind)
    path = f"/v2/{kind}/tags/list"
    with pytest.raises(ConnectionResetError):
        _ask(proxy.url, "GET", path)
    heard = path in [request.path for request in registry.requests()]
    assert heard == (kind is not Kind.RESET_AFTER_HEAD)
    assert proxy.seen()[0].status == 0


@pytest.mark.parametrize("tenth", range(11))
def test_breaks_an_upload_at_a_tenth(open_proxy: Open, tenth: int) -> None:
    proxy = open_proxy(Kind.RESET_UPLOAD, tenth=tenth)
    location = _start(proxy)
    with pytest.raises(ConnectionError):
        _finish(proxy, location)
    (broken,) = proxy.seen(Operation.FINISH)
    assert (broken.sent, broken.fault) == (len(_BLOB) * tenth // 10, Kind.RESET_UPLOAD)


@pytest.mark.parametrize("tenth", range(10))
@pytest.mark.parametrize("kind", [Kind.RESET_DOWNLOAD, Kind.TRUNCATED_BODY, Kind.STALL_BODY])
def test_breaks_a_download_at_a_tenth(open_proxy: Open, kind: Kind, tenth: int) -> None:
    proxy = open_proxy(kind, tenth=tenth)
    path = _pushed(proxy)
    with pytest.raises(_BROKEN) as caught:
        _ask(proxy.url, "GET", path)
    if kind is Kind.TRUNCATED_BODY:
        assert isinstance(caught.value, http.client.IncompleteRead)
        assert caught.value.partial == _BLOB[: len(_BLOB) * tenth // 10]
    assert _ask(proxy.url, "GET", path).body == _BLOB


def test_gives_less_or_other_bytes(open_proxy: Open) -> None:
    short, corrupt, slow = map(open_proxy, (Kind.SHORT_BODY, Kind.CORRUPT_BODY, Kind.SLOW_ANSWER))
    path = _pushed(short)
    assert _ask(short.url, "GET", path).body == _BLOB[: len(_BLOB) // 2]
    got = _ask(corrupt.url, "GET", path).body
    assert sum(a != b for a, b in zip(got, _BLOB, strict=True)) == 1
    assert _ask(slow.url, "GET", path).body == _BLOB


def test_corrupts_what_is_sent(open_proxy: Open) -> None:
    proxy = open_proxy(Kind.CORRUPT_UPLOAD)
    refused = _finish(proxy, _start(proxy))
    assert (refused.status, b"DIGEST_INVALID" in refused.body) == (400, True)


def test_changes_location(open_proxy: Open) -> None:
    absolute = _start(open_proxy())
    proxy = open_proxy(Kind.LOCATION_RELATIVE)
    relative = _start(proxy)
    assert absolute.startswith("http://127.0.0.1:")
    assert relative.startswith("/v2/proxy/a/blobs/uploads/")
    assert _finish(proxy, relative).status == 201
    without = open_proxy(Kind.LOCATION_MISSING)
    answer = _ask(without.url, "POST", "/v2/proxy/a/blobs/uploads/")
    assert (answer.status, "location" in answer.headers) == (202, False)


def test_changes_the_digest_that_is_said(open_proxy: Open) -> None:
    missing, wrong = open_proxy(Kind.DIGEST_MISSING), open_proxy(Kind.DIGEST_WRONG)
    path = _pushed(missing)
    assert "docker-content-digest" not in _ask(missing.url, "HEAD", path).headers
    said = _ask(wrong.url, "HEAD", path).headers["docker-content-digest"]
    assert said == f"sha256:{'0' * 64}"


@pytest.mark.parametrize(
    ("kind", "status"),
    [(Kind.MOUNT_202, 202), (Kind.MOUNT_403, 403), (Kind.MOUNT_404, 404), (Kind.MOUNT_405, 405)],
)
def test_refuses_a_mount(open_proxy: Open, kind: Kind, status: int) -> None:
    proxy = open_proxy(kind)
    _pushed(proxy)
    path = f"/v2/proxy/b/blobs/uploads/?mount={_DIGEST}&from=proxy/a"
    assert _ask(proxy.url, "POST", path).status == status
    assert _ask(proxy.url, "POST", path).status == 201


def test_lacks_what_some_registries_lack(open_proxy: Open) -> None:
    proxy = open_proxy(Kind.PUT_413)
    location = _start(proxy)
    assert _finish(proxy, location).status == 413
    assert _finish(proxy, location).status == 201
    no_range, no_referrers = open_proxy(Kind.RANGE_IGNORED), open_proxy(Kind.REFERRERS_404)
    whole = _ask(no_range.url, "GET", f"/v2/proxy/a/blobs/{_DIGEST}", Range="bytes=5-")
    assert (whole.status, whole.body) == (200, _BLOB)
    assert _ask(no_referrers.url, "GET", f"/v2/proxy/a/referrers/{_DIGEST}").status == 404


def test_lies_about_the_range_that_it_has(open_proxy: Open) -> None:
    proxy = open_proxy(Kind.RANGE_WRONG)
    place = urlsplit(_start(proxy))
    sent = _ask(proxy.url, "PATCH", f"{place.path}?{place.query}", _BLOB)
    place = urlsplit(sent.headers["location"])
    said = [
        _ask(proxy.url, "GET", f"{place.path}?{place.query}").headers["range"] for _ in range(2)
    ]
    last = len(_BLOB) - 1
    assert said == [f"0-{last // 2 + 1}", f"0-{last}"]


def test_redirects_to_another_host(open_proxy: Open) -> None:
    proxy = open_proxy(Kind.REDIRECT)
    path = _pushed(proxy)
    answer = _ask(proxy.url, "GET", path, Authorization="Basic abc")
    where = urlsplit(answer.headers["location"])
    assert (answer.status, where.netloc) == (307, proxy.storage_host)
    assert _ask(proxy.storage_url, "GET", where.path, Range="bytes=1-").body == _BLOB[1:]
    (stored,) = proxy.seen_by_storage()
    assert (stored.status, "authorization" in stored.headers) == (206, False)
    assert _ask(proxy.storage_url, "GET", "/made-up").status == 404


def test_takes_a_token_for_too_old(tmp_path: Path) -> None:
    with serve_shape("token", tmp_path) as registry, faulty(registry) as proxy:
        assert registry.tokens
        token = registry.tokens.token(USERNAME, ["repository:proxy/a:pull,push"])
        bearer = f"Bearer {token}"
        start = _ask(proxy.url, "POST", "/v2/proxy/a/blobs/uploads/", Authorization=bearer)
        place = urlsplit(start.headers["location"])
        proxy.plan = FaultPlan([Fault(kind=Kind.EXPIRED_TOKEN)])
        path = f"{place.path}?{place.query}"
        refused = _ask(proxy.url, "PATCH", path, _BLOB, Authorization=bearer)
        challenge = refused.headers["www-authenticate"]
        assert (refused.status, registry.tokens.realm in challenge) == (401, True)
        assert 'scope="repository:proxy/a:pull,push"' in challenge
        assert _ask(proxy.url, "PATCH", path, _BLOB, Authorization=bearer).status == 202


def test_speaks_tls_as_the_registry_behind_does(tmp_path: Path) -> None:
    with serve_shape("tls", tmp_path) as registry, faulty(registry) as proxy:
        assert registry.certificates
        assert registry.certs_dir
        assert (registry.certs_dir / proxy.host / "client.cert").is_file()
        authority = str(registry.certificates.authority.certificate)
        stranger = ssl.create_default_context(cafile=authority)
        assert _status(proxy, registry.certificates.client_context()) == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            _status(proxy, stranger)


def _status(proxy: FaultProxy, context: ssl.SSLContext) -> int:
    with closing(http.client.HTTPSConnection(proxy.host, context=context)) as connection:
        connection.request("GET", "/v2/")
        return connection.getresponse().status


def test_a_plan_is_the_same_for_the_same_seed() -> None:
    plans = [FaultPlan.random(seed).faults for seed in range(200)]
    assert plans == [FaultPlan.random(seed).faults for seed in range(200)]
    assert {len(faults) for faults in plans} == {1, 2, 3, 4}
    assert {fault.kind for faults in plans for fault in faults} == set(Kind) == set(KINDS)
    for faults in plans:
        assert all((fault.times == FOR_EVER) == (fault.kind in HABITS) for fault in faults)


def test_a_plan_counts_the_requests_that_fit() -> None:
    at = Operation.BLOB_GET
    plan = FaultPlan([Fault(kind=Kind.STATUS_500, skip=1, times=2, at=frozenset({at}))])

    def taken(operation: Operation) -> bool:
        return plan.take(operation, has_body=False, has_range=False) is not None

    assert [taken(at), taken(Operation.PING), taken(at), taken(at), taken(at)] == [
        False,
        False,
        True,
        True,
        False,
    ]


def test_json_of_a_refusal_is_the_specifications(open_proxy: Open) -> None:
    (error,) = json.loads(_ask(open_proxy(Kind.STATUS_503).url, "GET", "/v2/").body)["errors"]
    assert error["code"] == "UNAVAILABLE"
