"""Clients of registries, as they share connections, permissions and patience."""

import threading
from collections.abc import Callable, Collection, Mapping
from typing import Self

from builder.events import EventSink, InTurn
from builder.process import CommandRunner
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.credential import Credential
from builder.registry.endpoint import Endpoint
from builder.registry.keychain import Keychain
from builder.retry import Retry
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


class Clients:
    """Makes clients; those of one server and one credential share connections and permissions.

    Args:
        keychain: the user's credentials.
        retry: how often a server is asked again.
        connect: opens a transport.
    """

    def __init__(self, *, keychain: Keychain, retry: Retry, connect: Connect = connect) -> None:
        self._keychain = keychain
        self._retry = retry
        self._connect = connect
        self._transports: dict[tuple[str, Tls], Transport] = {}
        self._authorizations: dict[tuple[str, Credential | None], Authorization] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(
        cls,
        environ: Mapping[str, str],
        *,
        run: CommandRunner,
        events: EventSink,
        given: Mapping[str, Credential] | None = None,
    ) -> Self:
        """Clients with the credentials of this machine's files; arguments as ``RegistryAccess``."""
        return cls(
            keychain=Keychain.at_home(environ, run, given=given or {}),
            retry=Retry(events=InTurn(events), patience_seconds=_PATIENCE_SECONDS),
        )

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for transport in self._transports.values():
                transport.close()
            self._transports.clear()

    def client(
        self, endpoint: Endpoint, actions: str, mount_from: Collection[str] = ()
    ) -> RegistryClient:
        """A client of a repository.

        Args:
            endpoint: where it is.
            actions: what is to be done there, as token servers name it.
            mount_from: repositories of the same server that blobs are to be mounted from.

        Raises:
            SettingsError: a file of credentials cannot be read.
            TransportError: certificates of the host cannot be used.
        """
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
