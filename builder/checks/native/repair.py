"""What to do about libraries that an image lacks: which Debian package has each."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.checks.native.binaries import Binaries, Binary, Trouble

_PLAIN = re.compile(r"[\w.+-]+", re.ASCII)
_FOR_OTHERS = re.compile(
    r"nvidia|cuda|rocm|torch|tensorflow|jax|pyarrow|intel|mkl|onemkl|tbb|openmpi|mpich|impi|lib[a-z]"
)
"""Distributions whose libraries other distributions use: whoever needs them imports them first."""
_FIRST_WORD = re.compile(r"[a-z]*")


def with_packages(troubles: Sequence[Trouble], binaries: Binaries) -> list[Trouble]:
    """Advice for what is missing: all libraries are asked about at once."""
    wanted = {t.about for t in troubles if not t.fix and _PLAIN.fullmatch(t.about)}
    ask = binaries.subject.packages
    known: Mapping[str, str] = ask(wanted) if ask and wanted else {}
    return [trouble if trouble.fix else _mended(trouble, known, binaries) for trouble in troubles]


def _mended(trouble: Trouble, known: Mapping[str, str], binaries: Binaries) -> Trouble:
    if trouble.otherwise and not known.get(trouble.about):
        return trouble.otherwise
    return replace(trouble, fix=_way_to(trouble.about, known, binaries))


def _way_to(soname: str, known: Mapping[str, str], binaries: Binaries) -> str:
    if package := known.get(soname):
        return _add(package, sorted({name for name in known.values() if name}))
    if binaries.target.libc.name == "musl":
        return "choose a base that has it, or a wheel that brings its own"
    if known or not _PLAIN.fullmatch(soname):
        return "no Debian package is known to have it: choose a wheel that brings its own"
    return (
        f"add the Debian package that has it to apt in [tool.builder]: apt-file search {soname} "
        "names it; or choose a wheel that brings its own"
    )


def _add(package: str, packages: Sequence[str]) -> str:
    """The line for this package and all others that are missing: settings have one such line."""
    listed = ", ".join(f'"{name}"' for name in packages)
    also = f", {package}, and what else is missing" if len(packages) > 1 else ""
    return (
        f"add the Debian package that has it{also}: apt = [{listed}] in [tool.builder], "
        f"or apt-get install {' '.join(packages)} in a Dockerfile"
    )


def may_use(needing: Binary, owner: Binary) -> bool:
    """Whether one package may count on another's library.

    Their names tell that they belong together, or that the other one is there for that.
    """
    if owner.part.origin is not Origin.DISTRIBUTION or needing.owner == owner.owner:
        return True
    names = [each.part.distribution.partition(" ")[0].lower() for each in (needing, owner)]
    short, long = sorted(map(_word, names), key=len)
    is_family = bool(short) and long.startswith(short)
    return is_family or _FOR_OTHERS.match(names[1]) is not None


def _word(name: str) -> str:
    found = _FIRST_WORD.match(name)
    return found[0] if found else ""
