"""``podman``: the image in podman's own storage, ready to run."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from builder.destinations.blobs import add_blobs
from builder.destinations.window import window
from builder.engine import ask, engine
from builder.errors import BuilderError, EngineError
from builder.oci.image import Image
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.store.layout import Store

_LOADED = "loaded"
# podman refuses to pull when the file is missing, even where no registry is asked.
_NO_LOGIN = {"REGISTRY_AUTH_FILE": None}
_FORMAT = "{{.Digest}}\n{{range .RepoTags}}{{println .}}{{end}}"


@dataclass(frozen=True, slots=True)
class _Held:
    """What podman has of an image: its manifest's digest, None when it has none; its names."""

    digest: str | None = None
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanDestination:
    """Lets podman pull from the store's own blobs, and names what it pulled.

    An image's id in podman is its config's digest. ``podman image inspect`` reports the image's
    own digest in the end, or this fails.

    podman skips the layers that it has. After a source edit its start, 25 ms, weighs as much as
    its work, so it is started as seldom as can be: once for an image that is there under its
    names, twice for one that is not, once or twice more for names that this podman does not give
    by itself. skopeo is hardly faster, and one more program to have; an archive is copied twice.

    Attributes:
        store: where podman reads the blobs; gets those that it lacks. It keeps which digest went
            under which name, and so whether podman is to be asked for the image first.
        run: starts podman.
        label: as the user wrote it.
    """

    store: Store
    run: CommandRunner
    label: str = "podman"

    def put(self, image: Image, names: Sequence[Reference]) -> str:
        """Load the image, name it, and compare the digest that podman reports."""
        tags = list(dict.fromkeys(name.local for name in names))
        key = f"podman {tags[0]}"
        fact: dict[str, object] = {"digest": str(image.digest)}
        expected = self.store.fact(_LOADED, key) == fact
        held = self._held(image) if expected else _Held()
        if held.digest == str(image.digest):
            self._name(image, tags, held)
        else:
            add_blobs(image, self.store)
            self._load(image, tags)
        if not expected:
            self.store.remember(_LOADED, key, fact)
        return f"loaded as {', '.join(tags)}"

    def _load(self, image: Image, tags: Sequence[str]) -> None:
        held = self._pull(image, tags)
        if held.digest != str(image.digest):
            held = self._replace(image, tags, held.names)
        if held.digest != str(image.digest):
            raise EngineError(
                f"podman reports {held.digest} for {tags[0]}; the image is {image.digest}",
                hint=f"podman rmi {image.config.digest.hex}, and build again",
            )

    def _pull(self, image: Image, tags: Sequence[str]) -> _Held:
        """Pull an image and name it; what podman has of it then."""
        with window(self.store, image, tags) as shown:
            stray = {shown.name_by_path} - {*tags}
            try:
                words = ("podman", "pull", "--quiet", shown.source)
                engine(self.run, *words, cwd=shown.directory, environ=_NO_LOGIN)
                held = self._held(image)
                self._name(image, tags, held)
                stray &= {*held.names}
            finally:
                if stray:
                    ask(self.run, "podman", "untag", image.config.digest.hex, *stray)
        names = dict.fromkeys([*held.names, *tags])
        return _Held(held.digest, tuple(name for name in names if name not in stray))

    def _held(self, image: Image) -> _Held:
        words = ("podman", "image", "inspect", "--format", _FORMAT)
        answer = ask(self.run, *words, image.config.digest.hex)
        if answer.code:
            return _Held()
        digest, _, names = answer.stdout.partition("\n")
        return _Held(digest, tuple(names.split()))

    def _name(self, image: Image, tags: Sequence[str], held: _Held) -> None:
        if missing := [tag for tag in tags if tag not in held.names]:
            engine(self.run, "podman", "tag", image.config.digest.hex, *missing)

    def _replace(self, image: Image, tags: Sequence[str], names: Sequence[str]) -> _Held:
        """Remove an image and load it anew, under the names that it had and those it gets.

        podman tells images apart by config alone. An image that it has under another manifest
        (its layers were compressed otherwise) keeps the digest of that one.
        """
        try:
            self._remove(image.config.digest.hex, names)
            return self._pull(image, list(dict.fromkeys([*tags, *names])))
        except BaseException:
            self._give_back(image, names)
            raise

    def _give_back(self, image: Image, names: Sequence[str]) -> None:
        """The names are the user's: they stay, on the image that was there or on the new one."""
        if names and ask(self.run, "podman", "tag", image.config.digest.hex, *names).code:
            with suppress(BuilderError):  # what went wrong first is told
                self._pull(image, names)

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
