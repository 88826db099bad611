"""Files that are named as libraries, and that no loader takes: ``damaged-file``.

Packages hold some for other systems, which is told of the project's own only: ``host-build``.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.copies import leave_out, without_copies
from builder.checks.native.extension import Extension
from builder.checks.subject import Origin
from builder.elf import MAGIC

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.checks.subject import Inspected, Subject

_LIBRARY = re.compile(r".*\.so(?:\.\d+)*", re.DOTALL)
_ELSEWHERE = re.compile(r".*(?:-darwin\.so|\.pyd)", re.DOTALL)
_TESTS = re.compile(r"(?:.*/)?(?:tests?|testing|testdata|test_data|fixtures)/.*", re.DOTALL)
# https://sourceware.org/binutils/docs/ld/Implicit-Linker-Scripts.html
_LINKER_SCRIPT = re.compile(rb"\s*(?:/\*|OUTPUT_FORMAT|INPUT\s*\(|GROUP\s*\()")
_LFS = b"version https://git-lfs.github.com/spec/"
_MACHO = (b"\xcf\xfa\xed\xfe", b"\xca\xfe\xba\xbe", b"\xfe\xed\xfa\xcf", b"\xce\xfa\xed\xfe")
_PE = b"MZ"
_KINDS: tuple[tuple[bytes | tuple[bytes, ...], str], ...] = (
    (MAGIC, "is cut off or damaged"),
    (_LFS, "is what git-lfs has instead of the file"),
    ((*_MACHO, _PE), "is for another system than Linux"),
)
_NAMED = 3


def damage_of(path: str, head: bytes, origin: Origin) -> str:
    """What a file is instead of the library that its name says; empty when that is in order.

    Args:
        path: relative to the root.
        head: its first bytes; it is not a sound ELF file.
        origin: modules for other systems are told of in a project only.
    """
    if _ELSEWHERE.fullmatch(path):
        system = "Windows" if path.endswith(".pyd") else "macOS"
        return f"is for {system}" if origin is Origin.PROJECT else ""
    if not _LIBRARY.fullmatch(path):
        return ""
    if Extension.of(path) is None and (_TESTS.fullmatch(path) or _is_for_others(head)):
        return ""
    known = (words for mark, words in _KINDS if head.startswith(mark))
    return next(known, "holds something else") if head else "is empty"


def _is_for_others(head: bytes) -> bool:
    """Whether it is for a linker, or another system's loader."""
    return head.startswith((*_MACHO, _PE)) or _LINKER_SCRIPT.match(head) is not None


def check_damage(subject: Subject) -> list[Finding]:
    """Libraries that nothing can load; those of one package that are so alike are one finding."""
    last = {path: part for part in subject.parts for path in part.files}
    found: list[Finding] = []
    for part in subject.parts:
        alike: dict[str, list[str]] = {}
        for path in sorted(path for path in part.files if last[path] is part):
            if damage := part.files[path].damage:
                alike.setdefault(damage, []).append(path)
        found += [_finding(part, damage, paths) for damage, paths in alike.items()]
    return without_copies(found)


def _finding(part: Inspected, damage: str, paths: Sequence[str]) -> Finding:
    first, *others = paths
    names = [path.rpartition("/")[2] for path in others[:_NAMED]]
    more = f"; {len(others)} more: {', '.join(names)}" if others else ""
    finding = Finding(
        check="damaged-file",
        severity=Severity.WARNING if part.origin is Origin.SYSTEM else Severity.ERROR,
        message=f"is named as a library, and {damage}: nothing can load it{more}",
        fix=_repair(part, damage),
        path=f"/{first}",
        distribution=part.distribution,
        layer=part.layer,
    )
    if not _ELSEWHERE.fullmatch(first):
        return finding
    return replace(
        finding,
        check="host-build",
        message=f"is an extension module, and {damage}: the image cannot load it{more}",
        fix=leave_out(first, "**/*.pyd" if first.endswith(".pyd") else "**/*-darwin.so"),
    )


def _repair(part: Inspected, damage: str) -> str:
    if part.origin is Origin.PROJECT:
        way = "fetch it with git lfs pull" if "git-lfs" in damage else "build it anew"
        return f"{way}, or leave it out by .dockerignore"
    name = part.distribution.partition(" ")[0]
    anew = f"install it anew: uv cache clean {name}" if name else "install its package anew"
    return f"{anew}, or take another release if it is published so"
