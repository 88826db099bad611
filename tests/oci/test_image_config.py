from typing import Any

import pytest

from builder.errors import DocumentError
from builder.oci import media_types
from builder.oci.document import canonical_json
from builder.oci.image_config import make_image_config, parse_image_config
from builder.oci.platform import Platform
from layers.digest import DiffId
from tests.oci.examples import LAYER_DIGEST, image_config


def test_an_image_config_is_read() -> None:
    raw = canonical_json(image_config())
    document = parse_image_config(raw)
    config = document.value
    assert (document.raw, document.media_type) == (raw, media_types.CONFIG)
    assert config.platform == Platform("linux", "arm64", "v8")
    assert config.diff_ids == (DiffId(LAYER_DIGEST),)
    assert config.run["User"] == "1001:1001"
    assert config.env == {"PATH": "/usr/bin:/bin", "EMPTY": "", "EQUALS": "a=b"}
    assert config.labels == {"org.opencontainers.image.title": "app"}
    assert [entry.get("empty_layer") for entry in config.history] == [None, True]
    assert config.members == image_config()


def test_an_image_config_is_made_of_its_members() -> None:
    document = make_image_config(image_config())
    assert document == parse_image_config(canonical_json(image_config()))


@pytest.mark.parametrize("empty", [None, {}])
def test_what_is_left_out_is_empty(empty: dict[str, Any] | None) -> None:
    members = {"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": None}}
    config = make_image_config(members | {"config": empty, "history": None}).value
    assert (config.diff_ids, config.run, config.history) == ((), {}, ())
    assert (config.env, config.labels) == ({}, {})
    assert config.platform == Platform("linux", "amd64")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"os": None}, "image config has no os"),
        ({"os": ["linux"]}, "image config: os is ['linux']; expected a string"),
        ({"architecture": None}, "image config has no architecture"),
        ({"variant": 8}, "image config: variant is 8; expected a string"),
        ({"rootfs": None}, "image config.rootfs is NoneType in JSON; expected an object"),
        ({"rootfs": []}, "image config.rootfs is list in JSON; expected an object"),
        (
            {"rootfs": {"diff_ids": LAYER_DIGEST}},
            f"image config.rootfs: diff_ids is '{LAYER_DIGEST}'; expected a list",
        ),
        (
            {"rootfs": {"diff_ids": ["sha256:0"]}},
            "image config.rootfs: not a digest: 'sha256:0'; expected sha256: and 64 hex digits",
        ),
        (
            {"rootfs": {"diff_ids": [None]}},
            "image config.rootfs: not a digest: 'None'; expected sha256: and 64 hex digits",
        ),
        ({"config": "x"}, "image config.config is str in JSON; expected an object"),
        (
            {"config": {"Env": "A=b"}},
            "image config.config: Env is 'A=b'; expected a list",
        ),
        (
            {"config": {"Env": ["A=b", None]}},
            "image config.config: Env is ['A=b', None]; expected a list of strings",
        ),
        (
            {"config": {"Labels": ["a"]}},
            "image config.config: Labels is ['a']; expected an object of strings",
        ),
        ({"history": {}}, "image config: history is {}; expected a list"),
        ({"history": ["COPY"]}, "image config.history is str in JSON; expected an object"),
    ],
)
def test_what_is_no_image_config_is_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        make_image_config(image_config() | change)
    assert caught.value.message == message


def test_other_bytes_are_no_image_config() -> None:
    with pytest.raises(DocumentError) as caught:
        parse_image_config(b"[]")
    assert caught.value.message == "image config is list in JSON; expected an object"
