"""Layers that are with a registry: they are read more than once, and come from there once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, BinaryIO, cast

from builder.base.remote_blob import RemoteBlob
from builder.events import step
from builder.oci.descriptor import Descriptor
from builder.parallel import Stoppable, in_parallel
from builder.units import decimal

if TYPE_CHECKING:
    from builder.oci.image import Image
    from builder.store.layout import Store
    from builder.workshop import Workshop
    from layers.layer import Layer


def fetch_layers(image: Image, shop: Workshop) -> None:
    """Bring the layers that only a registry has into the store, several at a time.

    Raises:
        LayerError: what a registry gives is not the layer.
        RegistryError: it does not give one.
        StoreError: the store cannot be written.
        TransportError: it cannot be reached.
    """
    lacking = {
        layer.digest: layer
        for layer in image.layers
        if isinstance(layer.source, RemoteBlob) and not shop.store.has(Descriptor.of_layer(layer))
    }
    if not lacking:
        return
    stop = threading.Event()
    with step(shop.events, f"fetch {image.config.value.platform}") as done:
        in_parallel(
            lambda layer: _fetch(layer, shop.store, stop), tuple(lacking.values()), stop=stop
        )
        size = sum(layer.size for layer in lacking.values())
        done.detail = f"{decimal(size)} in {len(lacking)} layers"


def _fetch(layer: Layer, store: Store, stop: threading.Event) -> None:
    with layer.source.open() as body:
        store.add(cast("BinaryIO", Stoppable(body, stop)), Descriptor.of_layer(layer))
