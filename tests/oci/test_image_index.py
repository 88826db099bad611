from collections.abc import Sequence
from dataclasses import replace

import pytest

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor
from builder.oci.document import Document
from builder.oci.image import Image
from builder.oci.image_config import make_image_config
from builder.oci.image_index import ImageIndex, images_of
from builder.oci.manifest import Index, Manifest, parse_index
from builder.oci.media_types import CONFIG, INDEX
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from layers.layer import Layer
from tests.oci.test_image import layer

SHARED, FIRST, SECOND = layer(b"pure Python"), layer(b"x86-64"), layer(b"aarch64!")


def image_for(platform: str, *layers: Layer) -> Image:
    wanted = Platform.parse(platform)
    config = make_image_config(
        {
            "os": wanted.os,
            "architecture": wanted.architecture,
            **({"variant": wanted.variant} if wanted.variant else {}),
            "rootfs": {"type": "layers", "diff_ids": [str(each.diff_id) for each in layers]},
        }
    )
    pointer = Descriptor(media_type=CONFIG, digest=config.digest, size=len(config.raw))
    manifest = Manifest(config=pointer, layers=tuple(map(Descriptor.of_layer, layers)))
    return Image(manifest.to_document(), config, layers)


AMD64 = image_for("linux/amd64", SHARED, FIRST)
ARM64 = image_for("linux/arm64/v8", SHARED, SECOND)
BOTH = ImageIndex.of([AMD64, ARM64], {"org.opencontainers.image.title": "app"})


def test_an_index_lists_its_images_in_their_order() -> None:
    assert BOTH.index.value.manifests == (AMD64.descriptor, ARM64.descriptor)
    assert BOTH.platforms == (Platform("linux", "amd64"), Platform("linux", "arm64", "v8"))
    assert ImageIndex.of([ARM64, AMD64]).platforms == BOTH.platforms[::-1]


def test_an_index_is_known_by_its_own_digest() -> None:
    assert BOTH.digest == BOTH.index.digest
    assert BOTH.descriptor == Descriptor(
        media_type=INDEX, digest=BOTH.digest, size=len(BOTH.index.raw)
    )


def test_the_same_images_and_annotations_give_the_same_bytes() -> None:
    again = ImageIndex.of([AMD64, ARM64], {"org.opencontainers.image.title": "app"})
    assert again == BOTH
    assert ImageIndex.of([AMD64, ARM64]).digest != BOTH.digest


def test_what_it_is_made_of_can_be_read_back() -> None:
    document = parse_index(BOTH.index.raw)
    assert document.value.annotations == {"org.opencontainers.image.title": "app"}
    assert ImageIndex(document, (AMD64, ARM64)) == BOTH


def test_its_size_counts_what_images_share_once() -> None:
    documents = [BOTH.index, *(d for i in (AMD64, ARM64) for d in (i.manifest, i.config))]
    layers = sum(each.size for each in (SHARED, FIRST, SECOND))
    assert BOTH.size == layers + sum(len(document.raw) for document in documents)
    assert BOTH.size < AMD64.size + ARM64.size + len(BOTH.index.raw)


@pytest.mark.parametrize(
    ("platform", "found"),
    [
        ("linux/amd64", AMD64),
        ("linux/amd64/v1", AMD64),
        ("linux/arm64", ARM64),
        ("linux/arm64/v8", ARM64),
        ("linux/amd64/v3", None),
        ("linux/s390x", None),
        ("windows/amd64", None),
    ],
)
def test_a_platform_has_its_image(platform: str, found: Image | None) -> None:
    assert BOTH.image_for(Platform.parse(platform)) == found


def test_what_a_build_gives_has_images() -> None:
    assert images_of(AMD64) == (AMD64,)
    assert images_of(BOTH) == (AMD64, ARM64)


def listing(*manifests: Descriptor) -> Document[Index]:
    return Index(manifests=manifests).to_document()


NAMED = (AMD64.descriptor, ARM64.descriptor)
AS_S390X = replace(ARM64.descriptor, platform=Platform("linux", "s390x"))
NAMELESS = replace(ARM64.descriptor, platform=None)
SHORTER = replace(ARM64.descriptor, size=1)


@pytest.mark.parametrize(
    ("index", "images", "message"),
    [
        (listing(), (), "an index of no images"),
        (listing(*NAMED), (AMD64,), "the index lists other manifests than its images have"),
        (listing(*NAMED), (ARM64, AMD64), "the index lists other manifests than its images have"),
        (listing(NAMED[0]), (AMD64, ARM64), "the index lists other manifests than its images have"),
        (
            listing(NAMED[0], SHORTER),
            (AMD64, ARM64),
            "the index lists other manifests than its images have",
        ),
        (
            listing(NAMED[0], AS_S390X),
            (AMD64, ARM64),
            f"the index calls {ARM64.digest} linux/s390x; its config says linux/arm64/v8",
        ),
        (
            listing(NAMED[0], NAMELESS),
            (AMD64, ARM64),
            f"the index does not say for which platform {ARM64.digest} is",
        ),
    ],
    ids=["none", "one less", "order", "one more", "size", "platform", "no platform"],
)
def test_an_index_of_other_images_is_refused(
    index: Document[Index], images: Sequence[Image], message: str
) -> None:
    with pytest.raises(DocumentError) as caught:
        ImageIndex(index, tuple(images))
    assert caught.value.message == message


@pytest.mark.parametrize("other", ["linux/arm64", "linux/arm64/v8"])
def test_two_images_for_one_platform_are_refused(other: str) -> None:
    with pytest.raises(DocumentError) as caught:
        ImageIndex.of([image_for(other, SECOND), ARM64])
    assert caught.value.message == (
        f"two images of one index are for the same platform: {other} and linux/arm64/v8"
    )


def test_variants_that_differ_are_platforms_that_differ() -> None:
    images = [image_for("linux/arm/v6", FIRST), image_for("linux/arm/v7", SECOND)]
    assert ImageIndex.of(images).image_for(Platform.parse("linux/arm")) == images[1]


def test_an_index_may_know_the_variant_that_a_config_lacks() -> None:
    image = image_for("linux/arm", FIRST)
    pointer = replace(image.descriptor, platform=Platform("linux", "arm", "v6"))
    assert ImageIndex(listing(pointer), (image,)).platforms == (pointer.platform,)


def test_the_tree_of_an_index_has_every_blob_once() -> None:
    tree = ManifestTree.of(BOTH)
    assert (tree.descriptor, tree.raw) == (BOTH.descriptor, BOTH.index.raw)
    assert [each.descriptor for each in tree.documents()] == [
        AMD64.descriptor,
        ARM64.descriptor,
        BOTH.descriptor,
    ]
    configs = [AMD64.config.digest, ARM64.config.digest]
    layers = [each.digest for each in (SHARED, FIRST, SECOND)]
    found = [blob.descriptor.digest for blob in tree.all_blobs()]
    assert sorted(map(str, found)) == sorted(map(str, (*configs, *layers)))


def test_the_tree_of_an_image_is_its_own() -> None:
    assert ManifestTree.of(AMD64) == ManifestTree.of_image(AMD64)
    assert ManifestTree.of(AMD64) == ManifestTree.of_index(BOTH).children[0]
