"""Images for several platforms, read as any other tool would: from a layout's index down."""

from pathlib import Path

from builder.oci.descriptor import Descriptor
from builder.oci.document import Document
from builder.oci.image import Image
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import Index, parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.store.layout import Layout
from layers.entries import FileContent
from layers.layer import Layer
from tests.images import blob_path

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
HOST = Platform.host()
OTHER = next(platform for platform in PLATFORMS if platform != HOST)
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What the kernel and wheels call the machines."""


def read_index(layout: Layout, name: str) -> Document[Index]:
    """The index of that name."""
    [found] = [
        entry
        for entry in layout.index().manifests
        if entry.annotations.get("org.opencontainers.image.ref.name") == name
    ]
    return parse_index(layout.read(found), found.media_type)


def read_images(directory: Path, name: str) -> dict[Platform, Image]:
    """The images that the index of that name lists, in its order, by its platforms."""
    layout = Layout(directory)
    listed = read_index(layout, name).value.manifests
    return {entry.platform: _image(layout, entry) for entry in listed if entry.platform}


def _image(layout: Layout, descriptor: Descriptor) -> Image:
    manifest = parse_manifest(layout.read(descriptor))
    config = parse_image_config(layout.read(manifest.value.config))
    layers = tuple(
        Layer(
            media_type=blob.media_type,
            digest=blob.digest,
            size=blob.size,
            diff_id=diff_id,
            source=FileContent(blob_path(layout, blob)),
        )
        for blob, diff_id in zip(manifest.value.layers, config.value.diff_ids, strict=True)
    )
    return Image(manifest, config, layers)
