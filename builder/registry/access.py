"""How this user reaches registries: which servers, by which TLS, with whose permission."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Self

from builder.registry.hosts import Hosts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from builder.events import EventSink
    from builder.oci.reference import Reference
    from builder.process import CommandRunner
    from builder.registry.client import RegistryClient
    from builder.registry.clients import Clients
    from builder.registry.credential import Credential
    from builder.registry.hosts import Endpoint
    from builder.settings import RegistrySettings


class RegistryAccess:
    """Knows where an image is, and makes the clients that ask there.

    Args:
        hosts: how hosts are configured.
        clients: gets ready for the first client; most builds need none.
    """

    def __init__(self, *, hosts: Hosts, clients: Callable[[], Clients]) -> None:
        self._hosts = hosts
        self._make_clients = clients
        self._clients: Clients | None = None
        self._lock = threading.Lock()

    @classmethod
    def of(
        cls,
        settings: RegistrySettings,
        environ: Mapping[str, str],
        *,
        run: CommandRunner,
        events: EventSink,
        given: Mapping[str, Credential] | None = None,
    ) -> Self:
        """Access as settings, environment and the files of this machine have it.

        Args:
            settings: the user's choices about registries.
            environ: names files of hosts and credentials.
            run: starts credential helpers.
            events: told of every new try; by one thread at a time.
            given: credentials by registry, which win over those in files.

        Raises:
            SettingsError: a file of this machine cannot be read.
        """

        def clients() -> Clients:
            # What speaks with registries is loaded when one is asked: most builds ask none.
            from builder.registry.clients import Clients  # noqa: PLC0415

            return Clients.of(environ, run=run, events=events, given=given)

        return cls(hosts=Hosts.read(settings, environ), clients=clients)

    def pull_endpoints(
        self, reference: Reference, mirror: str | None = None
    ) -> tuple[Endpoint, ...]:
        """The repositories that may have an image, in the order to ask them; none is asked yet.

        Args:
            reference: which image.
            mirror: address of the one server to ask instead of the reference's registry.

        Raises:
            SettingsError: the registry is blocked, or the mirror is no address.
        """
        if mirror:
            return (self._hosts.mirror(mirror, reference.repository),)
        return self._hosts.pull_endpoints(reference)

    def pull_clients(
        self, reference: Reference, mirror: str | None = None
    ) -> Iterator[RegistryClient]:
        """Clients of ``pull_endpoints``, each made when it is its turn.

        Raises:
            SettingsError: the registry is blocked, or the mirror is no address.
            TransportError: certificates of a host cannot be used.
        """
        for endpoint in self.pull_endpoints(reference, mirror):
            yield self._ready().client(endpoint, "pull")

    def push_client(self, reference: Reference, mount_from: Collection[str] = ()) -> RegistryClient:
        """A client of the repository that a reference names.

        Args:
            reference: where to push.
            mount_from: repositories of the same server that blobs are to be mounted from.

        Raises:
            SettingsError: the registry is blocked.
            TransportError: certificates of the host cannot be used.
        """
        endpoint = self._hosts.push_endpoint(reference)
        return self._ready().client(endpoint, "pull,push", mount_from)

    def place(self, reference: Reference) -> tuple[str, str]:
        """The server where a reference's image is pushed, and its repository there.

        Raises:
            SettingsError: the registry is blocked.
        """
        endpoint = self._hosts.push_endpoint(reference)
        return endpoint.host, endpoint.repository

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            if self._clients is not None:
                self._clients.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # Whoever pressed Ctrl-C leaves at once; threads that still read would only see it break.
        if error is None or isinstance(error, Exception):
            self.close()

    def _ready(self) -> Clients:
        with self._lock:
            if self._clients is None:
                self._clients = self._make_clients()
            return self._clients
