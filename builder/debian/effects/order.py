"""The order in which dpkg would configure packages."""

import re
from collections.abc import Iterator, Mapping, Sequence

from builder.debian.unpack.deb import Deb

# What the first stage of debootstrap configures first: accounts and directories for the rest.
_FIRST = ("base-passwd", "base-files")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")


def in_order(debs: Sequence[Deb]) -> tuple[Deb, ...]:
    """Packages after those they depend on, otherwise by name; circles are cut at the first name."""
    by_name = {deb.name: deb for deb in sorted(debs, key=lambda deb: deb.name)}
    providers = _providers(by_name)
    ordered: dict[str, Deb] = {}
    started: set[str] = set()

    def visit(name: str) -> None:
        if name in started:
            return
        started.add(name)
        for needed in _needs(by_name[name]):
            for provider in providers.get(needed, ()):
                visit(provider)
        ordered[name] = by_name[name]

    for name in (*(name for name in _FIRST if name in by_name), *by_name):
        if name in _FIRST:
            started.add(name)
            ordered[name] = by_name[name]
        else:
            visit(name)
    return tuple(ordered.values())


def _providers(by_name: Mapping[str, Deb]) -> Mapping[str, list[str]]:
    providers = {name: [name] for name in by_name}
    for name, deb in by_name.items():
        for provided in _names(deb.control.get("Provides", "")):
            if provided not in by_name:
                providers.setdefault(provided, []).append(name)
    return providers


def _needs(deb: Deb) -> Iterator[str]:
    for field in ("Pre-Depends", "Depends"):
        yield from _names(deb.control.get(field, ""))


def _names(relations: str) -> Iterator[str]:
    for relation in re.split(r"[,|]", relations):
        if found := _NAME.match(relation.strip()):
            yield found[0]
