"""Diversions that packages add before they are unpacked: they count for all that is unpacked.

https://manpages.debian.org/dpkg-divert.1
"""

from collections.abc import Sequence
from dataclasses import replace

from builder.debian.database.dpkg_files import DIVERSIONS, DpkgFiles, parse_diversions
from builder.debian.database.instances import is_replaced
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.scripts import Subject, follow
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.errors import PackageError

_COMMAND = b"dpkg-divert"


def with_diversions(known: DpkgFiles, debs: Sequence[Deb], root: Root) -> DpkgFiles:
    """The database with the diversions that scripts add.

    Args:
        known: the root's.
        debs: the packages; their ``preinst`` scripts are followed, over the root alone.
        root: what they are laid on.

    Raises:
        PackageError: a file of the root is diverted: it would have to move, and its content is
            not at hand.
    """
    diversions = dict(known.diversions)
    for deb in debs:
        if _COMMAND not in deb.members.get("preinst", b""):
            continue
        for path, diversion in _diversions(deb, known, root).items():
            if diversions.setdefault(path, diversion) != diversion:
                raise PackageError(
                    f"{deb} diverts /{path} to /{diversion[0]}, which is diverted to "
                    f"/{diversions[path][0]} already"
                )
            if path not in known.diversions and root.files.stands(root.files.resolve_parent(path)):
                raise PackageError(
                    f"{deb} diverts /{path} to /{diversion[0]}, and the base has that file: to "
                    f"move files of the base is not supported",
                    hint=f"install {deb.name} in the base image",
                )
    return replace(known, diversions=diversions)


def _diversions(deb: Deb, known: DpkgFiles, root: Root) -> dict[str, tuple[str, str]]:
    tree = MutableRoot(root, {})
    old = next((p for i, p in known.packages.items() if _is_upgraded(deb, known, i)), None)
    arguments = ["upgrade", old.version] if old else ["install"]
    subject = Subject(package=deb.name, architecture=deb.architecture, members=deb.members)
    follow("preinst", arguments, subject, tree)
    return {
        path: diversion
        for path, diversion in parse_diversions(tree.text(DIVERSIONS)).items()
        if known.diversions.get(path) != diversion
    }


def _is_upgraded(deb: Deb, known: DpkgFiles, instance: tuple[str, str]) -> bool:
    return is_replaced(instance, {deb.name: deb.architecture}) and known.is_installed(instance)
