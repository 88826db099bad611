"""Base images that ``docker save`` wrote.

Such an archive has an image config and layers, and no manifest: one is written here.
https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from builder.base.archive_tree import MAGIC_SIZE, open_archive, tar_media_type
from builder.base.intake import check_platform
from builder.base.tree import Tree
from builder.errors import BaseError, DocumentError, ReferenceFormatError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import Manifest
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.store.layout import Store
from layers.compress import TAR
from layers.digest import CHUNK, DiffId, Digest, HashingWriter


@dataclass(frozen=True, slots=True)
class _Saved:
    """One image of the archive: paths in it, and the names it had."""

    config: str
    layers: tuple[str, ...]
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerArchiveSource:
    """``docker-archive:FILE[:REFERENCE]``."""

    name: str
    path: Path
    reference: str | None

    def bring(self, platform: Platform | None, store: Store) -> Descriptor:
        """Copy the image from the archive, and write the manifest it lacks.

        Without a platform, whatever it is for.

        Raises:
            BaseError: the file is no such archive, or does not hold one image of that name.
        """
        with open_archive(self.path, store) as tree:
            saved = _choose(_read_manifest(tree), self.reference)
            with tree.open(saved.config) as file:
                raw = file.read(MAX_DOCUMENT)
            config = parse_image_config(raw)
            if platform is not None:
                check_platform(config.value, platform)
            if len(saved.layers) != len(config.value.diff_ids):
                raise DocumentError(
                    f"manifest.json lists {len(saved.layers)} layers, "
                    f"the image config {len(config.value.diff_ids)}"
                )
            layers = []
            for path, diff_id in zip(saved.layers, config.value.diff_ids, strict=True):
                with tree.open(path) as file:
                    layers.append(_bring_layer(file, diff_id, store))
        store.put(raw)
        pointer = Descriptor(
            media_type=media_types.CONFIG, digest=config.digest, size=len(config.raw)
        )
        manifest = Manifest(config=pointer, layers=tuple(layers)).to_document()
        store.put(manifest.raw)
        return manifest.descriptor()


def _bring_layer(file: BinaryIO, diff_id: DiffId, store: Store) -> Descriptor:
    """Copy a layer as it is; a plain tar has to be what its diff_id says."""
    kind = tar_media_type(file.read(MAGIC_SIZE))
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    if kind == TAR:
        layer = Descriptor(media_type=kind, digest=Digest(diff_id.text), size=size)
        store.add(file, layer)
        return layer
    with store.ingest() as path:
        with path.open("xb") as blob:
            writer = HashingWriter(blob)
            shutil.copyfileobj(file, writer, CHUNK)
            blob.flush()
            os.fsync(blob.fileno())
        digest = Digest(f"sha256:{writer.hexdigest}")
        store.adopt(path, digest)
    return Descriptor(media_type=kind, digest=digest, size=size)


def _read_manifest(tree: Tree) -> list[_Saved]:
    with tree.open("manifest.json") as file:
        raw = file.read(MAX_DOCUMENT)
    try:
        return [_saved(value) for value in json.loads(raw)]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DocumentError(f"manifest.json is not docker save's: {error!r}") from None


def _saved(value: Any) -> _Saved:
    names = tuple(str(name) for name in value.get("RepoTags") or ())
    return _Saved(str(value["Config"]), tuple(str(path) for path in value["Layers"]), names)


def _choose(images: list[_Saved], reference: str | None) -> _Saved:
    offered = ", ".join(name for image in images for name in image.names) or "no names"
    if reference is None:
        if len(images) != 1:
            raise BaseError(
                f"the archive holds {len(images)} images, and none was chosen",
                hint=f"put the name after the path; it holds: {offered}",
            )
        return images[0]
    wanted = _full(reference)
    for image in images:
        if any(_full(name) == wanted for name in image.names):
            return image
    raise BaseError(f"the archive holds no image named {reference}", hint=f"it holds: {offered}")


def _full(name: str) -> str:
    try:
        return Reference.parse(name).full
    except ReferenceFormatError:
        return name
