"""How TLS is spoken: whom this machine trusts, and by what it shows who it is."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How TLS is spoken with one server, beyond what the environment says.

    Attributes:
        authorities: PEM files that are trusted beside the system's.
        certificates: PEM files of this client's certificate and key, in pairs; the first of one
            kind of key counts.
        verify: whether the server's certificate has to be a good one.
    """

    authorities: tuple[Path, ...] = ()
    certificates: tuple[tuple[Path, Path], ...] = ()
    verify: bool = True
