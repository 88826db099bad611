"""Manifests about manifests: listed by the registry, or under a tag that everybody writes."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from builder.errors import DocumentError, RegistryError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.manifest import Index, parse_index
from builder.registry.artifact import make_artifact
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.endpoint import mirror_endpoint
from builder.registry.referrers import announce, list_referrers, referrer_of
from builder.registry.subject import subject_of
from builder.registry.upload import upload
from builder.retry import Retry
from builder.transport import Headers, HttpTransport, Request, Response
from layers.digest import Digest
from tests.registry import Registry
from tests.registry_client.fake import Answer, Asked, FaultyServer, answering, refused

SUBJECT = Descriptor(media_type=media_types.MANIFEST, digest=Digest.of(b"subject"), size=7)
TAG = f"sha256-{SUBJECT.digest.hex}"
TAG_PATH = f"/v2/app/manifests/{TAG}"
API_PATH = f"/v2/app/referrers/{SUBJECT.digest}"
SBOM = "application/spdx+json"
SIGNATURE = "application/vnd.example.signature"


def referrer(number: int, kind: str = SBOM) -> Descriptor:
    raw = canonical_json({"number": number})
    return Descriptor(
        media_type=media_types.MANIFEST,
        digest=Digest.of(raw),
        size=len(raw),
        artifact_type=kind,
        annotations={"number": str(number)},
    )


ONE, TWO, SIGNED = referrer(1), referrer(2), referrer(3, SIGNATURE)


def list_of(*referrers: Descriptor) -> Answer:
    raw = Index(manifests=referrers).to_document().raw
    return Answer(body=raw, headers={"Content-Type": media_types.INDEX})


def plain_answer(**headers: str) -> Response:
    """To a manifest that was pushed."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status=201, headers=Headers(named), body=io.BytesIO())


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport() as opened:
        yield opened


def client_of(
    url: str, transport: HttpTransport, sleep: Callable[[float], None] = lambda _: None
) -> RegistryClient:
    endpoint = mirror_endpoint(url, "app")
    retry = Retry(sleep=sleep)
    scopes = ["repository:app:pull,push"]
    return RegistryClient(
        transport, endpoint, authorization=Authorization(), retry=retry, scopes=scopes
    )


@pytest.fixture
def client(server: FaultyServer, transport: HttpTransport) -> RegistryClient:
    return client_of(server.url, transport)


# What the registry lists.


def test_the_registry_itself_lists_referrers(server: FaultyServer, client: RegistryClient) -> None:
    server.on(API_PATH, list_of(ONE, SIGNED, ONE))
    assert list_referrers(client, SUBJECT.digest) == (ONE, SIGNED)
    [asked] = server.asked
    assert (asked.path, asked.headers["accept"]) == (API_PATH, media_types.INDEX)


def test_a_list_of_no_referrers_is_one(server: FaultyServer, client: RegistryClient) -> None:
    server.on(API_PATH, list_of())
    assert list_referrers(client, SUBJECT.digest) == ()
    assert server.paths() == [API_PATH]


@pytest.mark.parametrize("applied", ["", "artifactType"])
def test_one_kind_is_listed_whether_the_registry_filters_or_not(
    server: FaultyServer, client: RegistryClient, applied: str
) -> None:
    page = list_of(SIGNED) if applied else list_of(ONE, SIGNED)
    page.headers = {**page.headers, "OCI-Filters-Applied": applied} if applied else page.headers
    query = f"{API_PATH}?artifactType=application%2Fvnd.example.signature"
    server.on(query, page)
    assert list_referrers(client, SUBJECT.digest, SIGNATURE) == (SIGNED,)
    assert server.paths() == [query]


@pytest.mark.parametrize("base", ["", "http://{host}", "https://127.0.0.1:1"])
def test_a_list_comes_in_pages(server: FaultyServer, client: RegistryClient, base: str) -> None:
    first, last = list_of(ONE, TWO), list_of(SIGNED)
    there = base.format(host=server.host)
    # A link that means something else stands before the one that counts.
    link = f'<{there}/v2/app/other>; rel="first", <{there}{API_PATH}?n=2&last=x>; rel="next"'
    first.headers = {**first.headers, "Link": link}
    server.on(API_PATH, first)
    server.on(f"{API_PATH}?n=2&last=x", last)
    assert list_referrers(client, SUBJECT.digest) == (ONE, TWO, SIGNED)


@pytest.mark.parametrize(
    ("link", "told"),
    [
        (f"<{API_PATH}>; rel=next", "the pages lead nowhere"),
        ("<http://else.invalid/x>; rel=next", "said to be at else.invalid; refused"),
        ("<http://[else/x>; rel=next", "said to be at what is no address"),
    ],
)
def test_pages_that_lead_nowhere_are_refused(
    server: FaultyServer, client: RegistryClient, link: str, told: str
) -> None:
    page = list_of(ONE)
    page.headers = {**page.headers, "Link": link}
    server.on(API_PATH, page)
    with pytest.raises(RegistryError, match=told):
        list_referrers(client, SUBJECT.digest)
    assert len(server.asked) == 1


def test_a_page_that_is_missing_is_an_error(server: FaultyServer, client: RegistryClient) -> None:
    page = list_of(ONE)
    page.headers = {**page.headers, "Link": f"<{API_PATH}?n=1>; rel=next"}
    server.on(API_PATH, page)
    server.on(f"{API_PATH}?n=1", Answer(status=404))
    with pytest.raises(RegistryError, match="404"):
        list_referrers(client, SUBJECT.digest)


@pytest.mark.parametrize(
    "answer",
    [Answer(status=404), Answer(status=400), Answer(status=405), Answer(body=b"<html>hello")],
)
def test_a_registry_that_knows_no_referrers_has_a_tag(
    server: FaultyServer, client: RegistryClient, answer: Answer
) -> None:
    server.on(API_PATH, answer)
    server.on(TAG_PATH, list_of(ONE, SIGNED))
    assert list_referrers(client, SUBJECT.digest) == (ONE, SIGNED)
    assert list_referrers(client, SUBJECT.digest, SIGNATURE) == (SIGNED,)


def test_a_refusal_is_no_empty_list(server: FaultyServer, client: RegistryClient) -> None:
    server.on(API_PATH, refused(403, "DENIED", "no"))
    server.on(TAG_PATH, list_of(ONE))
    with pytest.raises(RegistryError, match="403 Forbidden: DENIED: no"):
        list_referrers(client, SUBJECT.digest)


def test_a_tag_that_is_no_list_is_neither_read_nor_replaced(
    server: FaultyServer, client: RegistryClient
) -> None:
    image = Answer(body=b"{}", headers={"Content-Type": media_types.MANIFEST})
    server.on(TAG_PATH, image)
    told = f"app:{TAG} should list referrers: not an image index"
    with pytest.raises(DocumentError, match=told):
        list_referrers(client, SUBJECT.digest)
    with pytest.raises(DocumentError, match=told):
        announce(client, SUBJECT, ONE, plain_answer())
    assert not [asked for asked in server.asked if asked.method != "GET"]


# What has to be written down.


@dataclass(slots=True)
class TagServer:
    """Keeps the list; ``meddle`` is called with it after each time that it was written."""

    raw: bytes | None = None
    meddle: Callable[["TagServer"], None] = lambda _: None
    written: list[bytes] = field(default_factory=list)

    def __call__(self, asked: Asked) -> Answer:
        assert urlsplit(asked.path).path == TAG_PATH
        if asked.method == "PUT":
            self.raw = asked.body
            self.written.append(asked.body)
            self.meddle(self)
            digest = str(Digest.of(asked.body))
            return Answer(status=201, headers={"Docker-Content-Digest": digest})
        if self.raw is None:
            return refused(404, "MANIFEST_UNKNOWN", "no")
        return Answer(body=self.raw, headers={"Content-Type": media_types.INDEX})

    @property
    def digests(self) -> set[Digest]:
        return {each.digest for each in parse_index(self.raw or b"").value.manifests}


def test_a_registry_that_took_note_is_left_alone(
    server: FaultyServer, client: RegistryClient
) -> None:
    announce(client, SUBJECT, ONE, plain_answer(OCI_Subject=str(SUBJECT.digest)))
    assert not server.asked


def test_the_list_begins_with_the_first_referrer(transport: HttpTransport) -> None:
    pauses: list[float] = []
    with answering(kept := TagServer()) as host:
        announce(
            client_of(f"http://{host}", transport, pauses.append), SUBJECT, ONE, plain_answer()
        )
    assert parse_index(kept.raw or b"").value == Index(manifests=(ONE,))
    assert [0.2 <= pause <= 0.6 for pause in pauses] == [True]


def test_a_referrer_is_listed_once(transport: HttpTransport) -> None:
    with answering(kept := TagServer()) as host:
        client = client_of(f"http://{host}", transport)
        announce(client, SUBJECT, ONE, plain_answer())
        announce(client, SUBJECT, ONE, plain_answer())
    assert len(kept.written) == 1


def test_the_order_of_pushes_does_not_matter(transport: HttpTransport) -> None:
    lists = []
    for order in (ONE, TWO, SIGNED), (SIGNED, ONE, TWO):
        with answering(kept := TagServer()) as host:
            for each in order:
                announce(client_of(f"http://{host}", transport), SUBJECT, each, plain_answer())
        lists.append(kept.raw)
    assert lists[0] == lists[1]


def test_what_others_keep_in_the_list_stays(transport: HttpTransport) -> None:
    foreign = {**TWO.to_json(), "urls": ["https://example.com/"], "data": "e30="}
    value = {
        "schemaVersion": 2,
        "mediaType": media_types.INDEX,
        "manifests": [foreign],
        "annotations": {"org.example": "x"},
    }
    with answering(kept := TagServer(raw=canonical_json(value))) as host:
        announce(client_of(f"http://{host}", transport), SUBJECT, ONE, plain_answer())
    now = json.loads(kept.raw or b"")
    assert foreign in now["manifests"]
    assert {**now, "manifests": []} == {**value, "manifests": []}
    assert kept.digests == {ONE.digest, TWO.digest}


def test_an_entry_that_another_one_overwrote_is_written_again(transport: HttpTransport) -> None:
    def overwrite(kept: TagServer) -> None:
        # Somebody who read before we wrote, and wrote after it.
        if len(kept.written) == 1:
            kept.raw = Index(manifests=(TWO,)).to_document().raw

    with answering(kept := TagServer(meddle=overwrite)) as host:
        announce(client_of(f"http://{host}", transport), SUBJECT, ONE, plain_answer())
    assert kept.digests == {ONE.digest, TWO.digest}


def test_entries_of_others_that_were_overwritten_are_written_again(
    transport: HttpTransport,
) -> None:
    def overwrite(kept: TagServer) -> None:
        if len(kept.written) == 1:
            kept.raw = Index(manifests=(ONE, SIGNED)).to_document().raw

    before = Index(manifests=(TWO,)).to_document().raw
    with answering(kept := TagServer(raw=before, meddle=overwrite)) as host:
        announce(client_of(f"http://{host}", transport), SUBJECT, ONE, plain_answer())
    assert kept.digests == {ONE.digest, TWO.digest, SIGNED.digest}


def test_who_is_always_overwritten_is_told(transport: HttpTransport) -> None:
    def overwrite(kept: TagServer) -> None:
        kept.raw = Index(manifests=(TWO,)).to_document().raw

    with answering(kept := TagServer(meddle=overwrite)) as host:
        client = client_of(f"http://{host}", transport)
        with pytest.raises(RegistryError, match="others have overwritten the list 10 times"):
            announce(client, SUBJECT, ONE, plain_answer())
    assert len(kept.written) == 10


# What documents say.


def test_the_subject_is_read() -> None:
    tree = make_artifact(SBOM, [], subject=SUBJECT)
    assert subject_of(tree.raw) == SUBJECT
    assert subject_of(make_artifact(SBOM, []).raw) is None
    assert subject_of(canonical_json({"subject": SUBJECT.to_json(), "manifests": []})) == SUBJECT


@pytest.mark.parametrize("raw", [b"no", b"[]", b'{"subject":1}', b'{"subject":{}}'])
def test_what_is_no_subject_is_refused(raw: bytes) -> None:
    with pytest.raises(DocumentError):
        subject_of(raw)


def test_a_manifest_without_a_kind_is_of_its_configs() -> None:
    config = {"mediaType": "application/x", "digest": str(SUBJECT.digest), "size": 1}
    raw = canonical_json({"config": config, "layers": [], "annotations": {"a": "b"}})
    found = referrer_of(raw, media_types.MANIFEST)
    assert (found.artifact_type, found.annotations) == ("application/x", {"a": "b"})
    assert (found.digest, found.size) == (Digest.of(raw), len(raw))
    index = canonical_json({"manifests": [], "artifactType": SBOM})
    assert referrer_of(index, media_types.INDEX).artifact_type == SBOM


# A real registry, which knows nothing of referrers.


@dataclass(frozen=True, slots=True)
class Pushing:
    """An image in a real registry, and manifests about it."""

    client: RegistryClient
    registry: Registry
    image: Descriptor

    def about(self, number: int) -> Descriptor:
        told = {"number": str(number)}
        tree = make_artifact(SBOM, [], subject=self.image, annotations=told)
        descriptor = tree.descriptor
        answer = self.client.put_manifest(str(descriptor.digest), descriptor, tree.raw)
        announce(self.client, self.image, descriptor, answer)
        return descriptor

    def found(self, kind: str | None = None) -> set[str]:
        listed = list_referrers(self.client, self.image.digest, kind)
        return {each.annotations["number"] for each in listed}


@pytest.fixture
def pushing(tmp_path: Path, transport: HttpTransport) -> Iterator[Pushing]:
    with Registry(tmp_path / "registry") as registry:
        client = client_of(registry.url, transport)
        image = make_artifact("application/x", [])
        for blob in image.blobs:
            upload(client, blob, places=(), stop=threading.Event())
        client.put_manifest("1", image.descriptor, image.raw)
        yield Pushing(client, registry, image.descriptor)


@pytest.mark.engine
def test_two_who_push_at_once_lose_nothing(pushing: Pushing) -> None:
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda half: [pushing.about(n) for n in half], [range(10), range(10, 20)]))
    assert pushing.found(SBOM) == {str(number) for number in range(20)}
    assert pushing.found(SIGNATURE) == set()
    assert list_referrers(pushing.client, SUBJECT.digest) == ()
    asked = [r for r in pushing.registry.requests() if "/referrers/" in r.path]
    assert {r.status for r in asked} == {404}
    assert parse_qs(urlsplit(asked[0].path).query) == {"artifactType": [SBOM]}


@pytest.mark.engine
def test_what_was_deleted_does_not_stand_in_the_way(pushing: Pushing) -> None:
    first = pushing.about(1)
    pushing.about(2)
    request = Request(url=pushing.client.url(f"manifests/{first.digest}"), method="DELETE")
    pushing.client.ask(request, "deleting", 202).close()
    pushing.about(3)
    assert pushing.found() == {"2", "3"}


@pytest.mark.engine
def test_a_referrer_that_is_not_there_is_not_listed(pushing: Pushing) -> None:
    pushing.about(1)
    with pytest.raises(RegistryError, match="MANIFEST_BLOB_UNKNOWN"):
        announce(pushing.client, pushing.image, ONE, plain_answer())
    assert pushing.found() == {"1"}
