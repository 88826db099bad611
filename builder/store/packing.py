"""Layers of a store: made of entries, or known to be there."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from builder.oci.descriptor import Descriptor
from builder.store.layout import Store, StoredBlob
from layers.compress import Codec
from layers.digest import DiffId
from layers.entries import Content, DirEntry, Entry
from layers.layer import Layer, write_layer


def pack_layer(
    entries: Iterable[Entry], *, known: Mapping[str, DirEntry], codec: Codec, store: Store
) -> Layer:
    """Pack entries, and keep the layer in the store.

    Args:
        entries: in any order.
        known: the directories of the layers below, by path.
        codec: how to compress.
        store: gets the blob, and opens it for whoever reads the layer.

    Raises:
        ContentError: the entries cannot be written as they are.
        StoreError: the store cannot be written.
    """
    with store.ingest() as path:
        layer = write_layer(entries, path, codec=codec, known=known)
        store.adopt(path, layer.digest)
    return replace(layer, source=StoredBlob(store, Descriptor.of_layer(layer)))


def stored_layer(descriptor: Descriptor, diff_id: DiffId, store: Store) -> Layer:
    """A layer whose blob is in the store, or will be when somebody reads it."""
    return known_layer(descriptor, diff_id, StoredBlob(store, descriptor))


def known_layer(descriptor: Descriptor, diff_id: DiffId, source: Content) -> Layer:
    """A layer that documents tell of, its blob wherever it is."""
    return Layer(
        media_type=descriptor.media_type,
        digest=descriptor.digest,
        size=descriptor.size,
        diff_id=diff_id,
        source=source,
    )
