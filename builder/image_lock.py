"""``image.lock``: which base and which Debian packages an image is made of, beside ``uv.lock``.

Its text depends on nothing but what it says: two machines that lock the same write the same bytes,
and a package that changes changes its own table alone. No host is named in it, so that every
mirror serves.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import LayerError, LockError, SettingsError
from builder.oci.document import canonical_json
from builder.oci.platform import Platform
from layers.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from builder.debian.package import Pin
    from builder.settings import AptSourceSettings

_VERSION = 1
_HEADER = "# Written by `python -m builder lock`; not meant to be changed by hand.\n"
_IMAGE = {"platform", "base", "digest", "requested", "sources", "package", "base-package"}
_TEXTS = ("name", "version", "architecture", "path", "suite")
_PACKAGE = {*_TEXTS, "digest", "size"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImage:
    """What an image for one platform is made of.

    Attributes:
        platform: what it runs on.
        base: the one of the settings' bases that was taken, as it is written there.
        digest: of the base's manifest for the platform.
        requested: the packages that the settings asked for, as they are written there.
        packages: those of the system layer, by name, in whatever order they were given.
        base_packages: those that a base of Debian packages is composed of, likewise.
        sources: identity of the settings' own apt sources; None when they have none.

    Raises:
        LockError: a package stands there twice.
    """

    platform: Platform
    base: str
    digest: Digest
    requested: tuple[str, ...] = ()
    packages: tuple[Pin, ...] = ()
    base_packages: tuple[Pin, ...] = ()
    sources: Digest | None = None

    def __post_init__(self) -> None:
        for field, pins in (("packages", self.packages), ("base_packages", self.base_packages)):
            _refuse_twice(pin.name for pin in pins)
            object.__setattr__(self, field, tuple(sorted(pins, key=lambda pin: pin.name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageLock:
    """The whole file.

    Attributes:
        images: by platform, in whatever order they were given.

    Raises:
        LockError: a platform stands there twice.
    """

    images: tuple[LockedImage, ...] = ()

    def __post_init__(self) -> None:
        _refuse_twice(str(image.platform.specific) for image in self.images)
        ordered = sorted(self.images, key=lambda image: str(image.platform))
        object.__setattr__(self, "images", tuple(ordered))

    def image(self, platform: Platform) -> LockedImage | None:
        """What is locked for a platform; ``arm64`` and ``arm64/v8`` are the same."""
        wanted = platform.specific
        return next((image for image in self.images if image.platform.specific == wanted), None)


def with_image(lock: ImageLock | None, locked: LockedImage) -> ImageLock:
    """A lock with what is locked for one platform put in, or in the place of what was."""
    images = lock.images if lock else ()
    platform = locked.platform.specific
    others = (image for image in images if image.platform.specific != platform)
    return ImageLock(images=(*others, locked))


def sources_digest(sources: Sequence[AptSourceSettings], snapshot: str | None) -> Digest | None:
    """The identity of what the settings say of apt's sources; None when they say nothing.

    A mirror is no part of it: it gives the same packages from another place.
    """
    if not sources and snapshot is None:
        return None
    tables = [
        {
            "uri": source.uri,
            "suites": list(source.suites),
            "components": list(source.components),
            "keyring": source.keyring,
        }
        for source in sources
    ]
    return Digest.of(canonical_json({"sources": tables, "snapshot": snapshot}))


def drift(
    locked: LockedImage,
    *,
    base: str,
    requested: Sequence[str],
    sources: Digest | None = None,
) -> str | None:
    """What of the settings is not what was locked, in words; None when nothing is.

    Args:
        locked: for the platform that is built for.
        base: the first of the settings' list, the only one that is ever locked.
        requested: the packages that the settings ask for; their order means nothing.
        sources: the settings' ``sources_digest``.
    """
    found = []
    if locked.base != base:
        found.append(f"the base is {base}, locked is {locked.base}")
    if added := sorted(set(requested) - set(locked.requested)):
        found.append(f"apt asks for {', '.join(added)}, not locked yet")
    if removed := sorted(set(locked.requested) - set(requested)):
        found.append(f"apt no longer asks for {', '.join(removed)}")
    if sources != locked.sources:
        found.append("apt-sources or apt-snapshot are others than those that were locked")
    return "; ".join(found) or None


def read_image_lock(path: Path) -> ImageLock | None:
    """The lock in a file; None when there is no such file.

    Raises:
        LockError: the file cannot be read, is of another version, or is not what ``to_toml``
            writes; the message says where.
    """
    try:
        raw = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LockError(f"cannot read {path}: {error.strerror}") from error
    import tomllib  # noqa: PLC0415 - most projects have no such file

    try:
        return _lock(tomllib.loads(raw.decode()))
    except (ValueError, LockError) as error:
        raise LockError(
            f"{path} is not an image lock: {error}",
            hint=f"make it anew: rm {path}, and python -m builder lock",
        ) from None


def _lock(document: dict[str, Any]) -> ImageLock:
    version = document.get("version")
    if version is True or version != _VERSION:  # true is 1 in Python, not in TOML
        raise LockError(f"it is of version {version!r}; expected {_VERSION}")
    _known(document, {"version", "image"}, "the file")
    return ImageLock(
        images=tuple(_image(table) for table in _tables(document, "image", "the file"))
    )


def _image(table: dict[str, Any]) -> LockedImage:
    name = _text(table, "platform", "an image")
    what = f"the image for {name}"
    _known(table, _IMAGE, what)
    requested = table.get("requested", [])
    if not isinstance(requested, list) or not all(isinstance(item, str) for item in requested):
        raise LockError(f"{what}: requested is {requested!r:.80}; expected a list of strings")
    try:
        return LockedImage(
            platform=Platform.parse(name),
            base=_text(table, "base", what),
            digest=_digest(table, "digest", what),
            requested=tuple(requested),
            packages=_pins(table, "package", what),
            base_packages=_pins(table, "base-package", what),
            sources=_digest(table, "sources", what) if "sources" in table else None,
        )
    except SettingsError as error:
        raise LockError(error.message) from None


def _pins(table: dict[str, Any], key: str, what: str) -> tuple[Pin, ...]:
    return tuple(_pin(each, f"{what}, a {key}") for each in _tables(table, key, what))


def _pin(table: dict[str, Any], what: str) -> Pin:
    name = _text(table, "name", what)
    what = f"{what}, {name}"
    _known(table, _PACKAGE, what)
    size = table.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise LockError(f"{what}: size is {size!r:.80}; expected a number of bytes")
    path = _text(table, "path", what)
    # What it is added to is the address of an archive: it must not lead out of there.
    if path.startswith("/") or ".." in path.split("/") or ":" in path.partition("/")[0]:
        raise LockError(f"{what}: path is {path!r}; expected one from the archive's root")
    from builder.debian.package import Pin  # noqa: PLC0415 - most projects lock no packages

    return Pin(
        name=name,
        version=_text(table, "version", what),
        architecture=_text(table, "architecture", what),
        digest=_digest(table, "digest", what),
        size=size,
        path=path,
        suite=_text(table, "suite", what),
    )


def _text(table: Mapping[str, Any], key: str, what: str) -> str:
    value = table.get(key)
    if not isinstance(value, str) or not value:
        raise LockError(f"{what}: {key} is {value!r:.80}; expected a string that is not empty")
    return value


def _digest(table: Mapping[str, Any], key: str, what: str) -> Digest:
    try:
        return Digest(_text(table, key, what))
    except LayerError as error:
        raise LockError(f"{what}: {key}: {error.message}") from None


def _tables(table: Mapping[str, Any], key: str, what: str) -> list[dict[str, Any]]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise LockError(f"{what}: {key} is {value!r:.80}; expected tables")
    return value


def _known(table: Mapping[str, Any], known: set[str], what: str) -> None:
    if unknown := sorted(table.keys() - known):
        raise LockError(f"{what}: {unknown[0]} is unknown")


def _refuse_twice(names: Iterable[str]) -> None:
    seen = set()
    for name in names:
        if name in seen:
            raise LockError(f"{name} stands there twice")
        seen.add(name)


def to_toml(lock: ImageLock) -> bytes:
    """The file's bytes: ``read_image_lock`` reads the same lock from them."""
    tables = "".join(map(_image_toml, lock.images))
    return f"{_HEADER}version = {_VERSION}\n{tables}".encode()


def _image_toml(image: LockedImage) -> str:
    members: dict[str, str | int | Sequence[str]] = {
        "platform": str(image.platform),
        "base": image.base,
        "digest": str(image.digest),
        "requested": image.requested,
    }
    if image.sources:
        members["sources"] = str(image.sources)
    return "".join(
        (
            _table("image", members),
            *(_table("image.package", pin.to_json()) for pin in image.packages),
            *(_table("image.base-package", pin.to_json()) for pin in image.base_packages),
        )
    )


def _table(name: str, members: Mapping[str, str | int | Sequence[str]]) -> str:
    lines = (f"{key} = {_toml(value)}\n" for key, value in members.items())
    return f"\n[[{name}]]\n{''.join(lines)}"


def _toml(value: str | int | Sequence[str]) -> str:
    """A value; what JSON escapes in a string TOML escapes alike, and DEL besides."""
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, int):
        return str(value)
    return f"[{', '.join(map(_toml, value))}]"
