"""Which images a manifest or an index stands for."""

from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import BaseError
from builder.examine.images import images_of
from builder.oci import media_types
from builder.oci.image import Image
from builder.oci.image_index import ImageIndex
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from builder.store.layout import Layout
from tests.examine.looking import file
from tests.images import make_image, make_layer

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64", "v8")


@pytest.fixture
def images(tmp_path: Path) -> list[Image]:
    layer = make_layer(Layout(tmp_path), [file("a")])
    return [make_image([layer, layer], {}, platform) for platform in (AMD64, ARM64)]


def index_of(images: list[Image]) -> ManifestTree:
    return ManifestTree.of(ImageIndex.of(images, {}))


def test_one_manifest_is_one_image(images: list[Image]) -> None:
    [image] = images_of(ManifestTree.of_image(images[0]), "app")
    assert image.manifest == images[0].manifest
    assert [layer.diff_id for layer in image.layers] == [
        layer.diff_id for layer in images[0].layers
    ]


def test_an_index_is_all_of_its_images(images: list[Image]) -> None:
    found = images_of(index_of(images), "app")
    assert [image.digest for image in found] == [image.digest for image in images]


@pytest.mark.parametrize("wanted", [(ARM64,), (Platform("linux", "arm64"),)])
def test_of_an_index_only_what_is_wanted(wanted: tuple[Platform, ...], images: list[Image]) -> None:
    found = images_of(index_of(images), "app", wanted)
    assert [image.digest for image in found] == [images[1].digest]


def test_a_platform_that_is_not_there_is_refused(images: list[Image]) -> None:
    with pytest.raises(BaseError) as caught:
        images_of(index_of(images), "app", (Platform("linux", "s390x"),))
    assert caught.value.message == (
        "app has no image for linux/s390x; it has: linux/amd64, linux/arm64/v8"
    )


def attestation(image: Image) -> ManifestTree:
    """As BuildKit puts beside an image."""
    tree = ManifestTree.of_image(image)
    unknown = Platform("unknown", "unknown")
    return replace(tree, descriptor=replace(tree.descriptor, platform=unknown))


def test_what_is_about_an_image_is_none(images: list[Image]) -> None:
    index = index_of(images[:1])
    found = images_of(replace(index, children=(*index.children, attestation(images[1]))), "app")
    assert [image.digest for image in found] == [images[0].digest]


def test_what_holds_no_image_is_refused(images: list[Image]) -> None:
    with pytest.raises(BaseError, match="holds no image"):
        images_of(attestation(images[0]), "app")


def test_layers_that_are_not_distributed_are_told(images: list[Image]) -> None:
    tree = ManifestTree.of_image(images[0])
    config = tuple(b for b in tree.blobs if b.descriptor.media_type == media_types.CONFIG)
    with pytest.raises(BaseError, match="is not distributed"):
        images_of(replace(tree, blobs=config), "app")


WINDOWS = Platform("windows", "amd64")


def test_what_is_not_for_linux_is_refused(images: list[Image]) -> None:
    other = make_image(images[0].layers, {}, WINDOWS)
    with pytest.raises(BaseError) as caught:
        images_of(index_of([*images, other]), "app")
    assert (
        caught.value.message == "app is for windows/amd64, and only images for linux can be checked"
    )
    assert caught.value.hint == "check the others: --platform linux/amd64,linux/arm64/v8"
    assert len(images_of(index_of([*images, other]), "app", (AMD64,))) == 1
    with pytest.raises(BaseError, match="app is for windows/amd64") as caught:
        images_of(ManifestTree.of_image(other), "app")
    assert caught.value.hint is None
