"""One repository at one server."""

import re
from dataclasses import dataclass, field

from builder.errors import SettingsError
from builder.oci.reference import DOCKER_HUB
from builder.transport import Tls

# docker.io is a website; its registry has another name.
_DOCKER_HUB_HOST = "registry-1.docker.io"
HTTPS = ("https",)
EITHER = ("https", "http")

_LOCAL = re.compile(r"(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::\d+)?")
_ADDRESS = re.compile(
    r"(?:(?P<scheme>https?)://)?"
    r"(?P<host>(?:\[[0-9A-Fa-f:]+\]|[\w.-]+)(?::\d+)?)(?P<path>(?:/[\w.-]*)*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """One repository at one server that speaks the distribution specification.

    Attributes:
        schemes: ``https``, ``http`` or both; the next one is for when the server does not speak
            the one before.
        host: and port, when it is not the scheme's own.
        repository: its whole name at that server.
        tls: how TLS is spoken with it.
    """

    schemes: tuple[str, ...]
    host: str
    repository: str
    tls: Tls = field(default_factory=Tls)

    def __str__(self) -> str:
        return f"{self.schemes[0]}://{self.host}/{self.repository}"

    def url(self, path: str) -> str:
        """The address of something in the repository, e.g. ``manifests/latest``."""
        return f"{self.schemes[0]}://{self.host}/v2/{self.repository}/{path}"


def mirror_endpoint(address: str, repository: str) -> Endpoint:
    """A repository at the server that an address such as ``http://127.0.0.1:5000/prefix`` names.

    An address without a scheme means https, and either scheme for a server on this machine.

    Raises:
        SettingsError: it names no server.
    """
    found = _ADDRESS.fullmatch(address)
    if found is None:
        raise SettingsError(
            f"not the address of a mirror: {_without_secrets(address)}",
            hint="expected e.g. https://mirror.example.com or http://127.0.0.1:5000/prefix",
        )
    prefix = found["path"].strip("/")
    return Endpoint(
        schemes=(found["scheme"],) if found["scheme"] else schemes_of(found["host"]),
        host=server_of(found["host"]),
        repository=f"{prefix}/{repository}" if prefix else repository,
    )


def schemes_of(host: str) -> tuple[str, ...]:
    """A registry on this machine may well have no certificate; another one must have one."""
    return EITHER if _LOCAL.fullmatch(host) else HTTPS


def server_of(registry: str) -> str:
    """Where a registry is reached."""
    return _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry


def _without_secrets(address: str) -> str:
    """What may be shown of an address: neither credentials nor a query, which may hold some."""
    # Up to the last @, wherever it is: a password may hold what else would end the host.
    _, credentials, host = address.rpartition("@")
    if not credentials:
        return repr(re.split(r"[?#]", address, maxsplit=1)[0])
    host = re.split(r"[/?#]", host, maxsplit=1)[0]
    return f"{host!r} with credentials before it; credentials are not taken in an address"
