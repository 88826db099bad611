"""What is odd about how files were linked, and does no harm at once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from builder.checks.finding import Severity
from builder.checks.native.binaries import Binaries, Binary, Trouble, is_system
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BUILD_PLACE = re.compile(
    r"/(?:home|root|tmp|var/tmp|build|builds|builddir|project|host|io|src|staging|workspace|work"
    r"|Users|__w|github|croot)/.+|.*/(?:staging|_?build|target/(?:debug|release))(?:/.*)?"
)
_REFUSES_STACKS = (2, 41)
"""The first glibc that does not load such a library into a running program:
https://sourceware.org/git/?p=glibc.git;a=blob;f=NEWS;hb=glibc-2.41"""


def linkage_troubles(own: Iterable[Binary], binaries: Binaries) -> list[Trouble]:
    """Executable stacks, text relocations, and search paths of another machine.

    Args:
        own: the files that the image's loader is asked about.
        binaries: all of them.
    """
    return [
        trouble
        for binary in own
        if not is_system(binary)
        for trouble in (*_stack(binary, binaries), *_text(binary), *_stale(binary, binaries))
    ]


def stale_paths(binary: Binary, binaries: Binaries) -> list[str]:
    """Where a file has libraries looked for on the machine that it was built on."""
    elf = binary.elf
    return [
        path
        for path in elf.runpath or elf.rpath
        if _BUILD_PLACE.fullmatch(path) and not binaries.stands(path)
    ]


def _stack(binary: Binary, binaries: Binaries) -> Iterator[Trouble]:
    libc = binaries.target.libc
    if not binary.elf.executable_stack or libc.name != "glibc":
        return
    is_refused = libc.version >= _REFUSES_STACKS and binary.extension is not None
    yield Trouble(
        check="executable-stack",
        about="",
        severity=Severity.ERROR if is_refused else Severity.WARNING,
        message=f"asks for a stack that can be executed, which {libc} of the base refuses to a "
        "running program"
        if is_refused
        else "asks for a stack that can be executed, which makes faults easy to exploit, and which "
        "glibc 2.41 and later refuse to a running program",
        fix="link it with -z noexecstack; its assembler files need a .note.GNU-stack section",
        binary=binary,
    )


def _text(binary: Binary) -> Iterator[Trouble]:
    if binary.elf.text_relocations:
        yield Trouble(
            check="text-relocations",
            about="",
            severity=Severity.WARNING,
            message="is code that has to be written to before it can run: it is shared by no two "
            "processes, and refused where memory may not be both written and executed",
            fix="compile it with -fPIC",
            binary=binary,
        )


def _stale(binary: Binary, binaries: Binaries) -> Iterator[Trouble]:
    if binary.part.origin is not Origin.PROJECT:
        return  # many wheels have some, and whoever installs them cannot help it
    for path in stale_paths(binary, binaries):
        yield Trouble(
            check="stale-rpath",
            about=path,
            severity=Severity.WARNING,
            message=f"has libraries looked for in {path}, which the image does not have: it is a "
            "place of the machine that it was built on",
            fix="link it without that path: patchelf --remove-rpath, or --set-rpath '$ORIGIN'",
            binary=binary,
        )
