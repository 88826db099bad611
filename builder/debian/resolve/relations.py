"""What packages say of each other: their fields, parsed.

https://www.debian.org/doc/debian-policy/ch-relationships.html
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from builder.debian.package import Package
from builder.debian.versions import satisfies
from builder.errors import PackageError

# Restrictions to architectures and build profiles stand in source packages only.
_RELATION = re.compile(
    r"""\s*(?P<name>[A-Za-z0-9][A-Za-z0-9+._-]*)
        (?::(?P<qualifier>[a-z0-9][a-z0-9-]*))?
        \s*(?:\(\s*(?P<operator><<|<=|=|>=|>>|<|>)\s*(?P<version>[A-Za-z0-9.+:~-]+)\s*\))?\s*""",
    re.VERBOSE | re.ASCII,
)
# dpkg still reads these two of old, as what they once meant.
_OLD_OPERATORS = {"<": "<=", ">": ">="}
_SOURCE = re.compile(r"(?P<name>\S+)(?:\s*\((?P<version>[^()]*)\))?\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """One package that is named in a relationship field.

    Attributes:
        name: of a package, real or virtual.
        qualifier: what follows its colon: ``any``, ``native`` or an architecture.
        operator: ``<<``, ``<=``, ``=``, ``>=`` or ``>>``; None when every version will do.
        version: what the operator compares with.
    """

    name: str
    qualifier: str | None = None
    operator: str | None = None
    version: str | None = None

    def __str__(self) -> str:
        name = f"{self.name}:{self.qualifier}" if self.qualifier else self.name
        return f"{name} ({self.operator} {self.version})" if self.operator else name

    def admits(self, version: str | None) -> bool:
        """Whether a version will do; None is a virtual package that has none.

        Raises:
            PackageError: it is no version.
        """
        if self.operator is None or self.version is None:
            return True
        return version is not None and satisfies(version, self.operator, self.version)


type Alternatives = tuple[Relation, ...]
"""What stands between two commas: one of these is enough."""


def parse_relations(package: Package, field: str) -> tuple[Alternatives, ...]:
    """A field's value; empty when the package does not have the field.

    Raises:
        PackageError: it is not what Debian's policy says.
    """
    value = package.fields.get(field, "")
    groups = [group for group in value.split(",") if not group.isspace() and group]
    return tuple(
        tuple(_parsed(item, package, field) for item in group.split("|")) for group in groups
    )


def depends(package: Package) -> tuple[Alternatives, ...]:
    """What it cannot do without: first what must be configured before it is unpacked.

    Raises:
        PackageError: a field is malformed.
    """
    return parse_relations(package, "Pre-Depends") + parse_relations(package, "Depends")


def conflicts(package: Package) -> tuple[Relation, ...]:
    """What it cannot stand beside, by ``Conflicts`` and ``Breaks``.

    Raises:
        PackageError: a field is malformed.
    """
    return tuple(_without_alternatives(package, "Conflicts", "Breaks"))


def provides(package: Package) -> tuple[Relation, ...]:
    """The virtual packages it provides; those of a version say ``=``.

    Raises:
        PackageError: the field is malformed.
    """
    return tuple(
        relation
        for relation in _without_alternatives(package, "Provides")
        if relation.operator in {None, "="}
    )


def mentions(package: Package) -> Iterator[Relation]:
    """Whatever it would like beside it, needed or not.

    Raises:
        PackageError: a field is malformed.
    """
    for field in ("Pre-Depends", "Depends", "Recommends", "Suggests"):
        for alternatives in parse_relations(package, field):
            yield from alternatives


def source(package: Package) -> tuple[str, str]:
    """The source package that it was built from: name and version."""
    found = _SOURCE.fullmatch(package.fields.get("Source", package.name))
    if found is None:
        return package.name, package.version
    return found["name"], found["version"] or package.version


def _without_alternatives(package: Package, *fields: str) -> Iterator[Relation]:
    for field in fields:
        for alternatives in parse_relations(package, field):
            if len(alternatives) > 1:
                raise _malformed(package, field, " | ".join(map(str, alternatives)))
            yield from alternatives


def _parsed(text: str, package: Package, field: str) -> Relation:
    found = _RELATION.fullmatch(text)
    if found is None:
        raise _malformed(package, field, text.strip())
    name, qualifier, operator, version = found.groups()
    operator = _OLD_OPERATORS.get(operator, operator)
    return Relation(name=name, qualifier=qualifier, operator=operator, version=version)


def _malformed(package: Package, field: str, text: str) -> PackageError:
    return PackageError(
        f"{package.name} {package.version}: {field} has {text!r}, "
        "which names no package as Debian's policy says"
    )
