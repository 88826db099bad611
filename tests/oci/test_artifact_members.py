"""Members that artifacts have, in manifests and indexes: read, written, and left out."""

from typing import Any

import pytest

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.manifest import parse_index, parse_manifest
from tests.oci.examples import LAYER_DIGEST, descriptor, docker_manifest, index, manifest
from tests.oci.test_schemas import SCHEMAS, complaints

AMD64 = {"os": "linux", "architecture": "amd64"}
SUBJECT = descriptor("application/vnd.oci.image.manifest.v1+json", LAYER_DIGEST, 7)
MEMBERS = {"subject": SUBJECT, "artifactType": "application/spdx+json"}


def test_a_manifest_may_be_an_artifact_about_another() -> None:
    document = parse_manifest(canonical_json(manifest() | MEMBERS))
    assert document.value.subject == Descriptor.parse(SUBJECT, "it")
    assert document.value.artifact_type == "application/spdx+json"
    assert document.value.to_document() == document


def test_so_may_an_index() -> None:
    document = parse_index(canonical_json(index(AMD64) | MEMBERS))
    assert document.value.subject == Descriptor.parse(SUBJECT, "it")
    assert document.value.artifact_type == "application/spdx+json"
    assert document.value.to_document() == document


@pytest.mark.parametrize("source", [manifest(), docker_manifest(), manifest() | {"subject": None}])
def test_most_manifests_are_neither(source: dict[str, Any]) -> None:
    value = parse_manifest(canonical_json(source)).value
    assert (value.subject, value.artifact_type) == (None, None)
    raw = value.to_document().raw
    assert b"subject" not in raw
    assert b"artifactType" not in raw


def test_most_indexes_are_neither() -> None:
    value = parse_index(canonical_json(index(AMD64))).value
    assert (value.subject, value.artifact_type) == (None, None)
    assert value.to_document().raw == canonical_json(index(AMD64))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"subject": []}, "manifest.subject is list in JSON; expected an object"),
        ({"subject": {}}, "manifest.subject has no mediaType"),
        ({"artifactType": 1}, "manifest: artifactType is 1; expected a string"),
    ],
)
def test_wrong_members_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_manifest(canonical_json(manifest() | change))
    assert caught.value.message == message
    with pytest.raises(DocumentError) as caught:
        parse_index(canonical_json(index(AMD64) | change))
    assert caught.value.message == message.replace("manifest", "index", 1)


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"the schemas are not at {SCHEMAS}")
def test_artifacts_are_valid() -> None:
    written = parse_manifest(canonical_json(manifest() | MEMBERS)).value.to_document()
    assert complaints("image-manifest-schema.json", written.raw) == []
    listed = parse_index(canonical_json(index(AMD64) | MEMBERS)).value.to_document()
    assert complaints("image-index-schema.json", listed.raw) == []
