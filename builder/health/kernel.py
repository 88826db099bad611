"""What the kernel says about a container: needs no program in the image, not even a shell.

https://man7.org/linux/man-pages/man5/proc.5.html
https://man7.org/linux/man-pages/man7/user_namespaces.7.html
"""

import ipaddress
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LISTEN = "0A"


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket, and the container's uid that it belongs to."""

    address: ipaddress.IPv4Address | ipaddress.IPv6Address
    port: int
    uid: int


@dataclass(frozen=True, slots=True)
class Process:
    """A container's main process, seen from this machine by its pid here."""

    pid: int

    def uids(self) -> set[int]:
        """Real, effective, saved and filesystem uid, as the container counts; none at its end."""
        status = self._read("status")
        lines = [line for line in status.splitlines() if line.startswith("Uid:")]
        return {self._inside(int(uid)) for line in lines for uid in line.split()[1:]}

    def listeners(self) -> list[Listener]:
        """Every listening socket in the container's network namespace."""
        return [
            listener
            for table in ("net/tcp", "net/tcp6")
            for listener in self._listeners(self._read(table))
        ]

    def _listeners(self, table: str) -> Iterator[Listener]:
        for line in table.splitlines()[1:]:
            fields = line.split()
            if fields[3] == _LISTEN:
                address, port = fields[1].split(":")
                yield Listener(_address(address), int(port, 16), self._inside(int(fields[7])))

    def _inside(self, uid: int) -> int:
        """A uid of this machine as the container counts; -1 when it has no such user."""
        for line in self._read("uid_map").splitlines():
            inside, outside, count = map(int, line.split())
            if outside <= uid < outside + count:
                return inside + uid - outside
        return -1

    def _read(self, name: str) -> str:
        try:
            return Path(f"/proc/{self.pid}/{name}").read_text()
        except FileNotFoundError:
            # No IPv6 in this kernel, or the process has just ended.
            return ""


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    """From the table's form: 32-bit words in hexadecimal, each in this machine's byte order."""
    words = (text[i : i + 8] for i in range(0, len(text), 8))
    packed = b"".join(int(word, 16).to_bytes(4, sys.byteorder) for word in words)
    return ipaddress.ip_address(packed)
