"""The facts of an ELF file, and how the store keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

MAGIC = b"\x7fELF"
Kind = Literal["relocatable", "executable", "shared", "core"]
KINDS: Mapping[int, Kind] = {1: "relocatable", 2: "executable", 3: "shared", 4: "core"}

_EF_ARM_HARD_FLOAT = 0x400
# Debian's names: https://wiki.debian.org/ArchitectureSpecificsMemo
_ARCHITECTURES = {
    (3, 32, True): "i386",
    (8, 32, True): "mipsel",
    (8, 64, True): "mips64el",
    (21, 64, True): "ppc64el",
    (21, 64, False): "ppc64",
    (22, 64, False): "s390x",
    (62, 64, True): "amd64",
    (62, 32, True): "x32",
    (183, 64, True): "arm64",
    (243, 64, True): "riscv64",
    (258, 64, True): "loong64",
}
_ARM = (40, 32, True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Elf:
    """The facts that a loader goes by.

    Attributes:
        bits: 32 or 64.
        little_endian: its byte order.
        machine: ``e_machine``.
        flags: ``e_flags``.
        architecture: Debian's name for what runs it; None for one that Debian does not have.
        kind: of file; a position-independent program is ``shared``, as a library is.
        is_dynamic: whether it has a dynamic section: a static program has none.
        is_program: whether it is meant to be started, not loaded by another.
        interpreter: absolute path of the loader it asks for.
        soname: what those that are linked with it ask for.
        needed: sonames, in order.
        rpath: directories with ``$ORIGIN`` and the like as written; ``runpath`` overrides it.
        runpath: the same.
        needed_versions: of symbols, by the soname that must have them; those that may be missing
            are left out.
        offered_versions: of symbols.
        executable_stack: whether who loads it gets a stack that can be executed.
        text_relocations: whether its code is written to when it is loaded.
    """

    bits: int
    little_endian: bool
    machine: int
    flags: int
    architecture: str | None
    kind: Kind
    is_dynamic: bool = False
    is_program: bool = False
    interpreter: str | None = None
    soname: str | None = None
    needed: tuple[str, ...] = ()
    rpath: tuple[str, ...] = ()
    runpath: tuple[str, ...] = ()
    needed_versions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    offered_versions: tuple[str, ...] = ()
    executable_stack: bool = False
    text_relocations: bool = False


_HEADER = ("bits", "little_endian", "machine", "flags", "kind")
_NAMES = ("soname", "interpreter")
_LISTS = ("needed", "rpath", "runpath", "offered_versions")
_MARKS = ("is_dynamic", "is_program", "executable_stack", "text_relocations")


def elf_to_fact(elf: Elf) -> dict[str, object]:
    """What the store keeps: the header, and of the rest what is not empty."""
    fact: dict[str, object] = {"header": [getattr(elf, name) for name in _HEADER]}
    fact |= {name: value for name in _NAMES if (value := getattr(elf, name)) is not None}
    fact |= {name: list(value) for name in _LISTS if (value := getattr(elf, name))}
    if elf.needed_versions:
        fact["needed_versions"] = {k: list(v) for k, v in elf.needed_versions.items()}
    if marks := [name for name in _MARKS if getattr(elf, name)]:
        fact["marks"] = marks
    return fact


def elf_from_fact(fact: Mapping[str, Any]) -> Elf:
    """Read what ``elf_to_fact`` wrote.

    Raises:
        ValueError: it was not written by that, or not by this version of it.
    """
    try:
        known: dict[str, Any] = dict(zip(_HEADER, fact["header"], strict=True))
        known |= {name: fact[name] for name in _NAMES if name in fact}
        known |= {name: tuple(fact[name]) for name in _LISTS if name in fact}
        known |= dict.fromkeys(fact.get("marks", ()), True)
        versions = {k: tuple(v) for k, v in fact.get("needed_versions", {}).items()}
        bits, machine, flags = known["bits"], known["machine"], known["flags"]
        architecture = architecture_of(machine, bits, flags, little_endian=known["little_endian"])
        return Elf(architecture=architecture, needed_versions=versions, **known)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"no facts of an ELF file: {error}") from error


def architecture_of(machine: int, bits: int, flags: int, *, little_endian: bool) -> str | None:
    """Debian's name for what runs a file, by its header."""
    if (machine, bits, little_endian) == _ARM:
        return "armhf" if flags & _EF_ARM_HARD_FLOAT else "armel"
    return _ARCHITECTURES.get((machine, bits, little_endian))
