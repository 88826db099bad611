"""Hosts whose certificates are not verified, and which may speak plain http."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from typing import Self

_PORT = re.compile(r":\d+$")


@dataclass(frozen=True, slots=True, kw_only=True)
class InsecureHosts:
    """Hosts by name, and addresses by network.

    A name counts for exactly the port that stands there. A network counts for every port, and for
    hosts that are written as an address: names are not resolved for this.
    """

    names: frozenset[str] = frozenset()
    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, entries: Iterable[str]) -> Self:
        """Those of a list; an entry with a slash is a network, such as ``10.0.0.0/8``.

        Raises:
            ValueError: it looks like a network and is none; the message says so.
        """
        listed = tuple(entries)
        return cls(
            names=frozenset(entry for entry in listed if "/" not in entry),
            networks=tuple(ip_network(entry, strict=False) for entry in listed if "/" in entry),
        )

    def hold(self, host: str) -> bool:
        """Whether ``host[:port]`` is one of them."""
        if host in self.names:
            return True
        if not self.networks:
            return False
        try:
            address = ip_address(_PORT.sub("", host).strip("[]"))
        except ValueError:
            return False
        return any(address in network for network in self.networks)
