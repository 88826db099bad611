"""Artifacts: made, pulled and written as files."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import DocumentError, LayerError, StoreError
from builder.oci import media_types
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index, parse_manifest
from builder.oci.tree import ManifestTree
from builder.registry.artifact import TITLE, make_artifact, pull_artifact, save_artifact
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.endpoint import mirror_endpoint
from builder.retry import Retry
from builder.transport import HttpTransport
from layers.digest import Digest
from layers.entries import BytesContent
from tests.registry_client.fake import Answer, FaultyServer

SBOM = "application/spdx+json"
SUBJECT = Descriptor(
    media_type=media_types.MANIFEST,
    digest=Digest.of(b"subject"),
    size=7,
    annotations={"org.opencontainers.image.ref.name": "of its index, not of itself"},
)


def part(title: str | None, data: bytes = b"data") -> Blob:
    descriptor = Descriptor(
        media_type="text/plain",
        digest=Digest.of(data),
        size=len(data),
        annotations={} if title is None else {TITLE: title},
    )
    return Blob(descriptor, BytesContent(data))


def contents(tree: ManifestTree) -> list[bytes]:
    found = []
    for blob in tree.blobs:
        with blob.open() as stream:
            found.append(stream.read())
    return found


@pytest.fixture
def client(server: FaultyServer) -> Iterator[RegistryClient]:
    with HttpTransport() as transport:
        yield RegistryClient(
            transport,
            mirror_endpoint(server.url, "app"),
            authorization=Authorization(),
            retry=Retry(sleep=lambda _: None),
        )


def serve(server: FaultyServer, tree: ManifestTree) -> None:
    headers = {"Content-Type": tree.descriptor.media_type}
    server.on("/v2/app/manifests/1", Answer(body=tree.raw, headers=headers))
    for blob, data in zip(tree.blobs, contents(tree), strict=True):
        server.on(f"/v2/app/blobs/{blob.descriptor.digest}", Answer(body=data))


def test_an_artifact_is_a_manifest_with_an_empty_config() -> None:
    tree = make_artifact(SBOM, [part("a"), part("b", b"more")], annotations={"x": "y"})
    assert json.loads(tree.raw) == {
        "schemaVersion": 2,
        "mediaType": media_types.MANIFEST,
        "artifactType": SBOM,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [part("a").descriptor.to_json(), part("b", b"more").descriptor.to_json()],
        "annotations": {"x": "y"},
    }
    assert contents(tree) == [b"{}", b"data", b"more"]
    assert tree.descriptor == Descriptor(
        media_type=media_types.MANIFEST,
        digest=Digest.of(tree.raw),
        size=len(tree.raw),
        artifact_type=SBOM,
        annotations={"x": "y"},
    )


def test_an_artifact_of_no_parts_has_the_empty_one() -> None:
    tree = make_artifact(SBOM, [])
    manifest = parse_manifest(tree.raw).value
    assert manifest.layers == (manifest.config,)
    assert contents(tree) == [b"{}"]


def test_an_artifact_may_have_a_config_and_a_subject() -> None:
    config = part(None, b"config")
    tree = make_artifact(SBOM, [part("a")], config=config, subject=SUBJECT)
    manifest = parse_manifest(tree.raw).value
    assert manifest.config == config.descriptor
    assert manifest.subject == replace(SUBJECT, annotations={})
    assert contents(tree) == [b"config", b"data"]


@pytest.mark.parametrize(
    "kind", ["", "sbom", "a/b/c", "a /b", "/b", "a/", "a/b\n", "a/" + "b" * 128]
)
def test_a_kind_is_a_media_type(kind: str) -> None:
    with pytest.raises(DocumentError, match="not a media type"):
        make_artifact(kind, [])


def test_what_is_pulled_comes_when_it_is_read(
    server: FaultyServer, client: RegistryClient, tmp_path: Path
) -> None:
    made = make_artifact(SBOM, [part("a.txt"), part("deep/b.txt", b"more"), part(None, b"x")])
    serve(server, made)
    pulled = pull_artifact(client, "1")
    assert server.paths() == ["/v2/app/manifests/1"]
    assert (pulled.raw, pulled.descriptor) == (made.raw, made.descriptor)
    assert save_artifact(pulled, tmp_path) == (tmp_path / "a.txt", tmp_path / "deep/b.txt")
    assert (tmp_path / "a.txt").read_bytes() == b"data"
    assert (tmp_path / "deep" / "b.txt").read_bytes() == b"more"
    # What has no title is not even asked for.
    assert f"/v2/app/blobs/{Digest.of(b'x')}" not in server.paths()
    assert {path.name for path in tmp_path.iterdir()} == {"a.txt", "deep"}


def test_a_wrong_blob_becomes_no_file(
    server: FaultyServer, client: RegistryClient, tmp_path: Path
) -> None:
    serve(server, make_artifact(SBOM, [part("a.txt")]))
    server.on(f"/v2/app/blobs/{Digest.of(b'data')}", Answer(body=b"dada"))
    (tmp_path / "a.txt").write_bytes(b"before")
    with pytest.raises(LayerError, match="wanted 4 bytes of that digest"):
        save_artifact(pull_artifact(client, "1"), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"before"


def test_an_index_is_no_artifact(server: FaultyServer, client: RegistryClient) -> None:
    index = Index(manifests=()).to_document()
    server.on(
        "/v2/app/manifests/1", Answer(body=index.raw, headers={"Content-Type": index.media_type})
    )
    with pytest.raises(DocumentError, match="not an image manifest"):
        pull_artifact(client, "1")


@pytest.mark.parametrize(
    "title",
    ["../x", "/etc/x", "a/../../x", "a/..", "..", ".", "", "a/", "a\0b", "a\nb", "\x1b[31m", "//x"],
)
def test_a_title_that_leads_elsewhere_is_refused_before_anything_is_written(
    tmp_path: Path, title: str
) -> None:
    inside = tmp_path / "deep" / "inside"
    tree = make_artifact(SBOM, [part("good"), part(title, b"evil")])
    with pytest.raises(DocumentError, match="no name of a file below the directory"):
        save_artifact(tree, inside)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("titles", [("a", "a"), ("a", "./a"), ("a/b", "a"), ("a", "a/b/c")])
def test_two_parts_are_not_one_file(tmp_path: Path, titles: tuple[str, str]) -> None:
    tree = make_artifact(SBOM, [part(titles[0]), part(titles[1], b"other")])
    with pytest.raises(DocumentError, match="two parts of the artifact are to be written as a"):
        save_artifact(tree, tmp_path)
    assert not list(tmp_path.iterdir())


def test_one_blob_may_be_two_files(tmp_path: Path) -> None:
    tree = make_artifact(SBOM, [part("a"), part("b")])
    assert len(tree.blobs) == 2
    assert [path.read_bytes() for path in save_artifact(tree, tmp_path)] == [b"data", b"data"]


def test_a_link_does_not_lead_out_of_the_directory(tmp_path: Path) -> None:
    directory, outside = tmp_path / "directory", tmp_path / "outside"
    directory.mkdir()
    outside.mkdir()
    (directory / "link").symlink_to(outside)
    tree = make_artifact(SBOM, [part("link/deep/x")])
    with pytest.raises(StoreError, match="a symbolic link on the way leads out of"):
        save_artifact(tree, directory)
    assert not list(outside.iterdir())


def test_a_link_in_the_place_of_a_file_is_replaced(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_text("mine")
    directory = tmp_path / "directory"
    directory.mkdir()
    (directory / "a").symlink_to(outside)
    save_artifact(make_artifact(SBOM, [part("a")]), directory)
    assert outside.read_text() == "mine"
    assert not (directory / "a").is_symlink()


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a file, no directory")
    with pytest.raises(StoreError, match=r"cannot write .*/a/b: (File exists|Not a directory)"):
        save_artifact(make_artifact(SBOM, [part("a/b")]), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_bytes_that_are_not_the_blobs_are_no_file(tmp_path: Path) -> None:
    wrong = Blob(part("a").descriptor, BytesContent(b"dada"))
    with pytest.raises(LayerError):
        save_artifact(make_artifact(SBOM, [wrong]), tmp_path)
    assert not list(tmp_path.iterdir())
