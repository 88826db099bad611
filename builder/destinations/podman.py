"""``podman``: the image in podman's own storage, ready to run."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

from builder.destinations.blobs import add_blobs
from builder.destinations.native import Native, expect_native
from builder.destinations.window import window
from builder.engine import ask, engine
from builder.errors import BuilderError, DocumentError, EngineError, LayerError, StoreError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.image_index import Built, ImageIndex
from builder.oci.manifest import parse_index
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import CommandRunner
from builder.store.layout import Store
from layers.digest import Digest

_LOADED = "loaded"
# podman refuses to pull when the file is missing, even where no registry is asked.
_NO_LOGIN = {"REGISTRY_AUTH_FILE": None}
_FORMAT = "{{.Digest}}{{range .RepoDigests}} {{.}}{{end}}\n{{range .RepoTags}}{{println .}}{{end}}"


@dataclass(frozen=True, slots=True)
class _Held:
    """What podman has of an image.

    Attributes:
        digest: of the manifest or index that it came by first; None when it is not there.
        digests: of all that it came by.
        names: its own.
    """

    digest: str | None = None
    digests: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodmanDestination:
    """Lets podman pull from the store's own blobs, and names what it pulled.

    An image's id in podman is its config's digest. In the end podman knows it by the digest of
    what was built, an index too, or this fails.

    podman keeps one platform of an index: this machine's.

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

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Refuse several of which this machine runs none."""
        expect_native(platforms)

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Load the image, name it, and compare the digest that podman reports."""
        choice = Native.of(built)
        tags = list(dict.fromkeys(name.local for name in names))
        key = f"podman {tags[0]}"
        fact: dict[str, object] = {"digest": str(built.digest)}
        expected = self.store.fact(_LOADED, key) == fact
        held = self._held(choice.image) if expected else _Held()
        if self._is_held(choice, held):
            self._name(choice.image, tags, held)
        else:
            add_blobs(choice.image, self.store)
            if isinstance(choice.shown, ImageIndex):
                self.store.put(choice.shown.index.raw)
            self._load(choice, tags)
        if not expected:
            self.store.remember(_LOADED, key, fact)
        return f"loaded as {', '.join(tags)}{choice.left_out(built)}"

    def _load(self, choice: Native, tags: Sequence[str]) -> None:
        held = self._pull(choice, tags)
        if not self._is_held(choice, held):
            held = self._replace(choice, tags, held.names)
        if not self._is_held(choice, held):
            raise EngineError(
                f"podman reports {held.digest} for {tags[0]}; the image is {choice.shown.digest}",
                hint=f"podman rmi {choice.image.config.digest.hex}, and build again",
            )

    def _is_held(self, choice: Native, held: _Held) -> bool:
        """Whether podman knows an image by its digest, and has it in this very packing."""
        own = {str(choice.image.digest), str(choice.shown.digest)}
        if str(choice.shown.digest) not in held.digests:
            return False
        return held.digest in own or self._is_listed(choice.image, held.digest)

    def _is_listed(self, image: Image, index: str | None) -> bool:
        """Whether an image stands in an index of the store, by which it came to podman before."""
        try:
            digest = Digest(index or "")
            size = self.store.size(digest)
            pointer = Descriptor(media_type=media_types.INDEX, digest=digest, size=size)
            listed = parse_index(self.store.read(pointer)).value.manifests
        except (DocumentError, LayerError, StoreError):
            return False
        return any(manifest.digest == image.digest for manifest in listed)

    def _pull(self, choice: Native, tags: Sequence[str]) -> _Held:
        """Pull an image and name it; what podman has of it then."""
        image = choice.image
        with window(self.store, choice.shown, tags) as shown:
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
        return replace(held, names=tuple(name for name in names if name not in stray))

    def _held(self, image: Image) -> _Held:
        words = ("podman", "image", "inspect", "--format", _FORMAT)
        answer = ask(self.run, *words, image.config.digest.hex)
        if answer.code:
            return _Held()
        first, _, names = answer.stdout.partition("\n")
        digest, *known = first.split()
        digests = frozenset(name.rpartition("@")[2] for name in (digest, *known))
        return _Held(digest, digests, tuple(names.split()))

    def _name(self, image: Image, tags: Sequence[str], held: _Held) -> None:
        if missing := [tag for tag in tags if tag not in held.names]:
            engine(self.run, "podman", "tag", image.config.digest.hex, *missing)

    def _replace(self, choice: Native, tags: Sequence[str], names: Sequence[str]) -> _Held:
        """Remove an image and load it anew, under the names that it had and those it gets.

        podman tells images apart by config alone. An image that it has under another manifest
        (its layers were compressed otherwise) keeps the digest of that one.
        """
        try:
            self._remove(choice.image.config.digest.hex, names)
            return self._pull(choice, list(dict.fromkeys([*tags, *names])))
        except BaseException:
            self._give_back(choice, names)
            raise

    def _give_back(self, choice: Native, names: Sequence[str]) -> None:
        """The names are the user's: they stay, on the image that was there or on the new one."""
        image_id = choice.image.config.digest.hex
        if names and ask(self.run, "podman", "tag", image_id, *names).code:
            with suppress(BuilderError):  # what went wrong first is told
                self._pull(choice, names)

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
