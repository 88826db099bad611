from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from builder.errors import RegistryError, TransportError
from builder.events import Event, Notice
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.endpoint import mirror_endpoint
from builder.retry import Retry
from builder.transport import HttpTransport
from layers.digest import Digest
from tests.registry_client.fake import Answer, FaultyServer, closed_port, refused

MANIFEST = b'{"schemaVersion":2}'
DIGEST = Digest.of(MANIFEST)
GOOD = Answer(body=MANIFEST, headers={"Content-Type": f"{media_types.MANIFEST}; charset=utf-8"})
BLOB = Descriptor(media_type="application/octet-stream", digest=DIGEST, size=len(MANIFEST))
TAG_PATH = "/v2/app/manifests/1"


@dataclass(slots=True)
class Asking:
    """A client, what it said, and how long it would have paused."""

    client: RegistryClient
    events: list[Event] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)

    @property
    def notices(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Notice)]


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport() as opened:
        yield opened


@pytest.fixture
def asking(server: FaultyServer, transport: HttpTransport) -> Asking:
    return ask(server.url, transport)


def ask(url: str, transport: HttpTransport, repository: str = "app") -> Asking:
    events: list[Event] = []
    pauses: list[float] = []
    retry = Retry(events=events.append, sleep=pauses.append)
    client = RegistryClient(
        transport, mirror_endpoint(url, repository), authorization=Authorization(), retry=retry
    )
    return Asking(client, events, pauses)


def test_a_manifest_comes_as_it_is(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, GOOD)
    fetched = asking.client.manifest("1")
    assert (fetched.raw, fetched.media_type) == (MANIFEST, media_types.MANIFEST)
    [asked] = server.asked
    accepted = asked.headers["accept"].split(", ")
    assert set(accepted) == media_types.INDEXES | media_types.MANIFESTS
    assert asked.headers["user-agent"].startswith("image-builder/")
    assert asked.headers["accept-encoding"] == "identity"


def test_a_missing_manifest_says_what_was_asked_of_whom(
    server: FaultyServer, transport: HttpTransport, asking: Asking
) -> None:
    with pytest.raises(RegistryError) as caught:
        ask(server.url, transport, "library/python").client.manifest("9.99")
    assert caught.value.message == (
        f"asking {server.host} for library/python:9.99: the answer is 404 Not Found: "
        "MANIFEST_UNKNOWN: manifest unknown"
    )
    assert caught.value.hint == "check the repository and the tag"
    assert caught.value.status == 404
    assert not asking.pauses


@pytest.mark.parametrize(
    ("status", "hint"),
    [
        (401, "check the name: registries say this of private images"),
        (403, "does not let them"),
        (451, None),
    ],
)
def test_refusals_have_hints(
    server: FaultyServer, asking: Asking, status: int, hint: str | None
) -> None:
    server.on(TAG_PATH, refused(status))
    with pytest.raises(RegistryError, match=f"the answer is {status} ") as caught:
        asking.client.manifest("1")
    assert (hint is None) == (caught.value.hint is None)
    assert (hint or "") in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"no \x1b[31mway\r\n", ": no [31mway"),
        (b"<!doctype html><p>Bad", ""),
        (b'{"errors":[{"code":"A","detail":{"x":1}},{"message":"b"}]}', ': A: {"x": 1}; b'),
        (b'{"errors":"x"}', ': {"errors":"x"}'),
        (b"x" * 100_000, ": " + "x" * 300),
    ],
)
def test_a_refusal_is_put_into_one_clean_line(
    server: FaultyServer, asking: Asking, body: bytes, words: str
) -> None:
    server.on(TAG_PATH, Answer(status=400, body=body))
    with pytest.raises(RegistryError) as caught:
        asking.client.manifest("1")
    expected = f"asking {server.host} for app:1: the answer is 400 Bad Request{words}"
    assert caught.value.message.replace("  ", " ") == expected


def test_a_busy_registry_is_asked_again(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, refused(503), refused(500), GOOD)
    assert asking.client.manifest("1").raw == MANIFEST
    assert [0.2 <= asking.pauses[0] <= 0.4, 0.4 <= asking.pauses[1] <= 0.8] == [True, True]
    assert asking.notices[0].startswith(
        f"asking {server.host} for app:1: the answer is 503 Service Unavailable; trying again in 0."
    )
    assert asking.notices[1].endswith("(2 of 3)")


def test_patience_ends_after_four_tries(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, refused(502))
    with pytest.raises(RegistryError, match="the answer is 502") as caught:
        asking.client.manifest("1")
    assert len(server.asked) == 4
    assert caught.value.hint == "the fault is the registry's: try again later"


def test_retry_after_is_obeyed(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, refused(429, Retry_After="3"), GOOD)
    asking.client.manifest("1")
    assert asking.pauses == [3.0]


def test_a_wait_beyond_all_patience_is_an_error_at_once(
    server: FaultyServer, asking: Asking
) -> None:
    server.on(TAG_PATH, refused(429, "TOOMANYREQUESTS", "slow down", Retry_After="600"))
    with pytest.raises(RegistryError, match="429 Too Many Requests: TOOMANYREQUESTS") as caught:
        asking.client.manifest("1")
    assert caught.value.hint == "it asks to wait for 600 s; try again then, or use a mirror"
    assert len(server.asked) == 1


def test_a_manifest_that_breaks_off_is_fetched_again(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, Answer(body=MANIFEST[:5], promised=9), GOOD)
    assert asking.client.manifest("1").raw == MANIFEST
    assert len(asking.pauses) == 1


def test_a_manifest_has_to_be_the_one_asked_for(server: FaultyServer, asking: Asking) -> None:
    other = Digest.of(b"other")
    server.on(f"/v2/app/manifests/{other}", GOOD)
    with pytest.raises(RegistryError) as caught:
        asking.client.manifest(str(other))
    assert caught.value.message == (
        f"asking {server.host} for app@{other}: wanted the manifest {other}, "
        f"got 19 bytes that hash to {DIGEST}"
    )


@pytest.mark.parametrize("promise", [str(Digest.of(b"other")), "md5:1", f"sha512:{'0' * 128}"])
def test_a_registry_has_to_keep_its_own_promise(
    server: FaultyServer, asking: Asking, promise: str
) -> None:
    server.on(TAG_PATH, Answer(body=MANIFEST, headers={"Docker-Content-Digest": promise}))
    with pytest.raises(RegistryError, match=r"wanted the manifest|not a digest|not supported"):
        asking.client.manifest("1")


def test_an_endless_manifest_is_refused(server: FaultyServer, asking: Asking) -> None:
    server.on(TAG_PATH, Answer(body=bytes(MAX_DOCUMENT + 1)))
    with pytest.raises(RegistryError, match="longer than 4 MiB"):
        asking.client.manifest("1")


def test_a_token_is_fetched_once_per_scope(server: FaultyServer, asking: Asking) -> None:
    challenge = f'Bearer realm="{server.url}/token",service="s"'
    server.on(TAG_PATH, refused(401, WWW_Authenticate=challenge), GOOD)
    server.on("/token", Answer(body=b'{"token":"t"}'))
    server.on(f"/v2/app/blobs/{DIGEST}", Answer(body=MANIFEST))
    asking.client.manifest("1")
    with asking.client.blob(BLOB) as body:
        assert body.read() == MANIFEST
    token = "/token?service=s&scope=repository%3Aapp%3Apull"
    assert server.paths() == [TAG_PATH, token, TAG_PATH, f"/v2/app/blobs/{DIGEST}"]
    assert [a.headers.get("authorization") for a in server.asked[2:]] == ["Bearer t"] * 2


def test_a_busy_token_server_is_asked_again(server: FaultyServer, asking: Asking) -> None:
    challenge = f'Bearer realm="{server.url}/token"'
    server.on(TAG_PATH, refused(401, WWW_Authenticate=challenge), GOOD)
    server.on("/token", refused(503), Answer(body=b'{"token":"t"}'))
    assert asking.client.manifest("1").raw == MANIFEST
    # Who gives out tokens is known by then: it is asked before anything else.
    assert [path.partition("?")[0] for path in server.paths()] == [
        *(TAG_PATH, "/token"),
        *("/token", TAG_PATH),
    ]
    assert len(asking.pauses) == 1


def test_a_token_that_does_not_help_is_not_asked_for_again(
    server: FaultyServer, asking: Asking
) -> None:
    challenge = f'Bearer realm="{server.url}/token"'
    server.on(TAG_PATH, refused(401, "UNAUTHORIZED", "no", WWW_Authenticate=challenge))
    server.on("/token", Answer(body=b'{"token":"t"}'))
    with pytest.raises(RegistryError, match="401 Unauthorized: UNAUTHORIZED: no"):
        asking.client.manifest("1")
    assert len(server.asked) == 3


def test_a_mirrors_prefix_is_in_path_and_scope(
    server: FaultyServer, transport: HttpTransport
) -> None:
    path = "/v2/hub/app/manifests/1"
    server.on(path, refused(401, WWW_Authenticate=f'Bearer realm="{server.url}/token"'), GOOD)
    server.on("/token", Answer(body=b'{"token":"t"}'))
    ask(f"{server.url}/hub", transport).client.manifest("1")
    assert server.paths() == [path, "/token?scope=repository%3Ahub%2Fapp%3Apull", path]


def test_an_unreachable_registry_is_given_up_on(transport: HttpTransport) -> None:
    host = closed_port()
    asking = ask(f"http://{host}", transport)
    with pytest.raises(TransportError) as caught:
        asking.client.manifest("1")
    assert caught.value.message == f"cannot reach {host}: connection refused"
    assert len(asking.pauses) == 3
    assert sum(asking.pauses) < 3
