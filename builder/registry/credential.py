"""What a registry knows a user by, and how registries are named where that is kept."""

import base64
from dataclasses import dataclass

from builder.errors import SettingsError
from builder.oci.reference import DOCKER_HUB

_HUB_HOSTS = frozenset({DOCKER_HUB, "index.docker.io", "registry-1.docker.io"})


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Credential:
    """A user name and password, or a token in their place; never shown.

    Attributes:
        username: without a colon, which could not be sent.
        password: or an access token that the registry takes as one.
        identity_token: exchanged for bearer tokens, as OAuth 2 does with refresh tokens.
        registry_token: a bearer token as it is.

    Raises:
        SettingsError: it could not be sent.
    """

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""

    def __post_init__(self) -> None:
        if ":" in self.username:
            raise SettingsError("a user name for a registry has no colon; this one has")
        if not self.registry_token.isascii() or not self.registry_token.isprintable():
            raise SettingsError("a registry's token is printable ASCII; this one is not")

    def __repr__(self) -> str:
        return "Credential(...)"

    @property
    def basic(self) -> str:
        """The value of ``Authorization``; empty when there is no user name and no password.

        https://www.rfc-editor.org/rfc/rfc7617
        """
        if not self.username and not self.password:
            return ""
        pair = f"{self.username}:{self.password}".encode()
        return f"Basic {base64.b64encode(pair).decode()}"


def registry_name(host: str) -> str:
    """A registry's host and port as references have it: every name of Docker Hub is one."""
    lowered = host.lower()
    return DOCKER_HUB if lowered in _HUB_HOSTS else lowered
