"""``registries.conf``, by which containers' tools find their registries.

https://github.com/containers/image/blob/main/docs/containers-registries.conf.5.md
Search registries and short-name aliases are not read: a short name means Docker Hub here.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Self

from builder.errors import SettingsError

_NAME = "registries.conf"
_WILDCARD = "*."
_PORT = re.compile(r":\d+$")
_USES = ("all", "digest-only", "tag-only")


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfiguredMirror:
    """A place to ask before the origin.

    Attributes:
        location: what stands in place of the namespace's prefix.
        insecure: whether its certificate is not verified, and plain http will do.
        tags: whether it is asked for images by tag.
        digests: whether it is asked for images by digest.
    """

    location: str
    insecure: bool = False
    tags: bool = True
    digests: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """One ``[[registry]]``: what holds for all images whose names begin alike.

    Attributes:
        path: the file that says so.
        prefix: ``host[:port][/path]``, or ``*.domain``.
        location: what stands in its place when images are pulled; itself when empty.
        insecure: whether certificates are not verified, and plain http will do.
        blocked: whether nothing may be pulled or pushed.
        mirrors: in the order in which to ask.
    """

    path: Path
    prefix: str
    location: str = ""
    insecure: bool = False
    blocked: bool = False
    mirrors: tuple[ConfiguredMirror, ...] = ()

    def holds(self, name: str) -> bool:
        """Whether a registry and repository, ``host[:port]/path``, belong to it."""
        return self._end(name) is not None

    def at(self, location: str, name: str) -> str:
        """The name that an image of this namespace has at a location."""
        return f"{location}{name[self._end(name) :]}" if location else name

    def _end(self, name: str) -> int | None:
        """Where in a name the part ends that the prefix stands for."""
        if self.prefix.startswith(_WILDCARD):
            host = _PORT.sub("", name.partition("/")[0])
            return len(host) if host.endswith(self.prefix[1:]) else None
        is_below = name == self.prefix or name.startswith(f"{self.prefix}/")
        return len(self.prefix) if is_below else None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistriesConf:
    """All namespaces, by prefix."""

    namespaces: Mapping[str, Namespace] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def at(cls, named: str | None, own: Path | None, system: Path) -> Self:
        """What the files say; of two that speak of one prefix, the later one counts.

        Args:
            named: the file to read in place of the user's or the system's own.
            own: the user's ``containers`` configuration directory.
            system: the machine's.

        Raises:
            SettingsError: a file cannot be read, or is not what it must be.
        """
        namespaces: dict[str, Namespace] = {}
        for path in _files(named, own, system):
            namespaces |= {found.prefix: found for found in _namespaces(path)}
        return cls(namespaces=namespaces)

    def find(self, name: str) -> Namespace | None:
        """The namespace of a registry and repository: that with the longest prefix.

        Of two that are as long, the one that is no wildcard.
        """
        fitting = [found for found in self.namespaces.values() if found.holds(name)]
        fitting.sort(key=lambda found: (len(found.prefix), not found.prefix.startswith(_WILDCARD)))
        return fitting[-1] if fitting else None


def _files(named: str | None, own: Path | None, system: Path) -> Iterator[Path]:
    """The main file and the drop-ins, in the order in which they are read."""
    if named:
        yield Path(named)
    elif own and _is_there(own / _NAME):
        # A user with a file of their own does without the system's.
        yield own / _NAME
        yield from _drop_ins(own)
        return
    elif _is_there(system / _NAME):
        yield system / _NAME
    yield from _drop_ins(system)
    if own:
        yield from _drop_ins(own)


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        # Whoever reads it will say why it cannot be read.
        return True
    return True


def _drop_ins(directory: Path) -> list[Path]:
    return sorted(path for path in (directory / f"{_NAME}.d").glob("*.conf") if path.is_file())


def _namespaces(path: Path) -> Iterator[Namespace]:
    document = _read(path)
    if "registries" in document:
        raise SettingsError(
            f"{path}: the table [registries] is the format's version 1, which is not read",
            hint='write a [[registry]] with location = "HOST" for every host that is named there',
        )
    for number, table in enumerate(_tables(document, "registry", str(path)), 1):
        yield _namespace(table, path, f"{path}: registry {number}")


def _read(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from None
    except ValueError as error:
        raise SettingsError(f"{path} is not TOML: {error}") from None


def _namespace(table: dict[str, Any], path: Path, place: str) -> Namespace:
    location = _location(table, "location", place)
    prefix = _location(table, "prefix", place) or location
    if not prefix or not (location or prefix.startswith(_WILDCARD)):
        raise SettingsError(
            f"{place}: expected a location; only a prefix such as *.example.com does without"
        )
    digests_only = _flag(table, "mirror-by-digest-only", place)
    return Namespace(
        path=path,
        prefix=prefix,
        location="" if location == prefix else location,
        insecure=_flag(table, "insecure", place),
        blocked=_flag(table, "blocked", place),
        mirrors=tuple(
            _mirror(mirror, f"{place}: mirror {number}", digests_only=digests_only)
            for number, mirror in enumerate(_tables(table, "mirror", place), 1)
        ),
    )


def _mirror(table: dict[str, Any], place: str, *, digests_only: bool) -> ConfiguredMirror:
    location = _location(table, "location", place)
    if not location:
        raise SettingsError(f"{place}: expected a location")
    use = table.get("pull-from-mirror") or ""
    if use and digests_only:
        raise SettingsError(
            f"{place}: pull-from-mirror cannot stand beside the registry's mirror-by-digest-only"
        )
    if use not in ("", *_USES):
        raise SettingsError(
            f"{place}: pull-from-mirror: got {use!r}; expected one of {', '.join(_USES)}"
        )
    return ConfiguredMirror(
        location=location,
        insecure=_flag(table, "insecure", place),
        tags=use != "digest-only" and not digests_only,
        digests=use != "tag-only",
    )


def _tables(table: dict[str, Any], key: str, place: str) -> list[dict[str, Any]]:
    found = table.get(key, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise SettingsError(f"{place}: {key}: expected tables")
    return found


def _location(table: dict[str, Any], key: str, place: str) -> str:
    found = table.get(key, "")
    if not isinstance(found, str) or "://" in found or "@" in found:
        raise SettingsError(
            f"{place}: {key}: expected host[:port][/path], without a scheme and a digest"
        )
    return found.rstrip("/")


def _flag(table: dict[str, Any], key: str, place: str) -> bool:
    found = table.get(key, False)
    if not isinstance(found, bool):
        raise SettingsError(f"{place}: {key}: got {found!r}; expected true or false")
    return found
