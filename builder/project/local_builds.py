"""Which distributions were built on this machine, for want of a wheel that fits."""

import csv
import re
from collections.abc import Container, Iterable, Iterator
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
_NATIVE_SUFFIXES = (".so", ".pyd", ".dylib", ".dll")
_ELF = b"\x7fELF"
_MACH_O = frozenset(
    bytes.fromhex(magic) for magic in ("feedface", "feedfacf", "cefaedfe", "cffaedfe")
)
_FAT_MACH_O = b"\xca\xfe\xba\xbe"
_MOST_MACHINES = 30
"""Of a Mach-O file for several; where their number stands, Java's classes have a larger one."""
_PE, _PE_OFFSET = b"PE\0\0", 0x3C
_ARCHIVE = b"!<arch>\n"
_HEAD = 4096
# In uv's words of 0.13.
_REFUSED = re.compile(r"built wheel `([^`-]+)-[^`]*` is not compatible with the target")


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


def says_pure(wheel: str) -> bool:
    """Whether the WHEEL of a distribution says that it is the same one for every platform.

    https://packaging.python.org/en/latest/specifications/binary-distribution-format/
    """
    lines = wheel.lower().splitlines()
    said = [(key.strip(), value.strip()) for key, _, value in (x.partition(":") for x in lines)]
    tags = [value for key, value in said if key == "tag"]
    return ("root-is-purelib", "true") in said and all(tag.endswith("-any") for tag in tags)


def is_native_name(path: str) -> bool:
    """Whether a file is called as compiled code is, for whatever platform."""
    name = path.rpartition("/")[2]
    return name.endswith(_NATIVE_SUFFIXES) or ".so." in name


def native_builds(venv: Path, names: Container[str] | None = None) -> dict[str, str]:
    """Distributions that are not provably the same for every platform.

    Args:
        venv: where they are installed.
        names: of those to look at, normalised; all of them when None.

    Returns:
        What shows it, in few words, by name.
    """
    found: dict[str, str] = {}
    for info in sorted(venv.glob("lib/python*/site-packages/*.dist-info")):
        name = canonicalize_name(info.stem.rpartition("-")[0])
        if (names is None or name in names) and (evidence := _evidence(info)):
            found[name] = evidence
    return found


def _evidence(info: Path) -> str | None:
    native = next(filter(_is_native, _installed(info)), None)
    if native is not None:
        return f"what is built of it here holds {native.name}"
    wheel = info / "WHEEL"
    if wheel.is_file() and says_pure(wheel.read_text("utf-8", errors="replace")):
        return None
    platforms = sorted({tag.platform for tag in _installed_tags(wheel)} - {"any"})
    return f"its build is for {', '.join(platforms) or 'this machine'}, as it says"


def built_for_here(words: str) -> dict[str, str]:
    """What uv built and then refused, as it is not for the target, with the sign, by name."""
    return {
        canonicalize_name(name): "what is built of it here is for this machine"
        for name in _REFUSED.findall(words)
    }


def _installed(info: Path) -> Iterator[Path]:
    record = info / "RECORD"
    if record.is_file():
        with record.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
            yield from (info.parent / row[0] for row in csv.reader(file) if row)


def _is_native(path: Path) -> bool:
    if is_native_name(path.name):
        return True
    if not path.is_file():
        return False
    with path.open("rb") as file:
        head = file.read(_HEAD)
    at = int.from_bytes(head[_PE_OFFSET : _PE_OFFSET + 4], "little")
    return (
        head.startswith((_ELF, _ARCHIVE))
        or head[:4] in _MACH_O
        or (head.startswith(_FAT_MACH_O) and int.from_bytes(head[4:8], "big") < _MOST_MACHINES)
        or (head.startswith(b"MZ") and head[at : at + 4] == _PE)
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
