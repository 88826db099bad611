"""How this user reaches registries: which servers, by which TLS, with whose permission."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Self

from builder.events import EventSink
from builder.oci.reference import Reference
from builder.parallel import InTurn
from builder.process import CommandRunner
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.credential import Credential
from builder.registry.hosts import Endpoint, Hosts
from builder.registry.keychain import Keychain
from builder.retry import Retry
from builder.settings import RegistrySettings
from builder.transport import HttpTransport, Tls, Transport

_PATIENCE_SECONDS = 90
"""Busy registries ask to be left alone for a minute, and a push is worth waiting for."""

type Connect = Callable[[Tls, str], Transport]
"""Opens a transport for a host."""


def connect(tls: Tls, host: str) -> Transport:
    """The transport of real life.

    Raises:
        TransportError: certificates cannot be used, or the environment names a wrong proxy.
    """
    # Some registries read a large blob once more before they answer.
    return HttpTransport(tls=tls, host=host, commit_seconds=300)


class RegistryAccess:
    """Makes clients; those of one server and one credential share connections and permissions.

    Args:
        hosts: how hosts are configured.
        keychain: the user's credentials.
        retry: how often a server is asked again.
        connect: opens a transport.
    """

    def __init__(
        self, *, hosts: Hosts, keychain: Keychain, retry: Retry, connect: Connect = connect
    ) -> None:
        self._hosts = hosts
        self._keychain = keychain
        self._retry = retry
        self._connect = connect
        self._transports: dict[tuple[str, Tls], Transport] = {}
        self._authorizations: dict[tuple[str, Credential | None], Authorization] = {}
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
        return cls(
            hosts=Hosts.read(settings, environ),
            keychain=Keychain.at_home(environ, run, given=given or {}),
            retry=Retry(events=InTurn(events), patience_seconds=_PATIENCE_SECONDS),
        )

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
            yield self._client(endpoint, "pull")

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
        return self._client(endpoint, "pull,push", mount_from)

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
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        # Whoever pressed Ctrl-C leaves at once; threads that still read would only see it break.
        if error is None or isinstance(error, Exception):
            self.close()

    def _client(
        self, endpoint: Endpoint, actions: str, mount_from: Collection[str] = ()
    ) -> RegistryClient:
        credential = self._keychain.find(endpoint.host, endpoint.repository)
        with self._lock:
            where = (endpoint.host, endpoint.tls)
            if where not in self._transports:
                self._transports[where] = self._connect(endpoint.tls, endpoint.host)
            # By repository: some registries have a token server for each.
            who = (str(endpoint), credential)
            authorization = self._authorizations.setdefault(who, Authorization(credential))
        return RegistryClient(
            self._transports[where],
            endpoint,
            authorization=authorization,
            retry=self._retry,
            scopes=[
                f"repository:{endpoint.repository}:{actions}",
                *(f"repository:{other}:pull" for other in mount_from),
            ],
        )
