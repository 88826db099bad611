"""Base images from registries, and from what earlier pulls left in the store."""

import contextlib
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO, cast

from builder.base.base import BaseRequest
from builder.base.intake import bring_missing, is_complete, take_in_documents
from builder.base.remote_blob import RemoteBlob
from builder.base.servers import Servers
from builder.errors import BaseError, DocumentError, LayerError, StoreError
from builder.events import EventSink, Notice
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.parallel import InTurn, Stoppable, in_parallel
from builder.registry.client import RegistryClient
from builder.rootfs.indexing import is_indexed
from builder.settings import PullPolicy
from builder.store.layout import Store, StoredBlob
from builder.store.places import remember_places
from layers.digest import Digest
from layers.entries import Content

_DOCUMENTS = media_types.INDEXES | media_types.MANIFESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource:
    """A reference, at its registry or at a mirror, with the store asked first.

    Documents always come into the store. Layers do when the base's file index is not known yet,
    which is made of them; otherwise they are fetched when somebody opens them.

    Attributes:
        reference: which image.
        servers: who may have it.
        policy: when they are asked.
        events: told when they are.
        pinned: the one manifest that will do, whatever the reference's tag means by now.
    """

    reference: Reference
    servers: Servers
    policy: PullPolicy
    events: EventSink
    pinned: Digest | None = None

    @classmethod
    def of(cls, request: BaseRequest, events: EventSink) -> "RegistrySource":
        """The source for a request whose source is a reference.

        Raises:
            ReferenceFormatError: it is none.
            SettingsError: the mirror is none, or the registry is blocked.
        """
        reference = Reference.parse(request.source)
        if request.registries is None:
            raise AssertionError(f"{request.source}: nobody said how registries are reached")
        servers = Servers(
            # Which mirrors count may depend on whether a digest is asked for.
            reference=replace(reference, digest=request.digest or reference.digest),
            access=request.registries,
            mirror=request.mirror,
            # Layers may be opened by several threads.
            events=InTurn(events),
        )
        # A mirror that is none, or a registry that is blocked, shows before anything is asked for.
        servers.names()
        return cls(
            reference=reference,
            servers=servers,
            policy=request.policy,
            events=events,
            pinned=request.digest,
        )

    @property
    def name(self) -> str:
        """The reference in full."""
        return self.reference.full

    def bring(self, platform: Platform, store: Store) -> Descriptor:
        """Answer from the store or pull, as the policy has it.

        Raises:
            BaseError: it may not be pulled and is not in the store, or is for another platform.
            RegistryError: the registry does not give it.
            TransportError: the registry cannot be reached.
        """
        if self.policy is not PullPolicy.ALWAYS:
            known = self._remembered(platform, store)
            if known is not None:
                return known
        if self.policy is PullPolicy.NEVER:
            raise BaseError(
                f"{self.name} for {platform} is not in the store {store.root}, "
                "and the pull policy is never",
                hint="build once with --pull missing, or name a base that is on this machine",
            )
        found = self.servers.ask(lambda client: self._pull(client, platform, store))
        store.remember("base", self._key(platform), {"manifest": found.to_json()})
        return found

    def layer(self, descriptor: Descriptor, store: Store) -> Content:
        """A layer of the image that was brought; who may not pull finds it in the store."""
        if self.policy is PullPolicy.NEVER:
            return StoredBlob(store, descriptor)
        return RemoteBlob(descriptor=descriptor, store=store, servers=self.servers)

    def _key(self, platform: Platform) -> str:
        if self.pinned:
            return f"{self.name} {platform} {self.pinned}"
        # What a tag means depends on who is asked; what a digest means does not.
        where = "" if self.reference.digest else f" {self.servers.names()}"
        return f"{self.name} {platform}{where}"

    def _remembered(self, platform: Platform, store: Store) -> Descriptor | None:
        fact = store.fact("base", self._key(platform))
        if fact is None:
            return None
        # Whatever is wrong with what was kept, pulling again puts it right.
        with contextlib.suppress(DocumentError, LayerError, StoreError):
            manifest = Descriptor.parse(fact.get("manifest"), "remembered base")
            lazily = self.policy is not PullPolicy.NEVER and is_indexed(manifest.digest, store)
            return manifest if is_complete(manifest, store, without_layers=lazily) else None
        return None

    def _pull(self, client: RegistryClient, platform: Platform, store: Store) -> Descriptor:
        self.events(Notice(f"asking {client.host} for {self.name} ({platform})"))
        top = client.manifest(self.servers.reference.selector)
        kind = top.kind(self.name)
        digest = store.put(top.raw)
        pointer = Descriptor(media_type=kind, digest=digest, size=len(top.raw))
        pull = _Pull(client=client, store=store)
        found, manifest = take_in_documents(pointer, platform, store, pull.all)
        if not is_indexed(found.digest, store):
            bring_missing(manifest.layers, store, pull.all)
        layers = (layer.digest for layer in manifest.layers)
        remember_places(store, client.host, client.repository, layers)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """Copies blobs from one repository into the store, several at a time."""

    client: RegistryClient
    store: Store
    stop: threading.Event = field(default_factory=threading.Event)

    def all(self, descriptors: Sequence[Descriptor]) -> None:
        in_parallel(self._one, descriptors, stop=self.stop)

    def _one(self, descriptor: Descriptor) -> None:
        if descriptor.media_type in _DOCUMENTS:
            self.store.put(self.client.manifest(str(descriptor.digest)).raw)
            return
        with self.client.blob(descriptor) as body:
            self.store.add(cast("BinaryIO", Stoppable(body, self.stop)), descriptor)
