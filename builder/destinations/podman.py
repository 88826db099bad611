"""``podman``: the image in podman's own storage, ready to run."""

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from builder.destinations.blobs import add_blobs
from builder.engine import ask, engine
from builder.errors import BuilderError, EngineError, StoreError
from builder.oci.descriptor import REF_NAME
from builder.oci.image import Image
from builder.oci.manifest import Index
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.store.layout import LAYOUT_MARKER, Layout

# podman before 4.4 makes an image name of a layout's path, and refuses paths that make none.
_NAMEABLE = re.compile(r"(?:/[a-z0-9]+(?:[._-][a-z0-9]+)*)+")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanDestination:
    """Lets podman pull from the store's own blobs, and names what it pulled.

    An image's id in podman is its config's digest.

    podman skips the layers that it has, so loading again after a source edit takes 0.1 s. skopeo
    is as fast, rootless too, but is one more program to have; an archive is slower and is copied
    twice. ``podman image inspect`` then reports the image's own digest, or this fails.

    Attributes:
        store: where podman reads the blobs; gets those that it lacks.
        run: starts podman.
        label: as the user wrote it.
    """

    store: Layout
    run: CommandRunner
    label: str = "podman"

    def put(self, image: Image, names: Sequence[Reference]) -> str:
        """Load the image, name it, and compare the digest that podman reports."""
        tags = list(dict.fromkeys(name.local for name in names))
        image_id = image.config.digest.hex
        if self._digest(image_id) == str(image.digest):
            engine(self.run, "podman", "tag", image_id, *tags)
        else:
            add_blobs(image, self.store)
            self._load(image, tags)
        return f"loaded as {', '.join(tags)}"

    def _load(self, image: Image, tags: Sequence[str]) -> None:
        image_id = image.config.digest.hex
        self._pull(image, tags)
        if self._digest(image_id) != str(image.digest):
            self._replace(image, tags)
        if (got := self._digest(image_id)) != str(image.digest):
            raise EngineError(
                f"podman reports {got} for {tags[0]}; the image is {image.digest}",
                hint=f"podman rmi {image_id}, and build again",
            )

    def _pull(self, image: Image, tags: Sequence[str]) -> None:
        image_id = image.config.digest.hex
        with _window(self.store, image, tags[0]) as layout:
            try:
                engine(self.run, "podman", "pull", "--quiet", f"oci:{layout}:{tags[0]}")
                engine(self.run, "podman", "tag", image_id, *tags)
            finally:
                # What podman before 4.4 called it; nobody else's, the path is new.
                stray = f"localhost{layout}:latest"
                if ask(self.run, "podman", "image", "exists", stray).code == 0:
                    ask(self.run, "podman", "untag", image_id, stray)

    def _digest(self, image_id: str) -> str | None:
        """The manifest's digest that podman knows an image by; None when it has no such image."""
        words = ("podman", "image", "inspect", "--format", "{{.Digest}}", image_id)
        answer = ask(self.run, *words)
        return answer.stdout.strip() if answer.code == 0 else None

    def _replace(self, image: Image, tags: Sequence[str]) -> None:
        """Remove an image and load it anew, under the names that it had and those it gets.

        podman tells images apart by config alone. An image that it has under another manifest
        (its layers were compressed otherwise) keeps the digest of that one.
        """
        names = self._names(image.config.digest.hex)
        try:
            self._remove(image.config.digest.hex, names)
            self._pull(image, list(dict.fromkeys([*tags, *names])))
        except BaseException:
            self._give_back(image, names)
            raise

    def _give_back(self, image: Image, names: Sequence[str]) -> None:
        """The names are the user's: they stay, on the image that was there or on the new one."""
        if names and ask(self.run, "podman", "tag", image.config.digest.hex, *names).code:
            with suppress(BuilderError):  # what went wrong first is told
                self._pull(image, names)

    def _names(self, image_id: str) -> list[str]:
        inspect = (
            "podman",
            "image",
            "inspect",
            "--format",
            "{{range .RepoTags}}{{println .}}{{end}}",
        )
        return engine(self.run, *inspect, image_id).split()

    def _remove(self, image_id: str, names: Sequence[str]) -> None:
        engine(self.run, "podman", "untag", image_id)
        removal = ask(self.run, "podman", "rmi", image_id)
        if removal.code:
            name = names[0] if names else image_id[:12]
            raise EngineError(
                f"podman has {name} with the same content, packed otherwise, and cannot "
                f"replace it: {removal.last_words}",
                hint="remove the containers that use it: podman ps --all --filter "
                f"ancestor={image_id[:12]}",
            )


@contextmanager
def _window(store: Layout, image: Image, name: str) -> Iterator[Path]:
    """A layout of this one image over the store's blobs: its path and its index are ours alone."""
    try:
        directory = _directory() / f"builder-{secrets.token_hex(8)}"
        directory.mkdir()
    except OSError as error:
        raise StoreError(f"cannot make a temporary directory: {error}") from error
    try:
        (directory / "blobs").symlink_to((store.root / "blobs").resolve())
        (directory / "oci-layout").write_bytes(LAYOUT_MARKER)
        named = replace(image.descriptor, annotations={REF_NAME: name})
        (directory / "index.json").write_bytes(Index(manifests=(named,)).to_document().raw)
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _directory() -> Path:
    usual = tempfile.gettempdir()
    for place in (usual, "/tmp", "/var/tmp"):  # noqa: S108 - a new directory is made in it
        if _NAMEABLE.fullmatch(place) and os.access(place, os.W_OK):
            return Path(place)
    return Path(usual)
