"""Downloads whose connections break, from servers that do what a real one cannot be made to do."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from builder.errors import LayerError, RegistryError, TransportError
from builder.oci.descriptor import Descriptor
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.endpoint import mirror_endpoint
from builder.retry import Retry
from builder.transport import HttpTransport
from layers.digest import Digest
from tests.registry_client.fake import Answer, FaultyServer, refused

DATA = bytes(range(256)) * 1000
BLOB = Descriptor(media_type="a/b", digest=Digest.of(DATA), size=len(DATA))
PATH = f"/v2/app/blobs/{BLOB.digest}"
HALF = len(DATA) // 2


@pytest.fixture
def client(server: FaultyServer) -> Iterator[RegistryClient]:
    with HttpTransport() as transport:
        yield RegistryClient(
            transport,
            mirror_endpoint(server.url, "app"),
            authorization=Authorization(),
            retry=Retry(sleep=lambda _: None),
        )


def rest(start: int) -> Answer:
    headers = {"Content-Range": f"bytes {start}-{len(DATA) - 1}/{len(DATA)}"}
    return Answer(status=206, body=DATA[start:], headers=headers)


def read(client: RegistryClient, descriptor: Descriptor = BLOB) -> bytes:
    with client.blob(descriptor) as body:
        return b"".join(iter(lambda: body.read(1 << 16), b""))


def ranges(server: FaultyServer) -> list[str | None]:
    return [asked.headers.get("range") for asked in server.asked]


def test_the_rest_is_asked_for(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA[:HALF], promised=HALF), rest(HALF))
    assert read(client) == DATA
    assert ranges(server) == [None, f"bytes={HALF}-"]


def test_a_server_that_knows_no_ranges_begins_anew(
    server: FaultyServer, client: RegistryClient
) -> None:
    server.on(PATH, Answer(body=DATA[:HALF], promised=HALF), Answer(body=DATA))
    assert read(client) == DATA


def test_too_little_is_no_end(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA[:HALF]), rest(HALF))
    assert read(client) == DATA


def test_a_server_that_never_gives_the_end(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA[:HALF]))
    with pytest.raises(TransportError, match=f"broke off blob .* at {HALF} of {len(DATA)} bytes"):
        read(client)
    assert len(server.asked) < 10


def test_a_gap_is_refused(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA[:HALF], promised=HALF), rest(HALF + 1))
    with pytest.raises(RegistryError, match=f"got it from byte {HALF + 1} on"):
        read(client)


def test_other_bytes_are_refused_and_the_server_named(
    server: FaultyServer, client: RegistryClient
) -> None:
    server.on(PATH, Answer(body=b"x" * len(DATA)))
    with pytest.raises(LayerError, match=f"blob {BLOB.digest}: wanted") as caught:
        read(client)
    assert server.host in (caught.value.hint or "")


def test_more_bytes_are_refused(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA))
    with pytest.raises(LayerError, match="more than the"):
        read(client, replace(BLOB, size=HALF))


def test_broken_off_after_the_last_byte(server: FaultyServer, client: RegistryClient) -> None:
    server.on(PATH, Answer(body=DATA, promised=1), refused(416))
    assert read(client) == DATA
