"""Readers of the settings that are about registries."""

import re
from ipaddress import ip_network
from typing import Any

from builder.project.readers import list_of, text

_HOST = re.compile(r"(?:\[[0-9A-Fa-f:]+\]|[A-Za-z0-9][\w.-]*)(?::\d{1,5})?", re.ASCII)


def insecure(value: Any) -> tuple[str, ...]:
    """A list of hosts and networks; one counts once."""
    return tuple(dict.fromkeys(list_of(_host)(value)))


def _host(value: Any) -> str:
    host = text(value)
    if "/" in host and "://" not in host:
        try:
            return str(ip_network(host, strict=False))
        except ValueError:
            raise ValueError("expected a network such as 10.0.0.0/8, or a host alone") from None
    if not _HOST.fullmatch(host):
        raise ValueError('expected host[:port] without a scheme, such as "registry.test:5000"')
    return host


def place(value: Any) -> str:
    """A path, relative to the project or to where the command runs, or an absolute one."""
    found = text(value)
    if "\0" in found:
        raise ValueError("expected a path")
    return found
