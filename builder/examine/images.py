"""The images that a manifest or an index stands for."""

from collections.abc import Sequence

from builder.errors import BaseError
from builder.oci import media_types
from builder.oci.image import Image
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from builder.store.packing import known_layer

_CONFIGS = {media_types.CONFIG, media_types.DOCKER_CONFIG}
_NO_PLATFORM = "unknown"
"""The platform of what is about an image and is none, such as BuildKit's attestations."""


def images_of(
    tree: ManifestTree, name: str, platforms: tuple[Platform, ...] = ()
) -> tuple[Image, ...]:
    """The images in a tree, in the order of its index; their layers are not read yet.

    Args:
        tree: of a manifest or an index.
        name: what messages call it.
        platforms: of the images that are wanted; all of them when there is none.

    Raises:
        BaseError: there is none, or none for one of the platforms, or one is not for Linux.
        DocumentError: a config cannot be read, or does not agree with its manifest.
        LayerError: a config is not what its digest promises.
    """
    images = [image for each in tree.documents() if (image := _image(each, name)) is not None]
    if not images:
        raise BaseError(f"{name} holds no image")
    if platforms:
        images = [_for(platform, images, name) for platform in platforms]
    _refuse_others(images, name)
    return tuple(images)


def _refuse_others(images: Sequence[Image], name: str) -> None:
    found = [str(image.config.value.platform) for image in images if not _is_linux(image)]
    if found:
        ours = ",".join(str(image.config.value.platform) for image in images if _is_linux(image))
        raise BaseError(
            f"{name} is for {', '.join(found)}, and only images for linux can be checked",
            hint=f"check the others: --platform {ours}" if ours else None,
        )


def _is_linux(image: Image) -> bool:
    return image.config.value.platform.os == "linux"


def _image(tree: ManifestTree, name: str) -> Image | None:
    descriptor = tree.descriptor
    if descriptor.media_type not in media_types.MANIFESTS:
        return None
    if descriptor.platform and descriptor.platform.os == _NO_PLATFORM:
        return None
    manifest = parse_manifest(tree.raw, descriptor.media_type)
    if manifest.value.config.media_type not in _CONFIGS:
        return None
    blobs = {blob.descriptor.digest: blob for blob in tree.blobs}
    with blobs[manifest.value.config.digest].open() as stream:
        config = parse_image_config(stream.read())
    # Unequal numbers of layers and diff_ids are refused by Image.
    pairs = list(zip(manifest.value.layers, config.value.diff_ids, strict=False))
    if lacking := [layer for layer, _ in pairs if layer.digest not in blobs]:
        foreign = lacking[0]
        raise BaseError(
            f"{name}: layer {foreign.digest} is {foreign.media_type}, which is not distributed"
        )
    layers = (known_layer(each, diff_id, blobs[each.digest].source) for each, diff_id in pairs)
    return Image(manifest, config, tuple(layers))


def _for(wanted: Platform, images: list[Image], name: str) -> Image:
    for image in images:
        got = image.config.value.platform
        # Configs often lack the variant that whoever asked knows.
        if Platform(got.os, got.architecture, got.variant or wanted.variant).matches(wanted):
            return image
    offered = ", ".join(str(image.config.value.platform) for image in images)
    raise BaseError(f"{name} has no image for {wanted}; it has: {offered}")
