"""Base images in the storage that podman, buildah and skopeo share."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

from builder.base.archive_tree import open_archive
from builder.base.layout_source import bring_from_layout
from builder.base.tree import DirectoryTree
from builder.errors import BaseError, EngineError
from builder.oci.descriptor import Descriptor
from builder.oci.image_config import parse_image_config
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.process import CommandRunner, Completed
from builder.store.layout import Store
from layers.compress import TAR

_ABSENT = ("not resolve to an image", "not an image", "no such image", "image not known")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainersStorageSource:
    """``containers-storage:NAME``, read by skopeo, or by podman where there is no skopeo.

    The storage keeps layers unpacked. They are taken uncompressed, so that the image's digest
    does not depend on the compressor of the tool that happens to be installed.
    """

    name: str
    image: str
    run: CommandRunner

    def bring(self, platform: Platform | None, store: Store) -> Descriptor:
        """Have the image copied out of the storage, then into the store.

        Without a platform, whatever it is for.

        Raises:
            BaseError: there is no such image, or neither tool.
            EngineError: the tool failed.
        """
        with tempfile.TemporaryDirectory(prefix="builder-base-") as scratch:
            try:
                layout = self._skopeo(Path(scratch, "layout"))
            except FileNotFoundError:
                archive = self._podman(Path(scratch, "archive.tar"))
                with open_archive(archive, store) as tree:
                    return _as_it_is(bring_from_layout(tree, None, platform, store), store)
            return _as_it_is(bring_from_layout(DirectoryTree(layout), None, platform, store), store)

    def _skopeo(self, layout: Path) -> Path:
        source = f"containers-storage:{self.image}"
        argv = ["skopeo", "copy", "--quiet", "--dest-oci-accept-uncompressed-layers"]
        self._check(self.run([*argv, source, f"oci:{layout}"]))
        return layout

    def _podman(self, archive: Path) -> Path:
        argv = ["podman", "save", "--quiet", "--format", "oci-archive", "--uncompressed"]
        try:
            done = self.run([*argv, "--output", str(archive), self.image])
        except FileNotFoundError:
            raise BaseError(
                f"reading {self.image} from the containers' storage needs skopeo or podman, "
                "and neither is on PATH",
                hint="install one of them, or name the base by its registry",
            ) from None
        self._check(done)
        return archive

    def _check(self, done: Completed) -> None:
        if done.code == 0:
            return
        words = done.last_words
        if any(absent in words for absent in _ABSENT):
            raise BaseError(
                f"the containers' storage of this user has no image {self.image}",
                hint="`podman images` lists what is there, by its full names",
            )
        raise EngineError(f"{done.argv[0]} could not read {self.image}: {words}")


def _as_it_is(manifest: Descriptor, store: Store) -> Descriptor:
    """The manifest, once more when it calls plain layers compressed.

    skopeo (1.9) and podman (4.3) keep the media types that the layers had when they were pulled.
    """
    given = parse_manifest(store.read(manifest), manifest.media_type).value
    config = parse_image_config(store.read(given.config)).value
    layers = tuple(
        replace(layer, media_type=TAR) if str(layer.digest) == str(diff_id) else layer
        for layer, diff_id in zip(given.layers, config.diff_ids, strict=False)
    )
    if len(layers) != len(given.layers) or layers == given.layers:
        return manifest
    corrected = replace(given, layers=layers).to_document()
    store.put(corrected.raw)
    return corrected.descriptor()
