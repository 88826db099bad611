"""``docker``: the image in a Docker daemon, through ``docker load``."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.destinations.archives import DockerArchiveDestination
from builder.destinations.destination import refuse_several
from builder.engine import engine
from builder.errors import EngineError
from builder.oci.image import Image
from builder.oci.image_index import Built, images_of
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.store.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerDestination:
    """Hands docker an archive, and compares the layers that it says it has.

    Not the digest: docker keeps no manifest of an image that was loaded.

    Of several platforms it is given none: only a docker with the containerd image store keeps
    them, and that one loads an oci-archive.
    https://docs.docker.com/engine/storage/containerd/

    Attributes:
        store: on whose disk the archive lies meanwhile; it is as large as the unpacked image.
        run: starts docker.
        label: as the user wrote it.
    """

    store: Layout
    run: CommandRunner
    label: str = "docker"

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Refuse several: most dockers have no room for them."""
        refuse_several(self.label, "what docker loads", platforms)

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Load the image under all of its names."""
        images = images_of(built)
        self.expect([image.config.value.platform for image in images])
        image = images[0]
        # Asked first: the archive would be written in vain.
        engine(self.run, "docker", "version")
        with tempfile.TemporaryDirectory(prefix=".docker-", dir=self.store.root) as scratch:
            archive = Path(scratch) / "image.tar"
            packed = DockerArchiveDestination(label=self.label, file=archive, store=self.store)
            packed.put(image, names)
            engine(self.run, "docker", "load", "--quiet", "--input", archive)
        tags = list(dict.fromkeys(name.local for name in names))
        for tag in tags:
            self._compare(image, tag)
        return f"loaded as {', '.join(tags)}"

    def _compare(self, image: Image, tag: str) -> None:
        words = ("docker", "image", "inspect", "--format", "{{json .RootFS.Layers}}", tag)
        got = json.loads(engine(self.run, *words)) or []
        if got != [str(layer.diff_id) for layer in image.layers]:
            raise EngineError(
                f"docker has other layers under {tag} than were loaded: {', '.join(got)}",
                hint=f"docker rmi {tag}, and build again",
            )
