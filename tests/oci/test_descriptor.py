from typing import Any

import pytest

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from layers.compress import TAR_GZIP
from layers.digest import DiffId, Digest
from layers.entries import BytesContent
from layers.layer import Layer
from tests.oci.examples import LAYER_DIGEST, descriptor

FULL = descriptor(TAR_GZIP) | {
    "annotations": {"a": "b"},
    "platform": {"os": "linux", "architecture": "arm", "variant": "v7"},
    "artifactType": "application/example",
}


def test_a_descriptor_is_read_in_full() -> None:
    found = Descriptor.parse(FULL, "it")
    assert found == Descriptor(
        media_type=TAR_GZIP,
        digest=Digest(LAYER_DIGEST),
        size=32654,
        annotations={"a": "b"},
        platform=Platform("linux", "arm", "v7"),
        artifact_type="application/example",
    )
    assert found.to_json() == FULL


@pytest.mark.parametrize("empty", [{}, {"annotations": None, "platform": None}, {"platform": {}}])
def test_what_is_empty_is_left_out(empty: dict[str, Any]) -> None:
    assert Descriptor.parse(descriptor(TAR_GZIP) | empty, "it").to_json() == descriptor(TAR_GZIP)


def test_a_platform_without_a_variant_is_written_without() -> None:
    platform = {"os": "linux", "architecture": "amd64"}
    found = Descriptor.parse(FULL | {"platform": platform | {"variant": ""}}, "it")
    assert found.platform == Platform("linux", "amd64")
    assert found.to_json()["platform"] == platform


def test_a_layer_has_a_descriptor() -> None:
    layer = Layer(
        media_type=TAR_GZIP,
        digest=Digest(LAYER_DIGEST),
        size=5,
        diff_id=DiffId(LAYER_DIGEST),
        source=BytesContent(b""),
    )
    assert Descriptor.of_layer(layer).to_json() == descriptor(TAR_GZIP, size=5)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "it is NoneType in JSON; expected an object"),
        ([], "it is list in JSON; expected an object"),
        ("sha256:", "it is str in JSON; expected an object"),
        ({}, "it has no mediaType"),
        (FULL | {"mediaType": 5}, "it: mediaType is 5; expected a string"),
        (FULL | {"digest": None}, "it has no digest"),
        (FULL | {"digest": ["x"]}, "it: digest is ['x']; expected a string"),
        (
            FULL | {"digest": "sha256:0"},
            "it: not a digest: 'sha256:0'; expected sha256: and 64 hex digits",
        ),
        (FULL | {"size": None}, "it: size is None; expected a number of bytes"),
        (FULL | {"size": "5"}, "it: size is '5'; expected a number of bytes"),
        (FULL | {"size": -1}, "it: size is -1; expected a number of bytes"),
        (FULL | {"size": 1.5}, "it: size is 1.5; expected a number of bytes"),
        (FULL | {"size": True}, "it: size is True; expected a number of bytes"),
        (
            FULL | {"annotations": ["ab"]},
            "it: annotations is ['ab']; expected an object of strings",
        ),
        (
            FULL | {"annotations": {"a": 1}},
            "it: annotations is {'a': 1}; expected an object of strings",
        ),
        (FULL | {"platform": "linux"}, "it.platform is str in JSON; expected an object"),
        (FULL | {"platform": {"os": "linux"}}, "it.platform has no architecture"),
        (
            FULL | {"platform": {"os": 1, "architecture": "arm"}},
            "it.platform: os is 1; expected a string",
        ),
        (
            FULL | {"platform": {"os": "linux", "architecture": "arm", "variant": 7}},
            "it.platform: variant is 7; expected a string",
        ),
        (FULL | {"artifactType": {}}, "it: artifactType is {}; expected a string"),
    ],
)
def test_what_is_no_descriptor_is_refused_with_its_place(value: object, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        Descriptor.parse(value, "it")
    assert caught.value.message == message
