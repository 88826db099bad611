"""Whether files are of the right kind at all: machine, Python and C library."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from builder.checks.finding import Severity
from builder.checks.native.binaries import Binaries, Binary, Trouble, is_system
from builder.checks.subject import Origin
from builder.debian.architecture import debian_architecture
from builder.errors import PackageError

if TYPE_CHECKING:
    from collections.abc import Collection

_GCOMPAT = "libgcompat.so.0"
_MUSL = "libc.so"
_MUSL_NAMES = ("libc.musl-", "ld-musl-")
_GLIBC_NAMES = ("libc.so.6", "ld-linux")
_MACHINE = re.compile(
    r"(?<![a-z0-9])(?:amd64|x86(?:_64)?|x64|i[3-6]86|aarch64|arm64|armv?\d?\w{0,2}|ppc64le|s390x)"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)
_LOADED_KINDS = frozenset({"executable", "shared"})


def sorted_out(binaries: Binaries) -> tuple[list[Binary], list[Trouble]]:
    """The files that the image's own loader is asked about, and what is wrong with others.

    Object files, core dumps and programs for other than a computer's processors are neither.
    """
    loadable = [
        binary
        for binary in binaries.new.values()
        if binary.elf.kind in _LOADED_KINDS and binary.elf.architecture is not None
    ]
    own, troubles = _of_machine(loadable, binaries)
    # Wheels for another C library are named so in their modules too: that is told once.
    own, others = _of_libc(own, binaries)
    troubles += others
    own, others = _of_python(own, binaries)
    return own, troubles + others


def _of_machine(found: list[Binary], binaries: Binaries) -> tuple[list[Binary], list[Trouble]]:
    target = binaries.target
    try:
        architecture = debian_architecture(target.platform)
    except PackageError:
        return found, []  # a platform that is not known well enough to be checked
    own = [binary for binary in found if binary.elf.architecture == architecture]
    served = {binary.owner for binary in own}
    modules = _modules(own, binaries)
    troubles = [
        Trouble(
            check="wrong-machine",
            about=str(binary.elf.architecture),
            severity=_severity_of_foreign(binary, served),
            message=f"is for {binary.elf.architecture}, the image for {architecture}",
            fix=_for_own(binary, f"for {target.platform}"),
            binary=binary,
        )
        for binary in found
        if binary.elf.architecture != architecture
        and not _is_served(binary, modules)
        and not _is_meant_for_it(binary)
    ]
    return own, troubles


def _severity_of_foreign(binary: Binary, served: Collection[tuple[str, str]]) -> Severity:
    """What is imported must be for this machine, and so must something of every package."""
    if is_system(binary):
        return Severity.WARNING
    is_meant = binary.part.origin is Origin.DISTRIBUTION or _says_its_machine(binary)
    is_helper = is_meant and binary.owner in served
    return Severity.WARNING if is_helper and binary.extension is None else Severity.ERROR


def _is_meant_for_it(binary: Binary) -> bool:
    """Whether a package brings helpers for several machines, and says so in their names."""
    is_helper = binary.part.origin is Origin.DISTRIBUTION and binary.extension is None
    return is_helper and _says_its_machine(binary)


def _says_its_machine(binary: Binary) -> bool:
    return _MACHINE.search(binary.path) is not None


def _is_served(binary: Binary, modules: Collection[tuple[str, str]]) -> bool:
    """Whether the target's Python imports another file of the same module."""
    extension = binary.extension
    return extension is not None and (extension.directory, extension.module) in modules


def _of_python(found: list[Binary], binaries: Binaries) -> tuple[list[Binary], list[Trouble]]:
    target = binaries.target
    modules = _modules(found, binaries)
    own, troubles = [], []
    for binary in found:
        extension = binary.extension
        other = extension.built_for(target) if extension and not is_system(binary) else None
        if other is None:
            own.append(binary)
        elif not _is_served(binary, modules):
            troubles.append(
                Trouble(
                    check="python-tag",
                    about=other,
                    severity=Severity.ERROR,
                    message=f"is built for {other}: Python {target.python.minor} of the image "
                    f"does not import it, and there is no other file of that module",
                    fix=_for_own(binary, f"for Python {target.python.minor} on {target.platform}"),
                    binary=binary,
                )
            )
    return own, troubles


def _modules(found: list[Binary], binaries: Binaries) -> set[tuple[str, str]]:
    """Directories and names of the modules that the target's Python imports."""
    return {
        (extension.directory, extension.module)
        for binary in found
        if (extension := binary.extension) and extension.built_for(binaries.target) is None
    }


def _of_libc(found: list[Binary], binaries: Binaries) -> tuple[list[Binary], list[Trouble]]:
    libc = binaries.target.libc
    wheel = "a manylinux" if libc.name == "glibc" else "a musllinux"
    built_for = {binary.path: _other_libc(binary, binaries) for binary in found}
    own = [binary for binary in found if built_for[binary.path] is None]
    served = {binary.owner for binary in own}
    troubles = []
    for binary in found:
        if other := built_for[binary.path]:
            is_meant = binary.part.origin is Origin.DISTRIBUTION or other in binary.path
            is_extra = is_meant and binary.owner in served and binary.extension is None
            is_warning = is_system(binary) or is_extra
            troubles.append(
                Trouble(
                    check="wrong-libc",
                    about=other,
                    severity=Severity.WARNING if is_warning else Severity.ERROR,
                    message=f"is built for {other}, and the base has {libc}",
                    fix=_for_own(binary, f"for {libc.name}, {wheel} one"),
                    binary=binary,
                )
            )
    return own, troubles


def _other_libc(binary: Binary, binaries: Binaries) -> str | None:
    """The C library that a file is for, when it is not the image's."""
    elf = binary.elf
    if elf.interpreter is not None and binaries.stands(elf.interpreter):
        return None  # a program brings its C library along, or the base has both
    names = (*elf.needed, (elf.interpreter or "").rpartition("/")[2])
    if binaries.target.libc.name != "musl":
        is_musl = any(name == _MUSL or name.startswith(_MUSL_NAMES) for name in names)
        return "musl" if is_musl else None
    has_gcompat = any(path.endswith(f"/{_GCOMPAT}") for path in binaries.everything)
    is_glibc = any(name.startswith(_GLIBC_NAMES) for name in names)
    return "glibc" if is_glibc and not has_gcompat else None


def _for_own(binary: Binary, wanted: str) -> str:
    """How to get a file of the right kind."""
    if binary.part.origin is Origin.DISTRIBUTION:
        return (
            f"install a wheel of {binary.part.distribution} {wanted}: lock it again without what "
            "forces this one, or choose a base that it is made for"
        )
    if binary.part.origin is Origin.PROJECT:
        return f"leave it out by .dockerignore, or build it {wanted}"
    return f"install it {wanted}"
