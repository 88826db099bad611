"""Which distributions were built on this machine, for want of a wheel that fits."""

from collections.abc import Iterable
from pathlib import Path

from packaging.tags import Tag, parse_tag
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    canonicalize_version,
    parse_wheel_filename,
)

from builder.project.lock import Lock

_TAG_DASHES = 2


def built_here(lock: Lock, venv: Path) -> list[str]:
    """Names of installed third-party distributions that are none of the lock's wheels.

    A lock may offer wheels for other platforms only, so what counts is what was installed: a wheel
    that was built here has other tags than those offered, most often ``linux_*``, which the rules
    of indexes do not allow. Some published wheels say ``linux_*`` of themselves all the same; of
    those that come without a source distribution (torch), that is seen.
    https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/
    """
    wheels = lock.wheels
    infos = venv.glob("lib/python*/site-packages/*.dist-info")
    return sorted(
        name
        for info in infos
        if (name := canonicalize_name(info.stem.rpartition("-")[0])) in wheels
        and not _is_offered(info, wheels[name])
    )


def _is_offered(info: Path, wheels: Iterable[str]) -> bool:
    version = canonicalize_version(info.stem.rpartition("-")[2])
    installed = _installed_tags(info / "WHEEL")
    return any(
        canonicalize_version(offered) == version and not tags.isdisjoint(installed)
        for offered, tags in map(_version_and_tags, wheels)
    )


def _version_and_tags(wheel: str) -> tuple[str, frozenset[Tag]]:
    try:
        _, version, _, tags = parse_wheel_filename(wheel)
    except InvalidWheelFilename:
        return "", frozenset()
    return str(version), tags


def _installed_tags(wheel: Path) -> set[Tag]:
    if not wheel.is_file():
        return set()
    lines = wheel.read_text("utf-8", errors="replace").splitlines()
    pairs = (line.partition(":") for line in lines)
    return {
        tag
        for key, _, value in pairs
        if key.lower() == "tag" and value.count("-") == _TAG_DASHES
        for tag in parse_tag(value.strip())
    }
