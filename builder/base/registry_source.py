"""Base images from registries, and from what earlier pulls left in the store."""

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import BinaryIO, cast

from builder.base.base import BaseRequest
from builder.base.intake import is_complete, take_in
from builder.errors import BaseError, DocumentError, LayerError, StoreError, TransportError
from builder.events import EventSink, Notice
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import parse_object
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.parallel import InTurn, Stoppable, in_parallel
from builder.registry.client import RegistryClient
from builder.registry.hosts import Endpoint, mirror_endpoint, registry_endpoint
from builder.retry import Retry, passing
from builder.settings import PullPolicy
from builder.store.layout import Store
from builder.transport import HttpTransport, Request, Response, Transport
from layers.digest import Digest

_DOCUMENTS = media_types.INDEXES | media_types.MANIFESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySource:
    """A reference, at its registry or at a mirror, with the store asked first.

    Attributes:
        reference: which image.
        pinned: the one manifest that will do, whatever the reference's tag means by now.
        endpoint: which server.
        policy: when the server is asked.
        events: told when it is.
        retry: how often a server is asked again.
        connect: opens a transport, when one is needed at all.
    """

    reference: Reference
    endpoint: Endpoint
    policy: PullPolicy
    events: EventSink
    retry: Retry
    connect: Callable[[], Transport] = HttpTransport
    pinned: Digest | None = None

    @classmethod
    def of(cls, request: BaseRequest, events: EventSink) -> "RegistrySource":
        """The source for a request whose source is a reference.

        Raises:
            ReferenceFormatError: it is none.
            SettingsError: the mirror is none.
        """
        reference = Reference.parse(request.source)
        if request.mirror:
            endpoint = mirror_endpoint(request.mirror)
        else:
            endpoint = registry_endpoint(reference.registry)
        return cls(
            reference=reference,
            endpoint=endpoint,
            policy=request.policy,
            events=events,
            retry=Retry(events=events),
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
        self.events(Notice(f"asking {self.endpoint} for {self.name} ({platform})"))
        found = self._pull(platform, store)
        store.remember("base", self._key(platform), {"manifest": found.to_json()})
        return found

    def _key(self, platform: Platform) -> str:
        if self.pinned:
            return f"{self.name} {platform} {self.pinned}"
        # What a tag means depends on who is asked; what a digest means does not.
        where = "" if self.reference.digest else f" {self.endpoint}"
        return f"{self.name} {platform}{where}"

    def _remembered(self, platform: Platform, store: Store) -> Descriptor | None:
        fact = store.fact("base", self._key(platform))
        if fact is None:
            return None
        # Whatever is wrong with what was kept, pulling again puts it right.
        with contextlib.suppress(DocumentError, LayerError, StoreError):
            manifest = Descriptor.parse(fact.get("manifest"), "remembered base")
            return manifest if is_complete(manifest, store) else None
        return None

    def _pull(self, platform: Platform, store: Store) -> Descriptor:
        # Pulling threads speak one at a time.
        retry = replace(self.retry, events=InTurn(self.retry.events))
        with closing(_Listening(self.connect())) as transport, transport.first_contact():
            client = RegistryClient(transport, self.endpoint, retry)
            repository = self.reference.repository
            selector = str(self.pinned) if self.pinned else self.reference.selector
            top = client.manifest(repository, selector)
            digest = store.put(top.raw)
            kind = _media_type(top.media_type, top.raw)
            pointer = Descriptor(media_type=kind, digest=digest, size=len(top.raw))
            pull = _Pull(client=client, repository=repository, store=store, retry=retry)
            return take_in(pointer, platform, store, pull.all)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pull:
    """Copies blobs from one repository into the store, several at a time."""

    client: RegistryClient
    repository: str
    store: Store
    retry: Retry
    stop: threading.Event = field(default_factory=threading.Event)

    def all(self, descriptors: Sequence[Descriptor]) -> None:
        in_parallel(self._one, descriptors, stop=self.stop)

    def _one(self, descriptor: Descriptor) -> None:
        if descriptor.media_type in _DOCUMENTS:
            fetched = self.client.manifest(self.repository, str(descriptor.digest))
            self.store.put(fetched.raw)
            return
        # A body that breaks is fetched anew; how long it takes is no reason to give up.
        patient = replace(self.retry, patience_seconds=float("inf"))
        patient.run(lambda: self._fetch(descriptor))

    def _fetch(self, descriptor: Descriptor) -> None:
        with self.client.blob(self.repository, descriptor.digest) as body, passing():
            stoppable = cast("BinaryIO", Stoppable(body, self.stop))
            self.store.add(stoppable, descriptor)


@dataclass(slots=True)
class _Listening:
    """A transport that knows whether anybody answered yet."""

    transport: Transport
    heard: bool = False

    def send(self, request: Request) -> Response:
        response = self.transport.send(request)
        self.heard = True
        return response

    def close(self) -> None:
        self.transport.close()

    @contextlib.contextmanager
    def first_contact(self) -> Iterator[None]:
        """A registry that answered was reached, whoever cannot be reached after that.

        Its tokens and blobs may lie with other servers.
        """
        try:
            yield
        except TransportError as error:
            error.unreached = error.unreached and not self.heard
            raise


def _media_type(announced: str, raw: bytes) -> str:
    """A document's own word, else its sender's, else what its shape says."""
    value = parse_object(raw, "the registry's answer")
    kind = value.get("mediaType")
    if isinstance(kind, str) and kind:
        return kind
    if announced in _DOCUMENTS:
        return announced
    return media_types.INDEX if "manifests" in value else media_types.MANIFEST
