"""Where in registries the blobs of an image may already lie."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from builder.errors import BuilderError
from builder.oci.document import parse_object
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.registry.access import RegistryAccess
from builder.store.layout import Store
from builder.store.places import known_places, remember_places
from layers.digest import Digest

_BASE_NAME = "org.opencontainers.image.base.name"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPlaces:
    """What earlier pulls and pushes saw, and the repository of the base that an image names.

    Attributes:
        store: keeps what was seen.
        bases: servers and repositories of the bases.
    """

    store: Store
    bases: frozenset[tuple[str, str]] = field(default_factory=frozenset)

    @classmethod
    def of(cls, tree: ManifestTree, store: Store, access: RegistryAccess) -> "StoredPlaces":
        """The places for an image.

        https://github.com/opencontainers/image-spec/blob/main/annotations.md
        """
        bases = set()
        for document in tree.documents():
            annotations = parse_object(document.raw, "manifest").get("annotations")
            name = annotations.get(_BASE_NAME) if isinstance(annotations, dict) else None
            try:
                bases.add(access.place(Reference.parse(str(name))))
            except BuilderError:
                # Not every base comes from a registry that may be asked.
                continue
        return cls(store=store, bases=frozenset(bases))

    def find(self, host: str, digest: Digest) -> Sequence[str]:
        """Repositories of a server that may have a blob, the most promising first."""
        seen = known_places(self.store, host, digest)
        based = sorted(repository for server, repository in self.bases if server == host)
        return tuple(dict.fromkeys((*seen, *based)))

    def add(self, host: str, repository: str, digests: Iterable[Digest]) -> None:
        """Keep that blobs are in a repository.

        Raises:
            StoreError: the store cannot be written.
        """
        remember_places(self.store, host, repository, digests)
