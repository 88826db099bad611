"""Where in registries the blobs of an image may already lie."""

from collections.abc import Iterable, Sequence

from builder.errors import BuilderError
from builder.oci.descriptor import BASE_NAME
from builder.oci.document import parse_object
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.registry.access import RegistryAccess
from builder.store.layout import Store
from builder.store.places import known_places, remember_places
from layers.digest import Digest


class StoredPlaces:
    """What earlier pulls and pushes saw, and the repositories of bases.

    Args:
        store: keeps what was seen.
        access: knows the servers of bases.
    """

    def __init__(self, store: Store, access: RegistryAccess) -> None:
        self._store = store
        self._access = access
        self._bases: frozenset[tuple[str, str]] = frozenset()

    def add_base(self, name: str) -> None:
        """Take note of a base that is sent, too; when it is from a registry, that may have it."""
        try:
            base = self._access.place(Reference.parse(name))
        except BuilderError:
            # Not every base comes from a registry that may be asked.
            return
        self._bases |= {base}

    def add_bases_of(self, tree: ManifestTree) -> None:
        """Take note of the bases that images name.

        https://github.com/opencontainers/image-spec/blob/main/annotations.md
        """
        for document in tree.documents():
            annotations = parse_object(document.raw, "manifest").get("annotations")
            name = annotations.get(BASE_NAME) if isinstance(annotations, dict) else None
            self.add_base(str(name or ""))

    def find(self, host: str, digest: Digest) -> Sequence[str]:
        """Repositories of a server that may have a blob, the most promising first."""
        seen = known_places(self._store, host, digest)
        based = sorted(repository for server, repository in self._bases if server == host)
        return tuple(dict.fromkeys((*seen, *based)))

    def add(self, host: str, repository: str, digests: Iterable[Digest]) -> None:
        """Keep that blobs are in a repository.

        Raises:
            StoreError: the store cannot be written.
        """
        remember_places(self._store, host, repository, digests)
