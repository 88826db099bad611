"""Addresses: which server they name, and whether the environment puts a proxy before it."""

import os
import re
from urllib.parse import urlsplit

PORTS = {"http": 80, "https": 443}
LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""Hosts that are this machine; a proxy could not reach them."""

_PLAIN = re.compile(r"[0-9a-fA-F:]*:[0-9a-fA-F:.]*|[a-z0-9_-]{1,63}(\.[a-z0-9_-]{1,63})*")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

type Origin = tuple[str, str, int]
"""Scheme, host and port."""


def origin_of(url: str) -> Origin | None:
    """The server of an address; None when it has no http address that is plain to read."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    host = parts.hostname or ""
    if parts.scheme not in PORTS or parts.username or not _PLAIN.fullmatch(host):
        return None
    return parts.scheme, host, port or PORTS[parts.scheme]


def is_behind_proxy(origin: Origin) -> bool:
    """Whether a proxy may lie before a server; which one, and whether it does, is not decided."""
    return origin[1] not in LOOPBACK and has_proxies()


def has_proxies() -> bool:
    """Whether the environment names any."""
    return any(os.environ.get(name) or os.environ.get(name.upper()) for name in _PROXIES)
