"""Small images made by the tests themselves, out of entries or on top of the stand-in."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from builder.oci import media_types
from builder.oci.descriptor import Descriptor, platform_json
from builder.oci.image import Image
from builder.oci.image_config import make_image_config, parse_image_config
from builder.oci.image_index import ImageIndex
from builder.oci.manifest import Manifest, parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.store.layout import Layout
from layers.compress import GZIP, Codec
from layers.entries import Entry, FileContent
from layers.layer import Layer, write_layer


def blob_path(layout: Layout, descriptor: Descriptor) -> Path:
    """Where a blob lies: as the specification of layouts has it, whatever the builder thinks."""
    return layout.root / "blobs" / descriptor.digest.algorithm / descriptor.digest.hex


def make_layer(layout: Layout, entries: Iterable[Entry], codec: Codec = GZIP) -> Layer:
    with layout.ingest() as path:
        layer = write_layer(entries, path, codec=codec, known={})
        layout.adopt(path, layer.digest)
    stored = blob_path(layout, Descriptor.of_layer(layer))
    return replace(layer, source=FileContent(stored))


def make_image(
    layers: Sequence[Layer],
    run: Mapping[str, Any] | None = None,
    platform: Platform | None = None,
) -> Image:
    wanted = platform or Platform.host()
    config = make_image_config(
        {
            **platform_json(wanted),
            "created": "1980-01-01T00:00:00Z",
            "config": run or {},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
        }
    )
    pointer = Descriptor(media_type=media_types.CONFIG, digest=config.digest, size=len(config.raw))
    manifest = Manifest(config=pointer, layers=tuple(map(Descriptor.of_layer, layers)))
    return Image(manifest.to_document(), config, tuple(layers))


def find_named(layout: Layout, name: str) -> Descriptor:
    """What a layout has under a name."""
    [found] = [
        entry
        for entry in layout.index().manifests
        if entry.annotations.get("org.opencontainers.image.ref.name") == name
    ]
    return found


def read_image(layout: Layout, name: str) -> Image:
    """The image of that name, read as any other tool would: from the index down."""
    return read_manifest(layout, find_named(layout, name))


def read_index(layout: Layout, name: str) -> ImageIndex:
    """The index of that name, with its images."""
    index = parse_index(layout.read(find_named(layout, name)))
    return ImageIndex(index, tuple(read_manifest(layout, each) for each in index.value.manifests))


def read_manifest(layout: Layout, found: Descriptor) -> Image:
    """The image that a descriptor points at."""
    manifest = parse_manifest(layout.read(found))
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


def store_of(path: Path, *images: Image) -> Layout:
    """A layout with the blobs of images, as a build leaves it."""
    layout = Layout(path)
    for image in images:
        layout.put(image.config.raw)
        layout.put(image.manifest.raw)
    return layout
