"""Images that builds left in the builder's own store, by the names that they were given."""

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.base.remote_blob import RemoteBlob
from builder.base.servers import Servers
from builder.errors import (
    BaseError,
    DocumentError,
    LayerError,
    ReferenceFormatError,
    StoreError,
)
from builder.oci import media_types
from builder.oci.descriptor import BASE_NAME, REF_NAME, Descriptor
from builder.oci.manifest import parse_index, parse_manifest
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.oci.tree_reader import read_tree
from builder.store.layout import Store, StoredBlob
from layers.digest import Digest
from layers.entries import Content

_MOST_NAMES = 10


def stored_tree(
    name: Reference,
    store: Store,
    platform: Platform | None,
    *,
    servers: Callable[[Reference], Servers],
) -> ManifestTree:
    """An image of the store, or an index of images.

    The layers of bases may never have been fetched: who opens them gets them from the registry of
    the base.

    Args:
        name: as ``build --tag`` gave it; without a registry it means ``localhost/``.
        store: the builder's.
        platform: of the one image that is wanted; all of an index when nothing is said.
        servers: those that have a base.

    Raises:
        BaseError: the store has no image of that name; the hint has the nearest.
        DocumentError: the image is not all there, or cannot be read.
        StoreError: the store cannot be read.
    """
    names = {
        entry.annotations[REF_NAME]: entry
        for entry in store.index().manifests
        if REF_NAME in entry.annotations
    }
    found = names.get(name.local)
    if found is None or name.digest not in {None, found.digest}:
        raise _unknown(name, found, store, sorted(names))
    bases = {digest: servers(base) for digest, base in _bases_of(found, store).items()}
    return read_tree(found, StoreBlobs(store, bases), platform)


@dataclass(frozen=True, slots=True)
class StoreBlobs:
    """The blobs of the store, and layers of bases that are still with their registries.

    Attributes:
        store: looked into first.
        bases: the servers that may have a layer, by its digest.
    """

    store: Store
    bases: Mapping[Digest, Servers]

    @property
    def place(self) -> str:
        """The store's directory."""
        return f"the builder's store {self.store.root}"

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, or is a layer that a registry may have."""
        return self.store.has(descriptor) or descriptor.digest in self.bases

    def read(self, descriptor: Descriptor) -> bytes:
        """A whole blob, verified.

        Raises:
            StoreError: it is not here.
            LayerError: its bytes are not the blob's.
        """
        return self.store.read(descriptor)

    def content(self, descriptor: Descriptor) -> Content:
        """The blob, once somebody opens it."""
        servers = self.bases.get(descriptor.digest)
        if servers is None or self.store.has(descriptor):
            return StoredBlob(self.store, descriptor)
        return RemoteBlob(descriptor=descriptor, store=self.store, servers=servers)


def _bases_of(found: Descriptor, store: Store) -> dict[Digest, Reference]:
    """The base that each layer may be from, when its image names one of a registry.

    Documents that are not here, or cannot be read, have none: who reads the image says so.
    """
    try:
        if found.media_type in media_types.INDEXES:
            children = parse_index(store.read(found), found.media_type).value.manifests
            bases = (_bases_of(child, store) for child in children)
            return {digest: base for each in bases for digest, base in each.items()}
        manifest = parse_manifest(store.read(found), found.media_type).value
        base = Reference.parse(manifest.annotations.get(BASE_NAME, ""))
    except (DocumentError, LayerError, ReferenceFormatError, StoreError):
        return {}
    return {layer.digest: base for layer in manifest.layers}


def _unknown(
    name: Reference, found: Descriptor | None, store: Store, names: list[str]
) -> BaseError:
    if found is not None:
        return BaseError(
            f"{name.local} in the store {store.root} is {found.digest}, wanted {name.digest}",
            hint=f"leave the digest out, or build the image again as --tag {name.local}",
        )
    given = name.given
    build = f"or build it: python -m builder build --tag {given}"
    if Path(given).is_file():
        hint = f"{given} is a file: write oci-archive:{given} or docker-archive:{given}"
    elif near := difflib.get_close_matches(name.local, names, n=3):
        hint = f"did you mean {', '.join(near)}? {build}"
    elif names:
        more = f" and {len(names) - _MOST_NAMES} more" if len(names) > _MOST_NAMES else ""
        hint = f"it holds {', '.join(names[:_MOST_NAMES])}{more}; {build}"
    else:
        hint = f"it holds no images yet; build it: python -m builder build --tag {given}"
    return BaseError(f"the builder's store {store.root} has no image {name.local}", hint=hint)
