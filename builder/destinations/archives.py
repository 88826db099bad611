"""``oci-archive:FILE`` and ``docker-archive:FILE``: one image, or one index, in one tar file.

The same image under the same names always gives the same bytes.
https://github.com/opencontainers/image-spec/blob/main/image-layout.md
https://github.com/moby/docker-image-spec/blob/main/spec.md#combined-image-json--filesystem-changeset-format
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.destinations.blobs import Unpacked, add_blobs, blobs
from builder.destinations.destination import also_for, refuse_several
from builder.destinations.file import replacing
from builder.oci.descriptor import REF_NAME
from builder.oci.image_index import Built, images_of
from builder.oci.manifest import Index
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.store.layout import LAYOUT_MARKER, Layout
from builder.units import decimal
from layers.digest import HashingWriter
from layers.entries import Entry, FileEntry
from layers.tar import complete, write_tar


@dataclass(frozen=True, slots=True, kw_only=True)
class OciArchiveDestination:
    """A tar of an OCI layout with this one image, or with this one index and all of its images.

    It is named in full (``localhost/app:latest``), since ``podman load`` takes that name. Only
    the first name gets in: podman and skopeo refuse an archive whose index has several entries,
    "more than one image in oci, choose an image".

    Attributes:
        label: as the user wrote it.
        file: to write or replace.
    """

    label: str
    file: Path

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Any: an index is an image here."""

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Write the archive, and put it in the old one's place."""
        name = names[0].local
        named = replace(built.descriptor, annotations={REF_NAME: name})
        entries = {
            blob.descriptor.digest: FileEntry(
                path=f"blobs/{blob.descriptor.digest.algorithm}/{blob.descriptor.digest.hex}",
                content=blob,
                size=blob.descriptor.size,
            )
            for blob in blobs(built)
        }
        index = Index(manifests=(named,)).to_document().raw
        documents = [FileEntry.of("index.json", index), FileEntry.of("oci-layout", LAYOUT_MARKER)]
        size = _write([*entries.values(), *documents], self.file)
        left = f" (of {len(names)} names: an oci-archive holds one)" if len(names) > 1 else ""
        return f"{self.file}, {decimal(size)}, as {name}{left}{also_for(built)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerArchiveDestination:
    """What ``docker save`` writes and every ``docker load`` reads: layers as plain tars.

    The config is kept byte for byte, so docker's image id is its digest; the manifest's digest
    has no place in this format.

    Attributes:
        label: as the user wrote it.
        file: to write or replace.
        store: gets the layers that are elsewhere, since each is read three times; None when all
            are on this machine.
    """

    label: str
    file: Path
    store: Layout | None = None

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Refuse several: the format has no room for them."""
        refuse_several(self.label, "a docker-archive", platforms)

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Write the archive, and put it in the old one's place."""
        images = images_of(built)
        self.expect([image.config.value.platform for image in images])
        image = images[0]
        if self.store:
            add_blobs(image, self.store)
        tags = list(dict.fromkeys(name.local for name in names))
        # A layer may stand in an image twice; its tar goes in once.
        layers = {layer.diff_id: Unpacked(layer) for layer in image.layers}
        tars = [
            FileEntry(path=f"{diff_id.hex}.tar", content=tar, size=tar.measure())
            for diff_id, tar in layers.items()
        ]
        config = FileEntry.of(f"{image.config.digest.hex}.json", image.config.raw)
        manifest = {
            "Config": config.path,
            "Layers": [f"{layer.diff_id.hex}.tar" for layer in image.layers],
            "RepoTags": tags,
        }
        document = FileEntry.of("manifest.json", json.dumps([manifest], sort_keys=True).encode())
        size = _write([*tars, config, document], self.file)
        return f"{self.file}, {decimal(size)}, as {', '.join(tags)}"


def _write(entries: Iterable[Entry], file: Path) -> int:
    with replacing(file) as sink:
        counted = HashingWriter(sink)
        write_tar(complete(entries, {}), counted)
    return counted.size
