"""What dpkg keeps of the files in a root: whose they are, and what an administrator changed."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from builder.debian.control import parse_paragraphs
from builder.debian.database.installed import ABSENT, STATUS
from builder.debian.database.instances import Instance, is_replaced
from builder.debian.package import Package
from builder.debian.root import Root
from layers.entries import Owner

INFO = "var/lib/dpkg/info"
DIVERSIONS = "var/lib/dpkg/diversions"
OVERRIDES = "var/lib/dpkg/statoverride"
_OVERRIDE = re.compile(r"(\S+) (\S+) ([0-7]{1,4}) /(.+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """The mode and owner that an administrator wants for a path.

    https://manpages.debian.org/dpkg-statoverride.1
    """

    mode: int
    owner: Owner


@dataclass(frozen=True, slots=True, kw_only=True)
class DpkgFiles:
    """The root's dpkg database, as far as it is about files.

    Attributes:
        packages: those that the database knows, with those of which only configuration is left.
        lists: the path of a package's list and what stands in it, without leading slashes.
        conffiles: the paths of each package.
        diversions: path to where it goes instead, and the package that may still use it; ``:``
            for none. https://manpages.debian.org/dpkg-divert.1
        overrides: by path.
        users: numbers by name.
        groups: numbers by name.
    """

    packages: Mapping[Instance, Package]
    lists: Mapping[Instance, tuple[str, tuple[str, ...]]]
    conffiles: Mapping[Instance, frozenset[str]]
    diversions: Mapping[str, tuple[str, str]]
    overrides: Mapping[str, Override]
    users: Mapping[str, int]
    groups: Mapping[str, int]

    def instance(self, name: str) -> Instance:
        """Whose file of the database ``NAME`` or ``NAME:ARCHITECTURE`` is.

        Only packages that share their files have their architecture there.
        """
        plain, _, architecture = name.partition(":")
        if not architecture:
            found = (known for known in self.packages if known[0] == plain)
            architecture = min(found, default=(plain, ""))[1]
        return plain, architecture

    def is_installed(self, instance: Instance) -> bool:
        """Whether more than the configuration of a package is there."""
        package = self.packages.get(instance)
        state = package.fields.get("Status", "").split() if package else ()
        return package is not None and not ABSENT.intersection(state)

    def conffiles_before(self, new: Mapping[str, str]) -> frozenset[str]:
        """The configuration files of the packages that others take the place of.

        Args:
            new: architectures of those others, by name.
        """
        found = (paths for old, paths in self.conffiles.items() if is_replaced(old, new))
        return frozenset().union(*found)

    def diverted(self, path: str, package: str) -> str:
        """Where a package's file goes."""
        to, owner = self.diversions.get(path, (path, package))
        return path if owner == package else to

    def owner(self, user: str, group: str, numbers: Owner) -> Owner:
        """A member's owner in this root: as with dpkg, a name that is known here counts."""
        return Owner(self.users.get(user, numbers.uid), self.groups.get(group, numbers.gid))


def read_dpkg_files(root: Root) -> DpkgFiles:
    """Read the database of a root; everything is empty where there is none.

    Raises:
        BaseError: the root's symbolic links run in a circle.
    """
    packages = _packages(root)
    single = dict(sorted(packages, reverse=True))
    lists: dict[Instance, tuple[str, tuple[str, ...]]] = {}
    conffiles: dict[Instance, frozenset[str]] = {}
    for path, content in root.below(INFO).items():
        stem, _, kind = path.rpartition("/")[2].rpartition(".")
        name, _, architecture = stem.partition(":")
        instance = name, architecture or single.get(name, "")
        if kind == "list":
            lists[instance] = (path, tuple(_paths(content)))
        elif kind == "conffiles":
            conffiles[instance] = frozenset(_paths(content))
    users, groups = _numbers(root.files.passwd), _numbers(root.files.group)
    return DpkgFiles(
        packages=packages,
        lists=lists,
        conffiles=conffiles,
        diversions=_diversions(root),
        overrides=_overrides(root, users, groups),
        users=users,
        groups=groups,
    )


def _packages(root: Root) -> dict[Instance, Package]:
    return {
        (fields["Package"], fields.get("Architecture", "")): Package(fields=fields)
        for fields in parse_paragraphs(root.text(STATUS))
        if "Package" in fields and "Version" in fields
    }


def _paths(content: bytes) -> Iterator[str]:
    for line in _lines(content):
        if line.startswith("/") and line != "/.":
            yield line[1:]


def _lines(content: bytes) -> list[str]:
    return content.decode("utf-8", "surrogateescape").split("\n")


def _diversions(root: Root) -> dict[str, tuple[str, str]]:
    return parse_diversions(root.text(DIVERSIONS))


def parse_diversions(text: str) -> dict[str, tuple[str, str]]:
    """A list of diversions, as ``DpkgFiles`` has them."""
    lines = text.split("\n")
    triples = zip(lines[0::3], lines[1::3], lines[2::3], strict=False)
    return {path.lstrip("/"): (to.lstrip("/"), package) for path, to, package in triples}


def _overrides(
    root: Root, users: Mapping[str, int], groups: Mapping[str, int]
) -> dict[str, Override]:
    found = {}
    for line in root.text(OVERRIDES).split("\n"):
        if override := _OVERRIDE.fullmatch(line):
            uid, gid = _number(override[1], users), _number(override[2], groups)
            if uid is not None and gid is not None:
                found[override[4]] = Override(mode=int(override[3], 8), owner=Owner(uid, gid))
    return found


def _number(name: str, known: Mapping[str, int]) -> int | None:
    return int(name[1:]) if name.startswith("#") and name[1:].isdigit() else known.get(name)


def _numbers(accounts: bytes) -> dict[str, int]:
    """Name to number, of /etc/passwd or /etc/group: both have them first and third."""
    found: dict[str, int] = {}
    for line in _lines(accounts):
        fields = line.split(":")
        if len(fields) > 2 and fields[2].isdigit():  # noqa: PLR2004 - the third field
            found.setdefault(fields[0], int(fields[2]))
    return found
