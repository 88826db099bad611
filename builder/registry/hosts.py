"""Which server is asked for a registry's images, and by which scheme."""

import re
from dataclasses import dataclass

from builder.errors import SettingsError
from builder.oci.reference import DOCKER_HUB
from builder.transport import LOOPBACK

# docker.io is a website; its registry has another name.
_DOCKER_HUB_HOST = "registry-1.docker.io"

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>(?:\[[0-9A-Fa-f:]+\]|[\w.-]+)(?::\d+)?)(?P<path>(?:/[\w.-]*)*)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A server that speaks the distribution specification.

    Attributes:
        scheme: ``https`` or ``http``.
        host: and port, when it is not the scheme's own.
        prefix: what a mirror puts before every repository's name; usually empty.
    """

    scheme: str
    host: str
    prefix: str = ""

    def __str__(self) -> str:
        path = f"/{self.prefix}" if self.prefix else ""
        return f"{self.scheme}://{self.host}{path}"

    def repository(self, name: str) -> str:
        """A repository's name at this server."""
        return f"{self.prefix}/{name}" if self.prefix else name

    def url(self, repository: str, path: str) -> str:
        """The address of something in a repository, e.g. ``manifests/latest``."""
        return f"{self.scheme}://{self.host}/v2/{self.repository(repository)}/{path}"


def registry_endpoint(registry: str) -> Endpoint:
    """The server of a registry: https, except for a registry on this machine."""
    host = _DOCKER_HUB_HOST if registry == DOCKER_HUB else registry
    return Endpoint(scheme=_scheme(host), host=host)


def mirror_endpoint(address: str) -> Endpoint:
    """The server that an address such as ``http://127.0.0.1:5000/prefix`` names.

    Raises:
        SettingsError: it names none.
    """
    bare = address if "://" in address else f"{_scheme(address.partition('/')[0])}://{address}"
    found = _ADDRESS.fullmatch(bare)
    if found is None:
        raise SettingsError(
            f"not the address of a mirror: {_without_secrets(address)}",
            hint="expected e.g. https://mirror.example.com or http://127.0.0.1:5000/prefix",
        )
    return Endpoint(scheme=found["scheme"], host=found["host"], prefix=found["path"].strip("/"))


def _without_secrets(address: str) -> str:
    """What may be shown of an address: neither credentials nor a query, which may hold some."""
    # Up to the last @, wherever it is: a password may hold what else would end the host.
    _, credentials, host = address.rpartition("@")
    if not credentials:
        return repr(re.split(r"[?#]", address, maxsplit=1)[0])
    host = re.split(r"[/?#]", host, maxsplit=1)[0]
    return f"{host!r} with credentials before it; credentials are not taken in an address"


def _scheme(host: str) -> str:
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return "http" if name in LOOPBACK else "https"
