"""Stores as builds leave them: images of a few bytes, facts, and times of their last use."""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

from builder.oci import media_types
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import Manifest, parse_manifest
from builder.store.layout import Layout, Store
from layers.digest import Digest
from tests.images import blob_path

NAME = "org.opencontainers.image.base.name"
DIGEST = "org.opencontainers.image.base.digest"
TAR = "application/vnd.oci.image.layer.v1.tar"


def blob(layout: Layout, data: bytes, media_type: str = TAR) -> Descriptor:
    return Descriptor(media_type=media_type, digest=layout.put(data), size=len(data))


def image(
    layout: Layout,
    name: str | None,
    *contents: bytes,
    base: Descriptor | None = None,
    annotations: Mapping[str, str] | None = None,
) -> Descriptor:
    """An image whose layers are some bytes, above those of a base; named, or only put there."""
    lower = parse_manifest(layout.read(base)).value.layers if base else ()
    layers = (*lower, *(blob(layout, content) for content in contents))
    config = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [str(layer.digest) for layer in layers]},
    }
    of_base = {DIGEST: str(base.digest)} if base else {}
    manifest = Manifest(
        config=blob(layout, json.dumps(config).encode(), media_types.CONFIG),
        layers=layers,
        annotations={**of_base, **(annotations or {})},
    ).to_document()
    layout.put(manifest.raw)
    if name is not None:
        layout.tag(name, manifest.descriptor())
    return manifest.descriptor()


def fact_path(store: Store, kind: str, key: str) -> Path:
    return store.root / "facts" / kind / f"{Digest.of(key.encode()).hex}.json"


def used(path: Path, seconds: float) -> None:
    """Let a file be one that was used last at that time since the epoch."""
    os.utime(path, (seconds, seconds))


def names(layout: Layout) -> list[str]:
    return sorted(entry.annotations[REF_NAME] for entry in layout.index().manifests)


def blobs(layout: Layout) -> set[str]:
    return {path.name for path in (layout.root / "blobs" / "sha256").iterdir()}


def facts(layout: Layout) -> list[Path]:
    return sorted((layout.root / "facts").rglob("*.json"))


def read_all(layout: Layout) -> int:
    """Read every byte of every image of the index, each verified; how many images there are."""
    listed = layout.index().manifests
    for entry in listed:
        manifest = parse_manifest(layout.read(entry), entry.media_type).value
        parse_image_config(layout.read(manifest.config))
        for layer in manifest.layers:
            layout.read(layer)
    return len(listed)


def damage(layout: Layout, descriptor: Descriptor) -> None:
    """Change one byte of a blob, and not its length."""
    path = blob_path(layout, descriptor)
    data = bytearray(path.read_bytes())
    data[0] ^= 1
    path.write_bytes(data)


def hexes(descriptors: Sequence[Descriptor]) -> set[str]:
    return {descriptor.digest.hex for descriptor in descriptors}
