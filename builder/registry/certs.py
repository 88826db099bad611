"""Certificates that this machine keeps for single registries.

https://github.com/containers/image/blob/main/docs/containers-certs.d.5.md
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from builder.errors import SettingsError
from builder.transport import Tls

_ETC = Path("/etc")


@dataclass(frozen=True, slots=True, kw_only=True)
class CertDirectories:
    """Directories that have one directory per ``host[:port]``; the first that has it counts."""

    places: tuple[Path, ...] = ()

    @classmethod
    def of(cls, named: str | None, home: Path | None, etc: Path = _ETC) -> Self:
        """The places that count.

        Args:
            named: the user's own choice, if any; it comes before the others.
            home: the user's ``containers`` configuration directory.
            etc: the system's configuration.

        Raises:
            SettingsError: there is no such directory as was named.
        """
        if named and not Path(named).is_dir():
            raise SettingsError(
                f"cannot read certificates of registries in {named}: there is no such directory",
                hint="expected a directory that holds e.g. registry.example.com:5000/ca.crt",
            )
        chosen = (Path(named),) if named else ()
        own = (home / "certs.d",) if home else ()
        system = (etc / "containers/certs.d", etc / "docker/certs.d")
        return cls(places=(*chosen, *own, *system))

    def find(self, host: str) -> Tls | None:
        """What is kept for a host: None when there is no directory for it.

        ``*.crt`` are authorities; ``NAME.cert`` and ``NAME.key`` are a client's pair.

        Raises:
            SettingsError: the directory cannot be read, or one half of a pair is missing.
        """
        for place in self.places:
            names = _names(place / host)
            if names is not None:
                return _tls(place / host, names)
        return None


def _names(directory: Path) -> list[str] | None:
    try:
        return sorted(path.name for path in directory.iterdir())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        # What this user may not read is another one's, such as the Docker daemon's.
        return None
    except OSError as error:
        raise SettingsError(f"cannot read {directory}: {error.strerror}") from None


def _tls(directory: Path, names: list[str]) -> Tls:
    halves = {Path(name).stem for name in names if name.endswith((".cert", ".key"))}
    for half in sorted(halves):
        _refuse_half(directory, half, names)
    return Tls(
        authorities=tuple(
            directory / name
            for name in names
            # A link that leads nowhere is left over from an authority that is no more.
            if name.endswith(".crt") and (directory / name).exists()
        ),
        certificates=tuple(
            (directory / f"{half}.cert", directory / f"{half}.key") for half in sorted(halves)
        ),
    )


def _refuse_half(directory: Path, half: str, names: list[str]) -> None:
    for there, missing in (("cert", "key"), ("key", "cert")):
        if f"{half}.{missing}" not in names:
            raise SettingsError(
                f"{directory} has {half}.{there} without {half}.{missing}; "
                "expected both halves of a client's certificate",
                hint="an authority's certificate has a name that ends in .crt",
            )
