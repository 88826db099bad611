"""Which Debian packages have the shared libraries that a program needs."""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from builder.base.cpython import Needs
from builder.debian.package import Package, PackageIndex, candidate
from builder.errors import BaseError

_PLAIN = re.compile(r"(?P<name>.+)\.so\.(?P<version>.+)")
_RELEASED = re.compile(r"(?P<name>.+)-(?P<version>[\d.]+)\.so")
_PRIORITIES = ("required", "important", "standard", "optional")
_HINT = "uv python install {minor}, where its downloads can be reached, gives one that needs less"


class Contents(Protocol):
    """Knows which packages have a file."""

    def contents_of(self, names: Collection[str]) -> Mapping[str, Sequence[str]]:
        """Packages by the last component of the paths of their files."""
        ...


def sonames(needs: Mapping[str, Needs]) -> list[str]:
    """All that is needed, each once, in order."""
    return sorted({soname for need in needs.values() for soname in need.sonames})


def likely_package(soname: str, index: PackageIndex) -> str | None:
    """The package that has a library, by the rule that they are named by; None: not by that rule.

    https://www.debian.org/doc/debian-policy/ch-sharedlibs.html#run-time-shared-libraries
    """
    found = _PLAIN.fullmatch(soname) or _RELEASED.fullmatch(soname)
    if found is None:
        return None
    dash = "-" if found["name"][-1].isdigit() and _PLAIN.fullmatch(soname) else ""
    name = f"{found['name']}{dash}{found['version']}".lower().replace("_", "-")
    # Renamed in trixie, when time_t grew: https://wiki.debian.org/ReleaseGoals/64bit-time
    return next((found for found in (name, f"{name}t64") if index.versions(found)), None)


def search(
    missing: Mapping[str, str], archive: Contents, index: PackageIndex, python: str
) -> dict[str, str]:
    """Look libraries up in the archive's own list of files.

    Args:
        missing: soname to the in-image path of what needs it.
        archive: has the list.
        index: what there is to choose from.
        python: the version that needs them, for the message.

    Returns:
        The package for each soname.

    Raises:
        BaseError: no package has one of them.
        ArchiveError: the list cannot be had.
    """
    found = shipping_packages(missing, archive, index)
    for soname, path in sorted(missing.items()):
        if soname not in found:
            raise BaseError(
                f"/{path} of Python {python} needs {soname}, and no package of the archive has it",
                hint=_HINT.format(minor=".".join(python.split(".")[:2])),
            )
    return found


def shipping_packages(
    sonames: Collection[str], archive: Contents, index: PackageIndex
) -> dict[str, str]:
    """The package for each library that one has, by the archive's own list of files.

    Raises:
        ArchiveError: the list cannot be had.
    """
    listed = archive.contents_of(set(sonames))
    found = {}
    for soname in sorted(sonames):
        offered = [p for name in listed.get(soname, ()) if (p := candidate(index.versions(name)))]
        if offered:
            found[soname] = min(offered, key=_oddness).name
    return found


def _oddness(package: Package) -> tuple[int, int, str]:
    """How unlikely it is that a package is the library's own, and not one that has a copy."""
    priority = package.fields.get("Priority", "")
    place = _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)
    return place, len(package.name), package.name


def check_glibc(needs: Mapping[str, Needs], version: tuple[int, int], python: str) -> None:
    """Make sure that the base's C library has the symbols that Python was linked with.

    Raises:
        BaseError: it is too old for them.
    """
    for path, need in sorted(needs.items()):
        if need.glibc > version:
            raise BaseError(
                f"/{path} of Python {python} needs glibc {need.glibc[0]}.{need.glibc[1]}, "
                f"the base has {version[0]}.{version[1]}: it was built on a newer system",
                hint=_HINT.format(minor=".".join(python.split(".")[:2])),
            )
