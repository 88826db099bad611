"""``docker``: the image in a Docker daemon, through ``docker load``."""

import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.destinations.archives import DockerArchiveDestination
from builder.engine import engine
from builder.errors import EngineError
from builder.oci.image import Image
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.store.layout import Layout


@dataclass(frozen=True, slots=True, kw_only=True)
class DockerDestination:
    """Hands docker an archive, and compares the layers that it says it has.

    Not the digest: docker keeps no manifest of an image that was loaded.

    Attributes:
        store: on whose disk the archive lies meanwhile; it is as large as the unpacked image.
        run: starts docker.
        label: as the user wrote it.
    """

    store: Layout
    run: CommandRunner
    label: str = "docker"

    def put(self, image: Image, names: Sequence[Reference]) -> str:
        """Load the image under all of its names."""
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
