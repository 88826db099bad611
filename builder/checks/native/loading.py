"""Whether everything that a file needs is found, and offers what is asked of it."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from builder.checks.finding import Severity
from builder.checks.native.binaries import Binaries, Binary, Trouble, is_system
from builder.checks.native.linkage import stale_paths
from builder.checks.native.needing import needing_first
from builder.checks.native.releases import Version, base_with, newest, parse_version
from builder.checks.native.repair import may_use, with_packages
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from builder.checks.native.loader import Load, Missing

_DRIVERS = re.compile(
    r"lib(?:cuda|cudadebugger|nvcuvid|nvoptix|nvidia-[\w-]+|GLX_nvidia|EGL_nvidia)\.so\.\d.*"
)
"""Brought by the container runtime, for the kernel's driver:
https://github.com/NVIDIA/libnvidia-container"""
_OPTIONAL = re.compile(r"/numba/np/ufunc/(?:omp|tbb)pool\.")
"""Modules that their packages try to import, and do without: nothing is said of them."""
_PYTHON = re.compile(r"libpython(\d)\.(\d+)(\w*)\.so.*")


class _Root(NamedTuple):
    """What somebody loads first, and all that comes with it."""

    binary: Binary
    load: Load


def loading_troubles(own: Iterable[Binary], binaries: Binaries) -> list[Trouble]:
    """Load every file that nothing else loads, and tell what is amiss.

    Args:
        own: the files that the image's loader is asked about.
        binaries: all of them.
    """
    chosen = set(map(id, own))
    asked = {path: binary for path, binary in binaries.new.items() if id(binary) in chosen}
    roots = _roots(asked, binaries)
    found = [(root, list(_troubles(root, asked, binaries))) for root in roots]
    served = {root.owner for (root, _), troubles in found if _is_named(root) or not troubles}
    served |= _used_by_others(roots, binaries)
    troubles = [
        trouble if _is_wanted(root, served) else _of_optional(trouble)
        for (root, _), several in found
        for trouble in several
    ]
    told = {(t.binary.path, t.about) for t in troubles if t.severity is Severity.ERROR}
    left = [t for t in troubles if not t.detail or (t.binary.path, t.detail) not in told]
    return with_packages(left, binaries)


def _used_by_others(roots: Iterable[_Root], binaries: Binaries) -> set[tuple[str, str]]:
    """Who has libraries that files of another load."""
    return {
        loaded.owner
        for root in roots
        for path in root.load.order
        if (loaded := binaries.new.get(path)) and loaded.owner != root.binary.owner
    }


def _is_named(root: Binary) -> bool:
    """Whether somebody asks for it by its name: an ``import`` statement, or the command line."""
    is_command = root.is_program and root.path.split("/")[-2:-1] == ["bin"]
    return is_command or root.extension is not None


def _is_wanted(root: Binary, served: set[tuple[str, str]]) -> bool:
    """Whether the application would miss it.

    Of a package that has modules, or other files that load well, a library or program that nothing
    else loads may be an optional part: a plug-in for hardware that most machines do not have.
    """
    if is_system(root):
        return False
    return _is_named(root) or root.part.origin is Origin.PROJECT or root.owner not in served


def _of_optional(trouble: Trouble) -> Trouble:
    if trouble.fix:
        return replace(trouble, severity=Severity.WARNING)
    # No archive is asked about what most applications do without.
    fix = "nothing, unless the application uses that part; then add Debian packages to apt"
    about = "optional parts"
    return replace(trouble, severity=Severity.WARNING, about=about, fix=fix, detail=trouble.about)


def _roots(own: Mapping[str, Binary], binaries: Binaries) -> list[_Root]:
    program = binaries.interpreter
    roots, others = [], []
    covered: set[str] = set()
    for path, binary in own.items():
        if _OPTIONAL.search(path):
            continue
        if binary.is_program or binary.extension is not None:
            load = binaries.loader.load(path, program=None if binary.is_program else program)
            roots.append(_Root(binary, load))
            covered |= set(load.order)
        else:
            others.append(path)
    # Who loads others comes before them, and of those that load each other one is enough.
    for path in needing_first(others, binaries.everything):
        if path not in covered:
            roots.append(_Root(own[path], binaries.loader.load(path, program=program)))
            covered |= set(roots[-1].load.order)
    return roots


def _troubles(root: _Root, own: Mapping[str, Binary], binaries: Binaries) -> Iterator[Trouble]:
    interpreter = root.binary.elf.interpreter
    if root.binary.is_program and interpreter and not binaries.stands(interpreter):
        yield _absent(root.binary, interpreter, binaries)
    for missing in root.load.missing:
        binary = own.get(missing.path)
        if binary is not None and not _DRIVERS.fullmatch(missing.soname):
            yield _missing(binary, missing, binaries)
    if binaries.target.libc.name == "glibc":
        for binary in (own[path] for path in root.load.order if path in own):
            for soname in binary.elf.needed_versions:
                provider = root.load.names.get(soname)
                if provider and (lacking := _lacking(binary, soname, provider, binaries)):
                    yield _too_old(binary, soname, provider, lacking, binaries)


def _missing(binary: Binary, missing: Missing, binaries: Binaries) -> Trouble:
    soname = missing.soname
    if python := _PYTHON.fullmatch(soname):
        return _missing_python(binary, soname, f"{python[1]}.{python[2]}{python[3]}", binaries)
    brought = binaries.owner_of(soname, binary)
    if brought is None:
        return _absent(binary, soname, binaries)
    if brought.part is binary.part and (stale := stale_paths(binary, binaries)):
        return _misplaced(binary, brought, soname, stale)
    loaded_before = Trouble(
        check="missing-library",
        about="loaded before",
        severity=Severity.WARNING,
        message=f"needs {soname}, which its search path does not lead to; /{brought.path} is "
        "found only if something has loaded it before",
        fix="nothing, if its package imports or loads that first, as many do; --test proves it",
        binary=binary,
        detail=soname,
    )
    return loaded_before if may_use(binary, brought) else _borrowed(loaded_before, brought)


def _borrowed(loaded_before: Trouble, brought: Binary) -> Trouble:
    """What Debian has too is not looked for in another's package; what it has not, may be."""
    soname = loaded_before.detail
    return replace(
        loaded_before,
        about=soname,
        severity=Severity.ERROR,
        message=f"needs {soname}, which its search path does not lead to; /{brought.path} is of "
        f"{brought.part.distribution}, for itself",
        fix="",
        detail="",
        otherwise=loaded_before,
    )


def _misplaced(binary: Binary, brought: Binary, soname: str, stale: Sequence[str]) -> Trouble:
    """Its own library is there, and it looks for it where the machine that built it had it."""
    return Trouble(
        check="missing-library",
        about=soname,
        severity=Severity.ERROR,
        message=f"needs {soname}, which is in /{brought.path}; it is looked for in "
        f"{', '.join(stale)}, as on the machine that built it",
        fix="a wheel that looks for it beside itself; for one's own: auditwheel repair, "
        "or patchelf --set-rpath '$ORIGIN/...'",
        binary=binary,
    )


def _missing_python(binary: Binary, soname: str, minor: str, binaries: Binaries) -> Trouble:
    own = binaries.target.python.minor
    why = (
        f"the base's Python {own} is linked without such a library"
        if minor == own
        else f"the base has Python {own}"
    )
    return Trouble(
        check="missing-library",
        about=soname,
        severity=Severity.ERROR,
        message=f"needs {soname}, and {why}",
        fix=f"install a build of it for Python {own} that is not linked with libpython, as wheels "
        "on the package index are, or choose a base whose Python has that library",
        binary=binary,
    )


def _absent(binary: Binary, soname: str, binaries: Binaries) -> Trouble:
    message = f"needs {soname}, which is not in the image"
    if stale := stale_paths(binary, binaries):
        message += f"; it is looked for in {', '.join(stale)}, as on the machine that built it"
    return Trouble(
        check="missing-library",
        about=soname,
        severity=Severity.ERROR,
        message=message,
        fix="",
        binary=binary,
    )


def _lacking(binary: Binary, soname: str, provider: str, binaries: Binaries) -> list[str]:
    """Versions of symbols that a library should have and has not."""
    offered = binaries.everything[provider].offered_versions
    wanted = binary.elf.needed_versions[soname] if soname in binary.elf.needed else ()
    # A library without any versions is taken as it is, with a warning.
    return [version for version in wanted if version not in offered] if offered else []


def _too_old(
    binary: Binary, soname: str, provider: str, lacking: list[str], binaries: Binaries
) -> Trouble:
    wanted = newest(lacking) or parse_version(lacking[0])
    offered = newest(binaries.everything[provider].offered_versions, wanted.family)
    has = f"has {offered}" if offered else f"has no {wanted.family}"
    is_glibc = wanted.family == "GLIBC"
    return Trouble(
        check="glibc-too-old" if is_glibc else "missing-symbol-version",
        about=soname,
        severity=Severity.ERROR,
        message=f"needs {wanted} of {soname}, and /{provider} {has}",
        fix=_newer(binary, wanted, binaries),
        binary=binary,
    )


def _newer(binary: Binary, wanted: Version, binaries: Binaries) -> str:
    base = base_with(wanted, binaries.target.python)
    ways = [f"choose a newer base: {base} has it" if base else "choose a base that has it"]
    if binary.part.origin is Origin.DISTRIBUTION:
        glibc = binaries.target.libc
        level = f"manylinux_{glibc.version[0]}_{glibc.version[1]}"
        ways.append(
            f"or a version of {binary.part.distribution} that has a wheel for {level} or older"
        )
    elif binary.part.origin is Origin.PROJECT:
        ways.append("or build it on a system that is no newer than the base")
    return ", ".join(ways)
