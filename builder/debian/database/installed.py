"""What is installed in a root, as its dpkg database says.

``var/lib/dpkg/status`` is dpkg's own; images that were composed without it keep one file for each
package in ``var/lib/dpkg/status.d``.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from builder.debian.control import parse_paragraphs
from builder.debian.package import Package
from builder.debian.resolve.relations import provides
from builder.debian.root import Root
from builder.errors import PackageError

type DatabaseKind = Literal["status", "status.d"]

STATUS = "var/lib/dpkg/status"
STATUS_DIRECTORY = "var/lib/dpkg/status.d"
_STATUS = re.compile(r"(\S+)\s+(\S+)\s+(\S+)")
ABSENT = frozenset({"not-installed", "config-files"})
"""States of packages whose files are not there."""
# With triggers pending, a package works, and is upgraded, as any other.
_PRESENT = frozenset({"installed", "triggers-awaited", "triggers-pending"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The packages of a root.

    Attributes:
        packages: those of the architecture and of ``all``, by name.
        foreign: those of other architectures.
        held: names of those that must stay as they are.
        kind: how the root keeps its list; None when it has none.
        status: the content of ``var/lib/dpkg/status``; empty when there is none.
    """

    packages: Mapping[str, Package] = field(default_factory=dict)
    foreign: tuple[Package, ...] = ()
    held: frozenset[str] = frozenset()
    kind: DatabaseKind | None = None
    status: bytes = b""
    _providers: Mapping[str, Sequence[Package]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[Package]] = {}
        for _, package in sorted(self.packages.items()):
            for name in sorted({relation.name for relation in provides(package)}):
                found.setdefault(name, []).append(package)
        object.__setattr__(self, "_providers", found)

    def providers(self, name: str) -> Sequence[Package]:
        """Those that say ``Provides: name``, by name; the real package is not among them."""
        return self._providers.get(name, ())


def read_installed(root: Root, architecture: str) -> Installed:
    """Read the dpkg database of a root.

    Args:
        root: the filesystem.
        architecture: the root's own: ``amd64``; packages of others are foreign.

    Raises:
        PackageError: a package is half installed, listed twice, or the list is damaged.
        BaseError: the root's symbolic links run in a circle.
    """
    status = root.read(STATUS)
    singles = {
        path: content
        for path, content in root.below(STATUS_DIRECTORY).items()
        if not path.endswith(".md5sums")
    }
    lists = {STATUS: status, **singles} if status else singles
    packages = [package for path, text in lists.items() for package in _present(path, text)]
    ours = [package for package in packages if package.architecture in {architecture, "all"}]
    others = (package for package in packages if package.architecture not in {architecture, "all"})
    return Installed(
        packages=_by_name(ours),
        foreign=tuple(others),
        held=frozenset(
            package.name for package in ours if package.fields.get("Status", "").startswith("hold")
        ),
        kind=_kind(root, status, singles),
        status=status or b"",
    )


def _kind(root: Root, status: bytes | None, singles: Mapping[str, bytes]) -> DatabaseKind | None:
    if status:
        return "status"
    directory = root.files.resolve(STATUS_DIRECTORY)
    if singles or directory in root.files.directories:
        return "status.d"
    return "status" if status is not None else None


def _present(path: str, content: bytes) -> Iterator[Package]:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise PackageError(f"/{path}: expected UTF-8 text: {error}") from error
    for fields in parse_paragraphs(text):
        package = Package(fields=fields)
        if _is_present(package, path):
            yield package


def _is_present(package: Package, path: str) -> bool:
    """Whether a paragraph is of an installed package; one without a ``Status`` is."""
    fields = package.fields
    name = fields.get("Package")
    state = _STATUS.fullmatch(fields.get("Status", "install ok installed"))
    if not name or state is None:
        raise PackageError(f"/{path}: expected paragraphs of packages with their status: {fields}")
    if state[3] in ABSENT:
        return False
    if state[3] not in _PRESENT or state[2] != "ok":
        raise PackageError(
            f"{name} in the base image is {state[0]!r}: apt installs nothing beside such a package",
            hint="finish its installation in the base image: dpkg --configure -a",
        )
    if "Version" not in fields or "Architecture" not in fields:
        raise PackageError(f"/{path}: {name} has no version or no architecture")
    return True


def _by_name(packages: Iterable[Package]) -> dict[str, Package]:
    found: dict[str, Package] = {}
    for package in packages:
        if found.setdefault(package.name, package) is not package:
            raise PackageError(
                f"{package.name} is installed twice in the base image: "
                f"{found[package.name].version} and {package.version}"
            )
    return found
