from dataclasses import replace

import pytest

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor
from builder.oci.document import Document
from builder.oci.image import Image
from builder.oci.image_config import ImageConfig, make_image_config
from builder.oci.manifest import Manifest
from builder.oci.media_types import CONFIG
from builder.oci.platform import Platform
from layers.compress import TAR
from layers.digest import DiffId, Digest
from layers.entries import BytesContent
from layers.layer import Layer


def layer(data: bytes) -> Layer:
    return Layer(
        media_type=TAR,
        digest=Digest.of(data),
        size=len(data),
        diff_id=DiffId.of(data),
        source=BytesContent(data),
    )


ONE, TWO = layer(b"one"), layer(b"four")


def config_of(*layers: Layer) -> Document[ImageConfig]:
    return make_image_config(
        {
            "os": "linux",
            "architecture": "arm",
            "variant": "v7",
            "rootfs": {"type": "layers", "diff_ids": [str(each.diff_id) for each in layers]},
        }
    )


def manifest_of(config: Document[ImageConfig], *layers: Layer) -> Document[Manifest]:
    pointer = Descriptor(media_type=CONFIG, digest=config.digest, size=len(config.raw))
    return Manifest(config=pointer, layers=tuple(map(Descriptor.of_layer, layers))).to_document()


def test_an_image_is_what_its_parts_say() -> None:
    config = config_of(ONE, TWO)
    manifest = manifest_of(config, ONE, TWO)
    image = Image(manifest, config, (ONE, TWO))
    assert image.digest == manifest.digest
    assert image.size == len(manifest.raw) + len(config.raw) + 7
    assert image.descriptor == Descriptor(
        media_type="application/vnd.oci.image.manifest.v1+json",
        digest=manifest.digest,
        size=len(manifest.raw),
        platform=Platform("linux", "arm", "v7"),
    )


def refusal(
    manifest: Document[Manifest], config: Document[ImageConfig], *layers: Layer
) -> DocumentError:
    with pytest.raises(DocumentError) as caught:
        Image(manifest, config, layers)
    return caught.value


def test_a_manifest_of_another_config_is_refused() -> None:
    ours, other = config_of(ONE), config_of(TWO)
    assert refusal(manifest_of(other, ONE), ours, ONE).message == (
        f"the manifest points at config {other.digest}, the config at hand is {ours.digest}"
    )


def test_a_manifest_that_is_wrong_about_the_configs_size_is_refused() -> None:
    config = config_of(ONE)
    manifest = manifest_of(config, ONE).value
    wrong = replace(manifest, config=replace(manifest.config, size=1)).to_document()
    assert refusal(wrong, config, ONE).message.startswith("the manifest points at config ")


@pytest.mark.parametrize(
    "listed",
    [(), (ONE,), (TWO, ONE), (ONE, TWO, TWO), (ONE, replace(TWO, size=5))],
    ids=["none", "one less", "other order", "one more", "other size"],
)
def test_a_manifest_of_other_layers_is_refused(listed: tuple[Layer, ...]) -> None:
    config = config_of(ONE, TWO)
    assert refusal(manifest_of(config, *listed), config, ONE, TWO).message == (
        "the manifest lists other layers than the image has"
    )


@pytest.mark.parametrize("listed", [(), (ONE,), (TWO, ONE), (ONE, TWO, TWO)])
def test_a_config_of_other_diff_ids_is_refused(listed: tuple[Layer, ...]) -> None:
    config = config_of(*listed)
    assert refusal(manifest_of(config, ONE, TWO), config, ONE, TWO).message == (
        "the config lists other diff_ids than the layers have"
    )
