"""Where in registries blobs are known to lie: what another repository has need not be sent again.

What is kept may be out of date; a registry that lost a blob refuses to mount it, and it is sent.
"""

from collections.abc import Iterable

from builder.store.layout import Store
from layers.digest import Digest

_KIND = "blob-places"
_MOST = 8


def remember_places(
    store: Store, registry: str, repository: str, digests: Iterable[Digest]
) -> None:
    """Keep that blobs are in a repository.

    Raises:
        StoreError: the store cannot be written.
    """
    for digest in digests:
        known = known_places(store, registry, digest)
        if repository not in known[:1]:
            # The newest first, and not for ever: each is one more question to the registry.
            places = [repository, *(place for place in known if place != repository)][:_MOST]
            store.remember(_KIND, f"{registry} {digest}", {"repositories": places})


def known_places(store: Store, registry: str, digest: Digest) -> tuple[str, ...]:
    """The repositories of a registry that were seen to hold a blob, the latest first."""
    fact = store.fact(_KIND, f"{registry} {digest}") or {}
    found = fact.get("repositories")
    return tuple(map(str, found)) if isinstance(found, list) else ()
