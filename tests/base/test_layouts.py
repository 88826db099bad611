"""Which image of a layout is meant."""

from dataclasses import replace
from pathlib import Path

import pytest

from builder.base.base import Base, BaseRequest
from builder.base.find import find_base, split_path
from builder.errors import BaseError
from builder.oci.platform import Platform
from builder.store.layout import Layout, Store
from layers.entries import FileEntry
from tests.base.images import AMD64, ARM64, PYTHON, ROOTFS, make_image, make_index
from tests.images import blob_path


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


def find(layout: Layout, tag: str = "", platform: Platform = AMD64) -> Base:
    source = f"oci:{layout.root}{tag}"
    store = Store(layout.root.parent / "store")
    return find_base(BaseRequest(source=source, platform=platform), store=store)


def test_an_index_leads_to_the_platform(layout: Layout) -> None:
    amd, arm = (make_image(layout, [ROOTFS], platform=p) for p in (AMD64, ARM64))
    layout.tag("1", make_index(layout, amd, arm))
    assert find(layout).digest == amd.digest
    assert find(layout, platform=Platform("linux", "arm64")).digest == arm.digest


def test_indexes_may_be_nested(layout: Layout) -> None:
    amd = make_image(layout, [ROOTFS])
    inner = replace(make_index(layout, amd), platform=AMD64)
    layout.tag("1", make_index(layout, inner))
    assert find(layout).digest == amd.digest


def test_an_index_without_the_platform_says_what_it_has(layout: Layout) -> None:
    layout.tag("1", make_index(layout, make_image(layout, [ROOTFS], platform=ARM64)))
    with pytest.raises(BaseError) as caught:
        find(layout)
    assert caught.value.message == (
        f"base oci:{layout.root}: the index has no manifest for linux/amd64; "
        "it offers: linux/arm64/v8"
    )


def test_several_images_need_a_choice(layout: Layout) -> None:
    one, two = make_image(layout, [ROOTFS]), make_image(layout, [PYTHON])
    layout.tag("registry.test/a:1", one)
    layout.tag("2", two)
    with pytest.raises(BaseError, match="several images, and none was chosen") as caught:
        find(layout)
    assert caught.value.hint == (
        "put the name after the path, e.g. :2; it holds: 2, registry.test/a:1"
    )
    assert find(layout, ":1").digest == one.digest
    assert find(layout, ":registry.test/a:1").digest == one.digest
    assert find(layout, ":2").digest == two.digest
    with pytest.raises(BaseError, match="the layout holds no image named '3'") as caught:
        find(layout, ":3")
    assert caught.value.hint == "it holds: 2, registry.test/a:1"


def test_an_empty_layout_is_an_error(layout: Layout) -> None:
    with pytest.raises(BaseError, match=r"the layout holds no image$"):
        find(layout)


def test_what_is_no_layout_is_an_error(tmp_path: Path) -> None:
    request = BaseRequest(source=f"oci:{tmp_path}", platform=AMD64)
    with pytest.raises(BaseError, match=r"is not an OCI image layout: it has no index\.json"):
        find_base(request, store=Store(tmp_path / "store"))


def test_a_missing_blob_is_named(layout: Layout) -> None:
    image = make_image(layout, [[FileEntry.of("x", b"")]])
    layout.tag("1", image)
    blob_path(layout, image).unlink()
    with pytest.raises(BaseError, match=f"it has no blobs/sha256/{image.digest.hex}"):
        find(layout)


def test_a_manifest_that_is_none_is_named_with_the_base(layout: Layout) -> None:
    layout.tag("1", make_image(layout, [ROOTFS]))
    (layout.root / "index.json").write_bytes(b"[]")
    with pytest.raises(BaseError, match=f"^base oci:{layout.root}: index is list in JSON"):
        find(layout)


@pytest.mark.parametrize(
    ("text", "path", "tag"),
    [
        ("here", "here", None),
        ("here:1", "here", "1"),
        ("here:docker.io/library/python:3.12", "here", "docker.io/library/python:3.12"),
        ("odd:name", "odd:name", None),
        ("odd:name:1", "odd:name", "1"),
        ("none:1", "none", "1"),
        ("here:", "here", None),
    ],
)
def test_path_and_name_are_told_apart_by_what_exists(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, path: str, tag: str | None
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("here").mkdir()
    Path("odd:name").mkdir()
    assert split_path(text) == (Path(path), tag)
