"""Who owns a file that two packages ship.

https://www.debian.org/doc/debian-policy/ch-relationships.html#overwriting-files-and-replacing-packages-replaces
"""

from builder.debian.package import Package
from builder.debian.resolve.relations import parse_relations
from builder.errors import PackageError


def counts(path: str, one: Package, other: Package) -> bool:
    """Whether the file of the first package counts, not that of the other.

    Args:
        path: for the message, without a leading slash.
        one: ships it.
        other: ships it too.

    Raises:
        PackageError: neither says that it replaces the other, or a relationship is malformed.
    """
    if _replaces(one, other):
        return True
    if _replaces(other, one):
        return False
    raise PackageError(
        f"/{path} is in both {one} and {other}, and neither replaces the other",
        hint="these two cannot be installed together",
    )


def _replaces(new: Package, old: Package) -> bool:
    return any(
        relation.name == old.name and relation.admits(old.version)
        for alternatives in parse_relations(new, "Replaces")
        for relation in alternatives
    )
