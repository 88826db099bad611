"""Layers of a store: made of entries, or known to be there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from builder.errors import BuilderError
from builder.oci.descriptor import Descriptor
from builder.store.layout import Store, StoredBlob
from layers.digest import DiffId
from layers.layer import Layer, write_layer

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from layers.compress import Codec
    from layers.entries import Content, DirEntry, Entry
    from layers.segment import Segment

_LAYER = "layer"


def pack_layer(
    entries: Iterable[Entry],
    *,
    known: Mapping[str, DirEntry],
    codec: Codec,
    store: Store,
    segments: Sequence[Segment] = (),
) -> Layer:
    """Pack entries, and keep the layer in the store.

    Args:
        entries: in any order.
        known: the directories of the layers below, by path.
        codec: how to compress.
        store: gets the blob, and opens it for whoever reads the layer.
        segments: files that were packed before, in this order, below the entries.

    Raises:
        ContentError: the entries cannot be written as they are.
        LayerError: a segment is not what it promises.
        StoreError: the store cannot be written.
    """
    with store.ingest() as path:
        layer = write_layer(entries, path, codec=codec, known=known, segments=segments)
        store.adopt(path, layer.digest)
    return replace(layer, source=StoredBlob(store, Descriptor.of_layer(layer)))


def find_layer(key: str, store: Store) -> Layer | None:
    """The layer that was kept under a key, if its blob is still in the store."""
    fact = store.fact(_LAYER, key)
    try:
        return layer_of_fact(fact, store) if fact else None
    except (BuilderError, LookupError, TypeError, ValueError):
        # Damaged, or of another version of this program: it is packed again.
        return None


def keep_layer(key: str, layer: Layer, store: Store) -> None:
    """Let a layer of the store be found by a key.

    Raises:
        StoreError: the store cannot be written.
    """
    store.remember(_LAYER, key, layer_to_fact(layer))


def layer_to_fact(layer: Layer) -> dict[str, object]:
    """What has to be kept of a layer of the store, as JSON."""
    return {
        "descriptor": Descriptor.of_layer(layer).to_json(),
        "diff_id": str(layer.diff_id),
    }


def layer_of_fact(fact: Mapping[str, object], store: Store) -> Layer | None:
    """What ``layer_to_fact`` gave; None when the blob is not in the store any more.

    Raises:
        DocumentError, LayerError, LookupError: the fact is none.
    """
    descriptor = Descriptor.parse(fact["descriptor"], "remembered layer")
    if not store.has(descriptor):
        return None
    return stored_layer(descriptor, DiffId(str(fact["diff_id"])), store)


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
