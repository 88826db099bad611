"""Uploads to Debian's real registry, and to servers with faults that it cannot be made to have."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import LayerError, RegistryError
from builder.events import Event
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.delivery import Outcome
from builder.registry.endpoint import mirror_endpoint
from builder.registry.upload import upload
from builder.retry import Retry
from builder.transport import HttpTransport
from layers.digest import Digest
from layers.entries import BytesContent, Content
from tests.registry import Registry
from tests.registry_client.fake import Answer, FaultyServer, refused

DATA = bytes(range(256)) * 100
TYPE = "application/octet-stream"
START = "/v2/app/blobs/uploads/"
BARE_MOUNT = f"{START}?mount={str(Digest.of(DATA)).replace(':', '%3A')}"
SESSION = "/v2/app/blobs/uploads/1"


def blob_of(data: bytes, content: Content | None = None) -> Blob:
    descriptor = Descriptor(media_type=TYPE, digest=Digest.of(data), size=len(data))
    return Blob(descriptor, content or BytesContent(data))


@dataclass(slots=True)
class Uploading:
    client: RegistryClient
    events: list[Event] = field(default_factory=list)

    def __call__(self, data: bytes = DATA, *places: str, content: Content | None = None) -> Outcome:
        blob = blob_of(data, content)
        return upload(self.client, blob, places=places, stop=threading.Event())


def uploading(url: str, transport: HttpTransport, repository: str = "app") -> Uploading:
    events: list[Event] = []
    retry = Retry(events=events.append, sleep=lambda _: None)
    endpoint = mirror_endpoint(url, repository)
    client = RegistryClient(transport, endpoint, authorization=Authorization(), retry=retry)
    return Uploading(client, events)


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport() as opened:
        yield opened


@pytest.fixture
def faulty(server: FaultyServer, transport: HttpTransport) -> Uploading:
    """To a server that does everything right, until the test says otherwise."""
    begun = Answer(status=202, headers={"Location": SESSION})
    server.on(BARE_MOUNT, begun)
    server.on(START, begun)
    server.on(f"/v2/app/blobs/{Digest.of(DATA)}", refused(404))
    server.on(SESSION, Answer(status=201))
    return uploading(server.url, transport)


@pytest.mark.engine
def test_a_blob_goes_once(tmp_path: Path, transport: HttpTransport) -> None:
    with Registry(tmp_path / "registry") as registry:
        up = uploading(registry.url, transport)
        assert up() is Outcome.SENT
        assert up() is Outcome.PRESENT
        with up.client.blob(blob_of(DATA).descriptor) as body:
            assert body.read() == DATA
        asked = [(r.method, r.status) for r in registry.requests()]
    assert asked == [("HEAD", 404), ("POST", 202), ("PUT", 201), ("HEAD", 200), ("GET", 200)]


@pytest.mark.engine
def test_another_repository_of_the_registry_has_it(
    tmp_path: Path, transport: HttpTransport
) -> None:
    with Registry(tmp_path / "registry") as registry:
        assert uploading(registry.url, transport, "one")() is Outcome.SENT
        assert uploading(registry.url, transport, "two")(DATA, "one") is Outcome.MOUNTED
        # The first place does not have it; asking there costs one request and loses nothing.
        assert uploading(registry.url, transport, "three")(DATA, "no", "two") is Outcome.MOUNTED
        assert uploading(registry.url, transport, "four")(DATA, "no") is Outcome.SENT
        assert not list((registry.storage / "data").glob("**/_uploads/*/data"))


@pytest.mark.engine
def test_the_bytes_at_hand_are_not_the_blob_s(tmp_path: Path, transport: HttpTransport) -> None:
    with Registry(tmp_path / "registry") as registry:
        up = uploading(registry.url, transport)
        wrong = BytesContent(DATA[:-1] + b"!")
        with pytest.raises(LayerError, match=f"blob {Digest.of(DATA)}: wanted"):
            up(DATA, content=wrong)
        assert not up.client.has(blob_of(DATA).descriptor)


def test_a_registry_that_takes_no_long_bodies_gets_chunks(
    server: FaultyServer, faulty: Uploading
) -> None:
    server.on(SESSION, refused(413), Answer(status=202), Answer(status=202), Answer(status=201))
    assert faulty() is Outcome.SENT
    methods = [asked.method for asked in server.asked]
    assert methods == ["HEAD", "POST", "PUT", "DELETE", "HEAD", "POST", "PATCH", "PUT"]
    patch = server.asked[-2]
    assert patch.headers["content-range"] == f"0-{len(DATA) - 1}"
    assert patch.body == DATA


def test_a_proxy_that_takes_nothing_is_told_of(server: FaultyServer, faulty: Uploading) -> None:
    server.on(SESSION, refused(413))
    with pytest.raises(RegistryError, match="413"):
        faulty()
    assert sum(asked.method == "PATCH" for asked in server.asked) == 4


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_an_answer_that_may_pass_is_asked_for_again(
    server: FaultyServer, faulty: Uploading, status: int
) -> None:
    server.on(SESSION, refused(status), refused(404), Answer(status=201))
    assert faulty() is Outcome.SENT
    assert len(faulty.events) == 1


def test_a_lost_answer_is_no_lost_blob(server: FaultyServer, faulty: Uploading) -> None:
    server.on(SESSION, refused(502))
    server.on(f"/v2/app/blobs/{Digest.of(DATA)}", refused(404), Answer(status=200, body=DATA))
    assert faulty() is Outcome.SENT
    assert sum(asked.method == "PUT" for asked in server.asked) == 1


def test_what_the_registry_kept_is_not_sent_again(server: FaultyServer, faulty: Uploading) -> None:
    kept = {"Range": "0-9999", "Location": SESSION}
    server.on(
        SESSION,
        refused(503),
        Answer(status=204, headers=kept),
        Answer(status=202),
        Answer(status=201),
    )
    assert faulty() is Outcome.SENT
    [patch] = [asked for asked in server.asked if asked.method == "PATCH"]
    assert (patch.headers["content-range"], patch.body) == (
        f"10000-{len(DATA) - 1}",
        DATA[10_000:],
    )


def test_a_registry_that_cannot_go_on_gets_it_in_one_piece(
    server: FaultyServer, faulty: Uploading
) -> None:
    """Some say that they kept a part, and take one chunk only, with an answer of their own."""
    kept = {"Range": "0-9999", "Location": SESSION}
    server.on(
        SESSION,
        refused(503),
        Answer(status=204, headers=kept),
        Answer(status=201),  # to PATCH
        Answer(status=204),  # to DELETE
        Answer(status=201),  # to PUT
    )
    assert faulty() is Outcome.SENT
    assert server.asked[-1].body == DATA


@pytest.mark.parametrize("status", [400, 401, 403])
def test_a_refusal_is_final(server: FaultyServer, faulty: Uploading, status: int) -> None:
    server.on(SESSION, refused(status, "DENIED", "no"))
    with pytest.raises(RegistryError, match=f"pushing blob .* to {server.host}/app: .* {status}"):
        faulty()
    assert [asked.method for asked in server.asked[-2:]] == ["PUT", "DELETE"]
    assert not faulty.events


def test_an_answer_without_location_is_refused(server: FaultyServer, faulty: Uploading) -> None:
    server.on(BARE_MOUNT, Answer(status=202))
    with pytest.raises(RegistryError, match="it has no Location"):
        faulty()


@pytest.mark.parametrize("location", ["http://[::1/x", "ftp://else.test/x"])
def test_a_location_that_is_no_http_address_is_refused(
    server: FaultyServer, faulty: Uploading, location: str
) -> None:
    server.on(BARE_MOUNT, Answer(status=202, headers={"Location": location}))
    with pytest.raises(RegistryError, match="sends to what is no http address"):
        faulty()


def test_a_refused_mount_is_an_upload(server: FaultyServer, faulty: Uploading) -> None:
    server.on(f"{BARE_MOUNT}&from=base", refused(403, "DENIED", "not yours"))
    assert faulty(DATA, "base") is Outcome.SENT
