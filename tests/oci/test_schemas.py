"""What we write, against the specification's own JSON schemas."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4

from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.image_config import make_image_config
from builder.oci.manifest import Index, parse_index, parse_manifest
from builder.store.layout import Layout
from tests.oci.examples import docker_manifest, image_config, index, manifest
from tests.oci.test_image_index import BOTH

SCHEMAS = Path(__file__).parents[2].parent / "shared" / "oci-schemas"
pytestmark = pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"the schemas are not at {SCHEMAS}")
AMD64 = {"os": "linux", "architecture": "amd64"}
ARM = {"os": "linux", "architecture": "arm", "variant": "v7"}


def schema(uri: str) -> Resource[Any]:
    """The schemas refer to each other by file name."""
    text = (SCHEMAS / uri.rpartition("/")[2]).read_text()
    return Resource.from_contents(json.loads(text), default_specification=DRAFT4)


def complaints(name: str, raw: bytes) -> list[str]:
    registry: Registry[Any] = Registry(retrieve=schema)  # type: ignore[call-arg]
    validator = jsonschema.Draft4Validator(schema(name).contents, registry=registry)
    return [error.message for error in validator.iter_errors(json.loads(raw))]


@pytest.mark.parametrize("source", [manifest(), docker_manifest()], ids=["oci", "docker"])
def test_a_manifest_is_valid(source: dict[str, Any]) -> None:
    written = parse_manifest(canonical_json(source)).value.to_document()
    assert complaints("image-manifest-schema.json", written.raw) == []


def test_an_index_is_valid() -> None:
    value = index(AMD64, ARM) | {"annotations": {"a": "b"}}
    written = parse_index(canonical_json(value)).value.to_document()
    assert complaints("image-index-schema.json", written.raw) == []
    assert complaints("image-index-schema.json", Index(manifests=()).to_document().raw) == []
    assert complaints("image-index-schema.json", BOTH.index.raw) == []


def test_an_image_config_is_valid() -> None:
    assert complaints("config-schema.json", make_image_config(image_config()).raw) == []


def test_a_descriptor_is_valid() -> None:
    full = manifest()["layers"][0] | {"annotations": {"a": "b"}, "artifactType": "text/plain"}
    written = canonical_json(Descriptor.parse(full, "it").to_json())
    assert complaints("content-descriptor.json", written) == []


def test_a_layout_is_valid(tmp_path: Path) -> None:
    layout = Layout(tmp_path)
    layout.tag("app:1.0", Descriptor.parse(manifest()["config"], "it"))
    marker, listing = tmp_path / "oci-layout", tmp_path / "index.json"
    assert complaints("image-layout-schema.json", marker.read_bytes()) == []
    assert complaints("image-index-schema.json", listing.read_bytes()) == []


def test_the_schemas_see_what_is_wrong() -> None:
    wrong = manifest() | {"config": {"mediaType": "x", "digest": "y", "size": -1}}
    assert len(complaints("image-manifest-schema.json", canonical_json(wrong))) == 3
