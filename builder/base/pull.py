"""Pulling a base image from a registry."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from builder.base.intake import bring_missing, take_in_documents
from builder.events import EventSink, Notice
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from builder.parallel import Stoppable, in_parallel
from builder.registry.client import RegistryClient
from builder.rootfs.indexing import is_indexed
from builder.store.layout import Store
from builder.store.places import remember_places


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """What is pulled, and where it comes to lie.

    Attributes:
        name: of the image, as the user knows it.
        platform: what it has to run on.
        store: gets its documents, and its layers when its file index is not known yet.
        events: told who is asked.
    """

    name: str
    platform: Platform
    store: Store
    events: EventSink

    def image(self, selector: str, client: RegistryClient) -> Descriptor:
        """Pull the image, and return what points at its manifest.

        Args:
            selector: a tag or a digest.
            client: of the repository.

        Raises:
            BaseError: it is not for that platform.
            BuilderError: of the registry, transport, document, layer and store kinds.
        """
        store = self.store
        self.events(Notice(f"asking {client.host} for {self.name} ({self.platform})"))
        top = client.manifest(selector)
        kind = top.kind(self.name)
        digest = store.put(top.raw)
        pointer = Descriptor(media_type=kind, digest=digest, size=len(top.raw))
        blobs = _Blobs(client=client, store=store)
        found, manifest = take_in_documents(pointer, self.platform, store, blobs.copy)
        if not is_indexed(found.digest, store):
            bring_missing(manifest.layers, store, blobs.copy)
        layers = (layer.digest for layer in manifest.layers)
        remember_places(store, client.host, client.repository, layers)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Blobs:
    """Copies blobs from one repository into the store, several at a time."""

    client: RegistryClient
    store: Store
    stop: threading.Event = field(default_factory=threading.Event)

    def copy(self, descriptors: Sequence[Descriptor]) -> None:
        in_parallel(self._one, descriptors, stop=self.stop)

    def _one(self, descriptor: Descriptor) -> None:
        if descriptor.media_type in media_types.DOCUMENTS:
            self.store.put(self.client.manifest(str(descriptor.digest)).raw)
            return
        with self.client.blob(descriptor) as body:
            self.store.add(cast("BinaryIO", Stoppable(body, self.stop)), descriptor)
