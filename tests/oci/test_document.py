import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.errors import DocumentError
from builder.oci import media_types
from builder.oci.document import Document, canonical_json, parse_object
from layers.digest import Digest

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_canonical_json_has_no_freedom() -> None:
    assert canonical_json({"b": [1, None], "a": {"d": True, "c": "\xe9\n/"}}) == (
        b'{"a":{"c":"\xc3\xa9\\n/","d":true},"b":[1,null]}'
    )


@given(st.dictionaries(st.text(), JSON, max_size=4), st.randoms(use_true_random=False))
def test_one_value_has_one_canonical_form(value: dict[str, Any], random: Any) -> None:
    raw = canonical_json(value)
    keys = list(value)
    random.shuffle(keys)
    assert canonical_json({key: value[key] for key in keys}) == raw
    assert parse_object(raw, "it") == value
    assert canonical_json(json.loads(raw)) == raw


def test_what_utf8_cannot_say_is_escaped() -> None:
    raw = canonical_json({"a": "\udce9"})
    assert raw == b'{"a":"\\udce9"}'
    assert parse_object(raw, "it") == {"a": "\udce9"}


def test_a_document_points_at_its_own_bytes() -> None:
    document = Document(b"{ }", None, media_types.CONFIG)
    assert document.digest == Digest.of(b"{ }")
    assert document.descriptor().to_json() == {
        "mediaType": "application/vnd.oci.image.config.v1+json",
        "digest": "sha256:257c1be96ae69f4b01c2c69bdb6d78605f59175819fb007d0bf245bf48444c4a",
        "size": 3,
    }


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (
            b"{",
            "it is not JSON: Expecting property name enclosed in double quotes: line 1 column 2",
        ),
        (b"<html>", "it is not JSON: Expecting value: line 1 column 1 (char 0)"),
        (b"\xff\xff{}", "it is not JSON: 'utf-8' codec can't decode byte 0xff in position 0"),
        (b"[" * 100_000, "it is not JSON: "),
        (b"[]", "it is list in JSON; expected an object"),
        (b'"text"', "it is str in JSON; expected an object"),
        (b"null", "it is NoneType in JSON; expected an object"),
        (b"7", "it is int in JSON; expected an object"),
    ],
)
def test_what_is_no_object_is_refused(raw: bytes, message: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse_object(raw, "it")
    assert caught.value.message.startswith(message)


@pytest.mark.parametrize(
    ("docker", "oci"),
    [
        (
            "application/vnd.docker.distribution.manifest.v2+json",
            "application/vnd.oci.image.manifest.v1+json",
        ),
        (
            "application/vnd.docker.distribution.manifest.list.v2+json",
            "application/vnd.oci.image.index.v1+json",
        ),
        (
            "application/vnd.docker.container.image.v1+json",
            "application/vnd.oci.image.config.v1+json",
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.gzip",
            "application/vnd.oci.image.layer.v1.tar+gzip",
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar",
            "application/vnd.oci.image.layer.v1.tar",
        ),
        (
            "application/vnd.docker.image.rootfs.diff.tar.zstd",
            "application/vnd.oci.image.layer.v1.tar+zstd",
        ),
    ],
)
def test_what_docker_names_otherwise_has_an_oci_name(docker: str, oci: str) -> None:
    assert media_types.oci_name(docker) == oci
    assert media_types.oci_name(oci) == oci


def test_a_name_that_only_docker_has_stays() -> None:
    foreign = "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"
    assert media_types.oci_name(foreign) == foreign
