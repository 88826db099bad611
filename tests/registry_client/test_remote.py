"""Images in Debian's real registry, read to be sent on."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import DocumentError, RegistryError
from builder.oci.blob import Blob
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.registry.access import RegistryAccess
from builder.registry.client import RegistryClient
from builder.registry.delivery import Goal
from builder.registry.push import push
from builder.registry.remote import remote_tree
from builder.store.layout import Layout, Store
from layers.entries import BytesContent
from tests.base.access import open_access
from tests.base.images import AMD64, ARM64, PYTHON, ROOTFS, make_image, make_index
from tests.push.opening import opened
from tests.registry import Registry
from tests.registry_client.fake import Answer, faulty_server
from tests.registry_client.test_push import Remembered

pytestmark = pytest.mark.engine


@pytest.fixture
def access() -> Iterator[RegistryAccess]:
    with open_access() as given:
        yield given


@pytest.fixture
def sent(registry: Registry, access: RegistryAccess, tmp_path: Path) -> ManifestTree:
    """An index of two images, at ``remote/app:1`` of the registry."""
    layout = Layout(tmp_path / "layout")
    amd = make_image(layout, [ROOTFS, PYTHON])
    arm = make_image(layout, [ROOTFS], platform=ARM64)
    layout.tag("1", make_index(layout, amd, replace(make_index(layout, arm), platform=ARM64)))
    with opened(str(layout.root), Store(tmp_path / "own")) as tree:
        send(tree, f"{registry.host}/remote/app:1", access)
        return tree


def send(tree: ManifestTree, name: str, access: RegistryAccess) -> None:
    reference = Reference.parse(name)
    goal = Goal(client=access.push_client(reference), references=(reference,))
    push(tree, [goal], Remembered(), done=lambda _: None)


def client_of(registry: Registry, access: RegistryAccess) -> RegistryClient:
    [client] = access.pull_clients(Reference.parse(f"{registry.host}/remote/app:1"))
    return client


def read(blob: Blob) -> bytes:
    with blob.open() as stream:
        return stream.read()


def documents(tree: ManifestTree) -> list[bytes]:
    return [document.raw for document in tree.documents()]


def test_documents_come_as_they_are_and_blobs_when_they_are_opened(
    registry: Registry, access: RegistryAccess, sent: ManifestTree
) -> None:
    before = len(registry.requests())
    found = remote_tree(client_of(registry, access), "1")
    assert documents(found) == documents(sent)
    assert [d.descriptor for d in found.documents()] == [d.descriptor for d in sent.documents()]
    paths = [request.path for request in registry.requests()[before:]]
    assert (len(paths), [path for path in paths if "/blobs/" in path]) == (4, [])
    assert list(map(read, found.all_blobs())) == list(map(read, sent.all_blobs()))


def test_of_one_platform_nothing_else_is_asked_for(
    registry: Registry, access: RegistryAccess, sent: ManifestTree
) -> None:
    before = len(registry.requests())
    client = client_of(registry, access)
    found = remote_tree(client, str(sent.descriptor.digest), AMD64)
    assert (found.raw, found.descriptor) == (sent.children[0].raw, sent.children[0].descriptor)
    assert [r.path.rpartition("/")[2] for r in registry.requests()[before:]] == [
        str(sent.descriptor.digest),
        str(found.descriptor.digest),
    ]
    with pytest.raises(DocumentError, match="no manifest for linux/s390x"):
        remote_tree(client, "1", Platform("linux", "s390x"))


def test_the_config_of_a_single_image_is_fetched_once(
    registry: Registry, access: RegistryAccess, sent: ManifestTree
) -> None:
    amd = sent.children[0]
    client = client_of(registry, access)
    before = len(registry.requests())
    found = remote_tree(client, str(amd.descriptor.digest))
    assert found.descriptor.platform == AMD64
    assert read(found.blobs[0]) == read(amd.blobs[0])
    assert len(registry.requests()[before:]) == 2
    with pytest.raises(DocumentError, match="the image is for linux/amd64, wanted one for linux/a"):
        remote_tree(client, str(amd.descriptor.digest), ARM64)


def test_blobs_may_come_from_elsewhere(
    registry: Registry, access: RegistryAccess, sent: ManifestTree
) -> None:
    known = {blob.descriptor.digest: BytesContent(read(blob)) for blob in sent.all_blobs()}
    client = client_of(registry, access)
    before = len(registry.requests())
    found = remote_tree(client, "1", content=lambda blob: known[blob.digest])
    assert list(map(read, found.all_blobs())) == [content.data for content in known.values()]
    assert [r.path for r in registry.requests()[before:] if "/blobs/" in r.path] == []


def test_another_registry_gets_every_byte(
    registry: Registry, access: RegistryAccess, sent: ManifestTree, tmp_path: Path
) -> None:
    with Registry(tmp_path / "other") as other:
        send(remote_tree(client_of(registry, access), "1"), f"{other.host}/remote/app:2", access)
        [client] = access.pull_clients(Reference.parse(f"{other.host}/remote/app:2"))
        found = remote_tree(client, "2")
        assert documents(found) == documents(sent)
        assert list(map(read, found.all_blobs())) == list(map(read, sent.all_blobs()))


def test_what_is_not_there_is_the_registry_s_answer(
    registry: Registry, access: RegistryAccess
) -> None:
    with pytest.raises(RegistryError, match="remote/app:none") as caught:
        remote_tree(client_of(registry, access), "none")
    assert caught.value.status == 404


@pytest.mark.parametrize(
    ("announced", "raw", "message"),
    [
        ("text/html", b"<html>", "is not JSON"),
        (
            "application/vnd.docker.distribution.manifest.v1+prettyjws",
            b'{"schemaVersion": 1}',
            "1 is a Docker image of schema 1",
        ),
        ("application/json", b'{"mediaType": "text/plain"}', "is text/plain; expected an image"),
    ],
)
def test_what_is_no_image_is_told(
    access: RegistryAccess, announced: str, raw: bytes, message: str
) -> None:
    with faulty_server() as server:
        server.on("/v2/app/manifests/1", Answer(body=raw, headers={"Content-Type": announced}))
        [client] = access.pull_clients(Reference.parse(f"{server.host}/app:1"))
        with pytest.raises(DocumentError, match=message):
            remote_tree(client, "1")
