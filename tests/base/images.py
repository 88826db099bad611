"""Tiny images, made as the builder makes its own."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from builder.base.intake import load_image
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.image_config import make_image_config
from builder.oci.manifest import Index, Manifest
from builder.oci.platform import Platform
from builder.store.layout import Layout, Store
from layers.compress import PLAIN, Codec
from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from layers.layer import Layer, write_layer

AMD64 = Platform("linux", "amd64")
ARM64 = Platform("linux", "arm64", "v8")
PATH = "/usr/local/bin:/usr/bin"

ROOTFS: tuple[Entry, ...] = (
    DirEntry(path="etc"),
    FileEntry.of("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
    FileEntry.of("etc/group", b"root:x:0:\n"),
    DirEntry(path="srv", mode=0o750, owner=Owner(7, 8)),
    SymlinkEntry(path="bin", target="usr/bin"),
    FileEntry.of("usr/bin/sh", b"#!", mode=0o755),
)
PYTHON: tuple[Entry, ...] = (
    FileEntry.of("usr/local/bin/python3.12", b"\x7fELF", mode=0o755),
    SymlinkEntry(path="usr/local/bin/python3", target="python3.12"),
)


def make_image(
    layout: Layout,
    filesystems: Sequence[Iterable[Entry]],
    *,
    platform: Platform = AMD64,
    codec: Codec = PLAIN,
) -> Descriptor:
    """Put an image of one layer per filesystem into a layout; return its manifest's descriptor."""
    layers = [_put_layer(layout, entries, codec) for entries in filesystems]
    members = {
        "os": platform.os,
        "architecture": platform.architecture,
        **({"variant": platform.variant} if platform.variant else {}),
        "config": {"Env": [f"PATH={PATH}"]},
        "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
    }
    config = make_image_config(members)
    layout.put(config.raw)
    pointer = Descriptor(media_type=media_types.CONFIG, digest=config.digest, size=len(config.raw))
    manifest = Manifest(config=pointer, layers=tuple(map(Descriptor.of_layer, layers)))
    document = manifest.to_document()
    layout.put(document.raw)
    found = document.descriptor()
    return Descriptor(
        media_type=found.media_type, digest=found.digest, size=found.size, platform=platform
    )


def make_index(layout: Layout, *manifests: Descriptor) -> Descriptor:
    """Put an index of manifests into a layout."""
    document = Index(manifests=manifests).to_document()
    layout.put(document.raw)
    return document.descriptor()


def stored_image(directory: Path, *filesystems: Iterable[Entry]) -> Image:
    """An image in a store of its own."""
    store = Store(directory / "store")
    return load_image(make_image(store, filesystems), store)


def _put_layer(layout: Layout, entries: Iterable[Entry], codec: Codec) -> Layer:
    with layout.ingest() as path:
        layer = write_layer(entries, path, codec=codec, known={})
        layout.adopt(path, layer.digest)
    return layer
