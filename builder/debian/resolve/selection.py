"""What a root would have: its own packages and those chosen so far, and what fits together.

A package has three versions here: the one that is there now, the one that is planned, and the
candidate, which is what it would get were it chosen.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from builder.debian.database.installed import Installed
from builder.debian.package import Package, PackageIndex, candidate
from builder.debian.resolve.relations import (
    Alternatives,
    Relation,
    conflicts,
    depends,
    provides,
    source,
)
from builder.debian.versions import compare

type Pick = Callable[[str], Package | None]
"""Gives one of the three versions of a package, by its name."""

type Name = str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relations:
    """The fields of one package, parsed.

    Attributes:
        depends: ``Pre-Depends``, then ``Depends``; without what is assumed.
        conflicts: ``Conflicts``, then ``Breaks``.
        provides: its virtual packages.
    """

    depends: tuple[Alternatives, ...]
    conflicts: tuple[Relation, ...]
    provides: tuple[Relation, ...]


class Selection:
    """The packages of a root, and those that are chosen to be added.

    Args:
        index: what there is to choose from.
        installed: what the root has.
        architecture: of the root.
        assumed: names of packages that count as there, in whatever version is needed.

    Attributes:
        chosen: what is to be installed, by name; an upgrade takes the installed one's place.
        settled: names of packages whose state must not change any more.
        refused: why a package's candidate was given up, by name.
    """

    def __init__(
        self,
        *,
        index: PackageIndex,
        installed: Installed,
        architecture: str,
        assumed: Collection[str] = (),
    ) -> None:
        self.installed = installed
        self.index = index
        self.chosen: dict[Name, Package] = {}
        self.settled: set[Name] = set()
        self.refused: dict[Name, str] = {}
        self._native = {"native", architecture}
        self._assumed = frozenset(assumed)
        self._candidates: dict[Name, Package | None] = {}
        self._relations: dict[tuple[Name, str], Relations] = {}
        self._set: set[Name] = set()

    def now(self, name: str) -> Package | None:
        """The installed version."""
        return self.installed.packages.get(name)

    def planned(self, name: str) -> Package | None:
        """The version that there will be."""
        return self.chosen.get(name) or self.now(name)

    def candidate(self, name: str) -> Package | None:
        """The version it gets when it is chosen: the installed one, unless a newer is offered."""
        if name not in self._candidates:
            self._candidates[name] = self._newest(name)
        return self._candidates[name]

    def set_candidate(self, name: str, package: Package | None) -> None:
        """Give a package another version to get, or none."""
        self._candidates[name] = package
        self._set.add(name)

    def give_up(self, name: str, reason: str) -> None:
        """Keep a package as it is planned now, for good."""
        self.refused.setdefault(name, reason)
        self.set_candidate(name, self.planned(name))

    def relations(self, package: Package) -> Relations:
        """The parsed fields of a package.

        Raises:
            PackageError: one is malformed.
        """
        key = (package.name, package.version)
        if key not in self._relations:
            self._relations[key] = Relations(
                depends=tuple(
                    alternatives
                    for alternatives in depends(package)
                    if not any(relation.name in self._assumed for relation in alternatives)
                ),
                conflicts=conflicts(package),
                provides=provides(package),
            )
        return self._relations[key]

    def fitting(self, relation: Relation, pick: Pick) -> Iterator[Package]:
        """Those of the picked versions that a relation means, the real package first."""
        name = relation.name
        for other in dict.fromkeys((name, *self._providers(name))):
            package = pick(other)
            if package is not None and self.fits(package, relation):
                yield package

    def fits(self, package: Package, relation: Relation) -> bool:
        """Whether a relation means this package, by its name or by what it provides."""
        by_name = package.name == relation.name and self._is_reached(package, relation)
        if by_name and relation.admits(package.version):
            return True
        return any(
            provided.name == relation.name
            and (self._is_reached(package, relation) or provided.qualifier == relation.qualifier)
            and relation.admits(provided.version)
            for provided in self.relations(package).provides
        )

    def is_met(self, alternatives: Iterable[Relation], pick: Pick) -> bool:
        """Whether one of the picked versions is among the alternatives."""
        return any(
            package is not None
            for relation in alternatives
            for package in self.fitting(relation, pick)
        )

    def clashing(self, package: Package, relation: Relation, pick: Pick) -> Iterator[Package]:
        """Those of the picked versions that a package cannot stand beside; never itself."""
        return (other for other in self.fitting(relation, pick) if other.name != package.name)

    def is_whole(self, package: Package, pick: Pick) -> bool:
        """Whether all that a package needs is picked, and nothing that it cannot stand beside."""
        relations = self.relations(package)
        return all(self.is_met(alternatives, pick) for alternatives in relations.depends) and not (
            any(
                True
                for relation in relations.conflicts
                for _ in self.clashing(package, relation, pick)
            )
        )

    def is_broken(self, name: str) -> bool:
        """Whether a package is planned that lacks something, or cannot stand beside another."""
        package = self.planned(name)
        return package is not None and not self.is_whole(package, self.planned)

    @cached_property
    def siblings(self) -> Mapping[tuple[str, str], tuple[Name, ...]]:
        """Installed packages with an upgrade on offer, by its source package and version."""
        found: dict[tuple[str, str], tuple[Name, ...]] = {}
        for name, package in sorted(self.installed.packages.items()):
            candidate = self.candidate(name)
            if candidate is not None and candidate is not package:
                key = source(candidate)
                found[key] = (*found.get(key, ()), name)
        return found

    @cached_property
    def dependents(self) -> Mapping[Name, tuple[tuple[Name, Relation], ...]]:
        """What installed packages need, by the name that is needed: who needs it, and how."""
        found: dict[Name, list[tuple[Name, Relation]]] = {}
        for name, package in sorted(self.installed.packages.items()):
            for alternatives in self.relations(package).depends:
                for relation in alternatives:
                    found.setdefault(relation.name, []).append((name, relation))
        return {name: tuple(pairs) for name, pairs in found.items()}

    def offered(self, name: str) -> Package | None:
        """What the archives would give first, whatever was given up here."""
        return candidate(self.index.versions(name))

    def _newest(self, name: str) -> Package | None:
        now, offered = self.now(name), self.offered(name)
        if now is None or offered is None:
            return now or offered
        return offered if compare(offered.version, now.version) > 0 else now

    def _providers(self, name: str) -> list[Name]:
        offered = {package.name for package in self.index.providers(name)}
        present = {package.name for package in self.installed.providers(name)}
        return sorted(offered | present | self._set)

    def _is_reached(self, package: Package, relation: Relation) -> bool:
        """Whether a relation's qualifier lets it mean this package, or what it provides."""
        if relation.qualifier == "any":
            return package.fields.get("Multi-Arch") == "allowed"
        return relation.qualifier is None or relation.qualifier in self._native
