"""Base images from registries, and from what earlier pulls left in the store."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from builder.base.intake import is_complete
from builder.base.remote_blob import RemoteBlob
from builder.base.servers import Servers
from builder.errors import BaseError, DocumentError, LayerError, StoreError
from builder.events import InTurn
from builder.oci.descriptor import Descriptor
from builder.oci.reference import Reference
from builder.rootfs.runtime import is_known
from builder.settings import PullPolicy
from builder.store.layout import Store, StoredBlob

if TYPE_CHECKING:
    from builder.base.base import BaseRequest
    from builder.events import EventSink
    from builder.oci.platform import Platform
    from layers.digest import Digest
    from layers.entries import Content


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
    def of(cls, request: BaseRequest, events: EventSink) -> RegistrySource:
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
        # What speaks with registries is loaded when one is asked: most builds ask none.
        from builder.base.pull import Pull  # noqa: PLC0415

        pull = Pull(name=self.name, platform=platform, store=store, events=self.events)
        found = self.servers.ask(partial(pull.image, self.servers.reference.selector))
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
            lazily = self.policy is not PullPolicy.NEVER and is_known(manifest.digest, store)
            return manifest if is_complete(manifest, store, without_layers=lazily) else None
        return None
