"""Which packages are needed for those that are asked for.

The answer is that of ``apt-get install --no-install-recommends`` (apt 2.6), as long as apt would
remove nothing: what is installed may be upgraded, and is never removed.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from builder.debian.database.installed import Installed
from builder.debian.package import Package, PackageIndex
from builder.debian.resolve.explain import explain
from builder.debian.resolve.marking import Marking
from builder.debian.resolve.relations import mentions
from builder.debian.resolve.selection import Selection
from builder.debian.versions import compare
from builder.errors import PackageError

_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]*")
_REQUEST = re.compile(r"(?P<name>[^=]*)(?:=(?P<version>[A-Za-z0-9.+:~-]+))?")
_ROUNDS = 20
"""How often is mended what broke; apt has the same patience."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What has to be installed.

    Attributes:
        install: new packages and upgrades, by name.
        requested: names of the packages that were asked for, in order, a virtual one's provider
            in its place.
    """

    install: tuple[Package, ...]
    requested: tuple[str, ...]


def resolve(
    wanted: Sequence[str],
    *,
    index: PackageIndex,
    installed: Installed,
    architecture: str,
    assumed: Collection[str] = (),
) -> Resolution:
    """Find the packages that have to be installed.

    Args:
        wanted: ``NAME`` or ``NAME=VERSION``; a virtual package's name when one package provides it.
        index: what there is to choose from.
        installed: what the root has.
        architecture: of the root: ``amd64``.
        assumed: names of packages that count as there, in whatever version is needed.

    Raises:
        PackageError: a package is not known, or they cannot be installed together.
    """
    selection = Selection(
        index=index, installed=installed, architecture=architecture, assumed=assumed
    )
    marking = Marking(selection)
    requested = tuple(sorted({_request(text, selection) for text in wanted}))
    for name in requested:
        selection.settled.add(name)
        marking.mark(name, follow=False, requested=True)
    for name in requested:
        marking.mark(name, requested=True)
    _mend(selection, marking)
    needed = _needed(selection, requested)
    _check(selection, requested, needed)
    _check_foreign(selection, needed)
    return Resolution(
        install=tuple(selection.chosen[name] for name in sorted(needed)),
        requested=requested,
    )


def _request(text: str, selection: Selection) -> str:
    """The name of the package that is meant; the version that is asked for is its candidate."""
    found = _REQUEST.fullmatch(text)
    if found is None or not _NAME.fullmatch(found["name"]):
        raise PackageError(
            f"{text!r} is not a package to install; expected NAME or NAME=VERSION",
            hint="architectures, /suites, patterns and removals are not for images",
        )
    name = _real(found["name"], selection)
    if found["version"] is not None:
        selection.set_candidate(name, _version(name, found["version"], selection))
    return name


def _real(name: str, selection: Selection) -> str:
    if selection.candidate(name) is not None:
        return name
    offered = [*selection.index.providers(name), *selection.installed.providers(name)]
    providers = sorted({package.name for package in offered})
    if len(providers) > 1:
        raise PackageError(
            f"{name} is a virtual package: {', '.join(providers)} provide it",
            hint="ask for one of them",
        )
    if not providers:
        close = get_close_matches(name, [*selection.index.names()], n=3)
        raise PackageError(
            f"{name}: the archive has no such package",
            hint=f"nearest: {', '.join(close)}" if close else None,
        )
    return providers[0]


def _version(name: str, version: str, selection: Selection) -> Package:
    now = selection.now(name)
    offered = selection.index.versions(name)
    for package in [now, *offered] if now else offered:
        if compare(package.version, version) == 0:
            return package
    known = ", ".join(package.version for package in offered)
    raise PackageError(f"{name} {version} is not available; the archive has {known or 'none'}")


def _mend(selection: Selection, marking: Marking) -> None:
    """Upgrade what is installed and broken by what was chosen, and choose anew what was undone."""
    for _ in range(_ROUNDS):
        broken = [name for name in _planned(selection) if _is_broken_by_us(name, selection)]
        before = dict(selection.chosen)
        for name in broken:
            marking.mark(name)
        if before.keys() == selection.chosen.keys():
            return


def _check(selection: Selection, requested: Sequence[str], needed: Collection[str]) -> None:
    there = sorted({*selection.installed.packages, *needed} - set(requested))
    for name in (*requested, *there):
        if selection.planned(name) is None or _is_broken_by_us(name, selection):
            raise explain(name, selection, requested)


def _check_foreign(selection: Selection, needed: Collection[str]) -> None:
    """Packages that share files with those of other architectures have one version for all."""
    for package in selection.installed.foreign:
        ours = selection.chosen.get(package.name) if package.name in needed else None
        if ours and ours.fields.get("Multi-Arch") == "same" and ours.version != package.version:
            raise PackageError(
                f"cannot install {ours}: the root has {package} for {package.architecture}, "
                "and both architectures must have the same version"
            )


def _is_broken_by_us(name: str, selection: Selection) -> bool:
    """Whether a package is broken that was not so from the beginning."""
    if not selection.is_broken(name):
        return False
    now = selection.now(name)
    return name in selection.chosen or now is None or selection.is_whole(now, selection.now)


def _planned(selection: Selection) -> list[str]:
    return sorted({*selection.installed.packages, *selection.chosen})


def _needed(selection: Selection, requested: Sequence[str]) -> set[str]:
    """Those chosen that are of use: what was chosen for a package that was given up is not."""
    queue = [*requested, *selection.installed.packages]
    seen = set(queue)
    while queue:
        for name in _mentioned(queue.pop(), selection):
            if name not in seen:
                seen.add(name)
                queue.append(name)
    return {name for name in selection.chosen if name in seen}


def _mentioned(name: str, selection: Selection) -> Iterator[str]:
    package = selection.planned(name)
    if package is None:
        return
    for relation in mentions(package):
        for other in selection.fitting(relation, selection.planned):
            yield other.name
