"""The index: names come, go, and stay."""

import json
from pathlib import Path

import pytest

from builder.errors import DocumentError
from builder.store.layout import Layout
from layers.digest import Digest
from tests.store.stores import image, names


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def test_a_name_that_an_image_has_already_is_not_written_again(layout: Layout) -> None:
    one, two = image(layout, "app", b"one"), image(layout, "other", b"two")
    before = (layout.root / "index.json").stat()
    layout.tag("app", one)
    assert (layout.root / "index.json").stat() == before
    layout.tag("app", two)
    assert {entry.digest for entry in layout.index().manifests} == {two.digest}
    assert names(layout) == ["app", "other"]


def test_a_name_that_stands_there_twice_is_written_once(layout: Layout) -> None:
    one = image(layout, "app", b"one")
    path = layout.root / "index.json"
    index = json.loads(path.read_bytes())
    index["manifests"] *= 2
    path.write_text(json.dumps(index))
    layout.tag("app", one)
    assert names(layout) == ["app"]


def test_a_forgotten_image_loses_every_name(layout: Layout) -> None:
    one = image(layout, "app:1", b"one")
    layout.tag("app:latest", one)
    image(layout, "app:2", b"two")
    layout.forget({one.digest, Digest.of(b"unknown")})
    assert names(layout) == ["app:2"]
    assert layout.has(one)


def test_an_index_that_cannot_be_read_is_not_changed_but_begun_anew(layout: Layout) -> None:
    one = image(layout, "app", b"one")
    path = layout.root / "index.json"
    path.write_bytes(b"{")
    with pytest.raises(DocumentError):
        layout.tag("app", one)
    with pytest.raises(DocumentError):
        layout.forget({one.digest})
    assert path.read_bytes() == b"{"
    layout.forget_all()
    assert names(layout) == []
    layout.tag("app", one)
    assert names(layout) == ["app"]
