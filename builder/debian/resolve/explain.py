"""Why packages cannot be installed, told along the chain that leads there."""

from collections.abc import Sequence

from builder.debian.package import Package
from builder.debian.resolve.relations import Alternatives, Relation
from builder.debian.resolve.selection import Selection
from builder.errors import PackageError

_ARROW = " -> "


def explain(name: str, selection: Selection, requested: Sequence[str]) -> PackageError:
    """The error for a package that cannot be installed, or would be broken.

    Args:
        name: of the package.
        selection: in which it is missing or broken.
        requested: what was asked for.
    """
    chain = _way_to(name, selection, requested)
    end = _descend(selection.planned(name) or selection.offered(name), selection, chain)
    removal = "conflicts with" in end
    return PackageError(
        f"cannot install {', '.join(requested)}: {_ARROW.join(chain)}: {end}",
        hint="apt might remove packages to get on; here nothing is removed" if removal else None,
    )


def _way_to(name: str, selection: Selection, requested: Sequence[str]) -> list[str]:
    """From what was asked for to a package, each with the relation that led to it."""
    ways: dict[str, list[str]] = {start: [start] for start in requested}
    queue = list(ways)
    for start in queue:
        package = selection.planned(start)
        if start == name or package is None:
            continue
        for alternatives in selection.relations(package).depends:
            for relation in alternatives:
                for other in selection.fitting(relation, selection.planned):
                    if other.name not in ways:
                        ways[other.name] = [*ways[start], str(relation)]
                        queue.append(other.name)
    return ways.get(name, [name])


def _descend(package: Package | None, selection: Selection, chain: list[str]) -> str:
    """Follow what is missing to where it ends; the chain grows on the way."""
    seen: set[str] = set()
    while package is not None and package.name not in seen:
        seen.add(package.name)
        unmet = _unmet(package, selection)
        if unmet is None:
            return _clash(package, selection)
        chain.append(" | ".join(map(str, unmet)))
        following = _offered(unmet, selection)
        if following is None:
            return "; ".join(_absence(relation, selection) for relation in unmet)
        package = following
    return "it needs itself" if package else "not available"


def _unmet(package: Package, selection: Selection) -> Alternatives | None:
    for alternatives in selection.relations(package).depends:
        if not selection.is_met(alternatives, selection.planned):
            return alternatives
    return None


def _offered(alternatives: Alternatives, selection: Selection) -> Package | None:
    """What would meet a need, had it not been given up; its reason may lie deeper."""
    for relation in alternatives:
        for package in selection.fitting(relation, selection.offered):
            return package
    return None


def _clash(package: Package, selection: Selection) -> str:
    """What a package cannot stand beside, when it lacks nothing."""
    for name in sorted({*selection.installed.packages, *selection.chosen}):
        other = selection.planned(name)
        if other is None or name == package.name:
            continue
        for one, relation in _conflicts(package, other, selection):
            where = "chosen" if name in selection.chosen else "installed"
            says = "" if one is package else f" ({one.name} says so)"
            return f"{package} conflicts with {other}, which is {where}, by {relation}{says}"
    reason = selection.refused.get(package.name, "was given up for another package")
    return f"{package} {reason}"


def _conflicts(
    package: Package, other: Package, selection: Selection
) -> list[tuple[Package, Relation]]:
    pairs = ((package, other), (other, package))
    return [
        (one, relation)
        for one, another in pairs
        for relation in selection.relations(one).conflicts
        if selection.fits(another, relation)
    ]


def _absence(relation: Relation, selection: Selection) -> str:
    """What the archive has instead of what is needed."""
    versions = [package.version for package in selection.index.versions(relation.name)]
    now = selection.now(relation.name)
    if now is not None and not versions:
        return f"{relation.name} is installed as {now.version}, and the archive has no other"
    if versions:
        return f"the archive has {relation.name} {', '.join(versions)}"
    providers = ", ".join(str(one) for one in selection.index.providers(relation.name))
    if providers:
        return f"{relation.name} is provided by {providers} only"
    return "not available"
