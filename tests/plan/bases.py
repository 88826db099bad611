"""Base images as the plan sees them: documents and a file index, no blobs."""

from collections.abc import Iterable, Mapping
from typing import Any

from builder.base.base import Base
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.image_config import make_image_config
from builder.oci.manifest import Manifest
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from builder.rootfs.runtime import Runtime
from layers.digest import DiffId, Digest
from layers.entries import BytesContent, DirEntry
from layers.layer import Layer

NAME = "docker.io/library/python:3.12-slim-bookworm"


def a_layer(content: str, media_type: str = "application/vnd.oci.image.layer.v1.tar+gzip") -> Layer:
    data = content.encode()
    return Layer(
        media_type=media_type,
        digest=Digest.of(data),
        size=len(data),
        diff_id=DiffId(str(Digest.of(b"tar of " + data))),
        source=BytesContent(data),
    )


def a_base(
    run: Mapping[str, Any] | None = None,
    *,
    layers: Iterable[Layer] = (),
    name: str = NAME,
    members: Mapping[str, Any] | None = None,
) -> Base:
    """A base with this ``config`` member and other members of its image config."""
    layers = tuple(layers)
    config = make_image_config(
        {
            "os": "linux",
            "architecture": "amd64",
            "config": run or {},
            "rootfs": {"type": "layers", "diff_ids": [str(layer.diff_id) for layer in layers]},
            **(members or {}),
        }
    )
    pointer = Descriptor(media_type=media_types.CONFIG, digest=config.digest, size=len(config.raw))
    manifest = Manifest(config=pointer, layers=tuple(map(Descriptor.of_layer, layers)))
    image = Image(manifest.to_document(), config, layers)
    return Base(
        name=name,
        is_published=name == NAME,
        image=image,
        runtime=Runtime(python=None, libc=None),
        read_files=an_index,
        read_libraries=Libraries,
    )


def an_index(
    *directories: str, symlinks: Mapping[str, str] | None = None, files: Iterable[str] = ()
) -> FileIndex:
    return FileIndex(
        directories={path: DirEntry(path=path) for path in directories},
        symlinks=symlinks or {},
        files=dict.fromkeys(files, 0o644),
    )
