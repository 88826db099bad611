from typing import Any

import pytest

from builder.errors import DocumentError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.manifest import Index, Manifest, parse_index, parse_manifest
from builder.oci.platform import Platform
from layers.compress import DOCKER_TAR_GZIP, TAR_GZIP
from tests.oci.examples import CONFIG_DIGEST, LAYER_DIGEST, docker_manifest, index, manifest


def raw(value: dict[str, Any]) -> bytes:
    return canonical_json(value)


def test_a_manifest_is_read() -> None:
    document = parse_manifest(raw(manifest()))
    found = document.value
    assert (document.raw, document.media_type) == (raw(manifest()), media_types.MANIFEST)
    assert (str(found.config.digest), found.config.size) == (CONFIG_DIGEST, 7023)
    assert [(layer.media_type, str(layer.digest)) for layer in found.layers] == [
        (TAR_GZIP, LAYER_DIGEST)
    ]
    assert found.annotations == {"org.opencontainers.image.title": "app"}


def test_a_docker_manifest_is_read_too() -> None:
    document = parse_manifest(raw(docker_manifest()))
    assert document.media_type == media_types.DOCKER_MANIFEST
    assert document.value.layers[0].media_type == DOCKER_TAR_GZIP


def test_a_manifest_that_we_write_is_read_back() -> None:
    written = parse_manifest(raw(manifest())).value.to_document()
    assert written.raw == raw(manifest())
    assert parse_manifest(written.raw) == written


def test_raw_bytes_are_kept_as_they_came() -> None:
    spaced = raw(manifest()).replace(b":", b" : ", 1) + b"\n"
    document = parse_manifest(spaced)
    assert document.raw == spaced
    assert document.value == parse_manifest(raw(manifest())).value
    assert document.digest != parse_manifest(raw(manifest())).digest


@pytest.mark.parametrize(
    ("claimed", "media_type"),
    [
        (None, media_types.MANIFEST),
        (media_types.DOCKER_MANIFEST, media_types.DOCKER_MANIFEST),
        (media_types.MANIFEST, media_types.MANIFEST),
    ],
)
def test_a_manifest_without_a_media_type_is_what_its_giver_says(
    claimed: str | None, media_type: str
) -> None:
    value = manifest()
    del value["mediaType"]
    assert parse_manifest(raw(value), claimed).media_type == media_type


def test_the_documents_own_word_wins() -> None:
    found = parse_manifest(raw(manifest()), media_types.DOCKER_MANIFEST)
    assert found.media_type == media_types.MANIFEST


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"mediaType": "application/vnd.docker.image.v1+json"},
            "not an image manifest: media type application/vnd.docker.image.v1+json",
        ),
        (
            {"mediaType": media_types.INDEX},
            "not an image manifest: media type application/vnd.oci.image.index.v1+json",
        ),
        ({"mediaType": ["x"]}, "manifest: mediaType is ['x']; expected a string"),
        ({"config": None}, "manifest.config is NoneType in JSON; expected an object"),
        ({"config": {}}, "manifest.config has no mediaType"),
        ({"layers": {}}, "manifest: layers is {}; expected a list"),
        ({"layers": [1]}, "manifest.layers[0] is int in JSON; expected an object"),
        (
            {"layers": [manifest()["config"], {"mediaType": "x"}]},
            "manifest.layers[1] has no digest",
        ),
        ({"annotations": ["ab"]}, "manifest: annotations is ['ab']; expected an object of strings"),
    ],
)
def test_what_is_no_manifest_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(raw(manifest() | change))
    assert caught.value.message == message


def test_a_long_wrong_value_is_shown_in_part() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(raw(manifest() | {"annotations": ["x" * 10_000]}))
    assert len(caught.value.message) < 200


AMD64 = {"os": "linux", "architecture": "amd64"}
AMD64_V3 = AMD64 | {"variant": "v3"}
ARM64 = {"os": "linux", "architecture": "arm64"}
ARM64_V8 = ARM64 | {"variant": "v8"}
ARM_V6 = {"os": "linux", "architecture": "arm", "variant": "v6"}
ARM_V7 = {"os": "linux", "architecture": "arm", "variant": "v7"}
WINDOWS = {"os": "windows", "architecture": "amd64"}
ATTESTATION = {"os": "unknown", "architecture": "unknown"}


def test_an_index_is_read_and_written() -> None:
    value = index(AMD64, ARM64_V8) | {"annotations": {"org.opencontainers.image.title": "app"}}
    document = parse_index(raw(value))
    assert document.value.annotations == {"org.opencontainers.image.title": "app"}
    assert document.media_type == media_types.INDEX
    assert [m.platform for m in document.value.manifests] == [
        Platform("linux", "amd64"),
        Platform("linux", "arm64", "v8"),
    ]
    assert document.value.to_document() == document


def test_a_docker_manifest_list_is_read_too() -> None:
    value = index(AMD64) | {"mediaType": media_types.DOCKER_INDEX}
    assert parse_index(raw(value)).media_type == media_types.DOCKER_INDEX
    del value["mediaType"]
    found = parse_index(raw(value), media_types.DOCKER_INDEX)
    assert found.media_type == media_types.DOCKER_INDEX


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (manifest(), "not an image index: media type application/vnd.oci.image.manifest.v1+json"),
        ({}, "not an image index: it has no manifests"),
        ({"manifests": {}}, "index: manifests is {}; expected a list"),
        ({"manifests": [{}]}, "index.manifests[0] has no mediaType"),
        ({"manifests": [], "mediaType": {}}, "index: mediaType is {}; expected a string"),
        (
            {"manifests": [], "annotations": [1]},
            "index: annotations is [1]; expected an object of strings",
        ),
    ],
)
def test_what_is_no_index_is_refused(value: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_index(raw(value))
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("platforms", "wanted", "chosen"),
    [
        ([AMD64, ARM64], "linux/amd64", 0),
        ([AMD64, ARM64], "linux/arm64", 1),
        ([AMD64, ARM64], "linux/arm64/v8", 1),
        ([AMD64, ARM64_V8], "linux/arm64", 1),
        ([WINDOWS, AMD64], "linux/amd64", 1),
        ([ATTESTATION, AMD64], "linux/amd64", 1),
        ([AMD64, AMD64], "linux/amd64", 0),
        ([AMD64_V3, AMD64], "linux/amd64", 1),
        ([AMD64, AMD64_V3], "linux/amd64/v3", 1),
        ([AMD64_V3], "linux/amd64", 0),
        ([ARM_V6, ARM_V7], "linux/arm", 1),
        ([ARM_V6, ARM_V7], "linux/arm/v7", 1),
        ([ARM_V7, ARM_V6], "linux/arm/v6", 1),
        ([ARM_V6], "linux/arm", 0),
    ],
)
def test_the_manifest_of_a_platform_is_chosen(
    platforms: list[dict[str, str]], wanted: str, chosen: int
) -> None:
    found = parse_index(raw(index(*platforms))).value.select(Platform.parse(wanted))
    assert found.digest.hex == f"{chosen:064x}"


@pytest.mark.parametrize(
    ("platforms", "wanted", "offers"),
    [
        ([AMD64, ARM64_V8], "linux/s390x", "linux/amd64, linux/arm64/v8"),
        ([AMD64], "linux/amd64/v3", "linux/amd64"),
        ([ARM_V7], "linux/arm/v6", "linux/arm/v7"),
        ([], "linux/amd64", "none named"),
    ],
)
def test_a_platform_that_is_not_there_is_refused_with_what_is(
    platforms: list[dict[str, str]], wanted: str, offers: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_index(raw(index(*platforms))).value.select(Platform.parse(wanted))
    assert caught.value.message == f"the index has no manifest for {wanted}; it offers: {offers}"


def test_a_manifest_without_a_platform_is_never_chosen() -> None:
    pointer = Descriptor.parse(manifest()["config"], "it")
    with pytest.raises(DocumentError, match="it offers: none named"):
        Index(manifests=(pointer,)).select(Platform("linux", "amd64"))


def test_members_without_content_are_left_out() -> None:
    pointer = Descriptor.parse(manifest()["config"], "it")
    assert b"annotations" not in Manifest(config=pointer, layers=()).to_document().raw
    assert b"annotations" not in Index(manifests=()).to_document().raw
