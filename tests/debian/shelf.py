"""A small package index in memory, and roots that have some of its packages."""

from collections.abc import Iterable, Sequence

from builder.debian.control import parse_paragraph
from builder.debian.database.installed import Installed, read_installed
from builder.debian.package import Package
from builder.debian.resolve.relations import provides
from builder.debian.root import Root
from builder.debian.versions import sort_key


def package(text: str) -> Package:
    """``name version`` on the first line, fields on the others."""
    first, _, fields = text.strip().partition("\n")
    name, _, version = first.strip().partition(" ")
    lines = "\n".join(line.strip() for line in fields.splitlines())
    defaults = {"Package": name, "Version": version or "1", "Architecture": "amd64"}
    return Package(fields={**defaults, "Priority": "optional", **parse_paragraph(lines)})


class Shelf:
    """A ``PackageIndex`` of these packages."""

    def __init__(self, *texts: str) -> None:
        self._packages: dict[str, list[Package]] = {}
        for one in map(package, texts):
            self._packages.setdefault(one.name, []).append(one)

    def versions(self, name: str) -> Sequence[Package]:
        found = self._packages.get(name, [])
        return sorted(found, key=lambda one: sort_key(one.version), reverse=True)

    def providers(self, name: str) -> Sequence[Package]:
        candidates = [self.versions(one)[0] for one in sorted(self._packages)]
        return [
            one
            for one in candidates
            if one.name != name and any(said.name == name for said in provides(one))
        ]

    def names(self) -> Iterable[str]:
        return self._packages

    def first_mention(self, name: str) -> tuple[int, ...]:
        return ([*self._packages].index(name),)


def status(*texts: str, state: str = "install ok installed") -> bytes:
    """The content of ``var/lib/dpkg/status``."""
    paragraphs = []
    for one in map(package, texts):
        fields = {"Status": state, **one.fields}
        paragraphs.append("".join(f"{key}: {value}\n" for key, value in fields.items()))
    return "\n".join(paragraphs).encode()


def root_with(*texts: str) -> Installed:
    """What a root has that these packages are installed in."""
    return read_installed(Root(contents={"var/lib/dpkg/status": status(*texts)}), "amd64")
