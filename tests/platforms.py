"""Images for several platforms, read as any other tool would: from a layout's index down."""

from pathlib import Path

from builder.oci.document import Document
from builder.oci.image import Image
from builder.oci.manifest import Index, parse_index
from builder.oci.platform import Platform
from builder.store.layout import Layout
from tests.images import find_named, read_manifest

PLATFORMS = (Platform("linux", "amd64"), Platform("linux", "arm64"))
HOST = Platform.host()
OTHER = next(platform for platform in PLATFORMS if platform != HOST)
MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
"""What the kernel and wheels call the machines."""


def read_index(layout: Layout, name: str) -> Document[Index]:
    """The index of that name."""
    found = find_named(layout, name)
    return parse_index(layout.read(found), found.media_type)


def read_images(directory: Path, name: str) -> dict[Platform, Image]:
    """The images that the index of that name lists, in its order, by its platforms."""
    layout = Layout(directory)
    listed = read_index(layout, name).value.manifests
    return {entry.platform: read_manifest(layout, entry) for entry in listed if entry.platform}
