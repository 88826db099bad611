"""Files of the project that no image is better for: ``junk``, ``host-build`` and ``large-file``."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.copies import INSTALLED, leave_out, without_copies
from builder.checks.leaks.junk_names import LFS_POINTER, junk_of
from builder.checks.subject import Origin
from builder.units import decimal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from typing import Any

    from builder.checks.subject import FileFacts, Inspected, Subject
    from builder.settings import ChecksSettings

# What setuptools and its like call the modules that they compile: https://peps.python.org/pep-3149/
_EXTENSION = re.compile(r".*\.(?:cpython-\d+\w*-[\w-]+|pypy\d+-\w+-[\w-]+|abi3)\.so")

# What such a file is told by, so that one line keeps out all of its kind.
_ENDING = re.compile(r"~$|\.(?:sw[op]|orig|rej|prof)$")


def check_junk(subject: Subject, checks: ChecksSettings) -> list[Finding]:
    """What the project brings that was not meant for the image.

    What others published is never junk. A directory that is junk as a whole is one finding, and so
    are files of a kind beside each other.

    Args:
        subject: the image.
        checks: how large a file may be.
    """
    found: list[Finding] = []
    for part in subject.parts:
        if part.origin is Origin.PROJECT:
            found += _of_names(part, subject.run)
            for path, facts in part.files.items():
                found += _of_binary(part, path, facts)
                found += _of_pointer(part, path, facts)
                found += _of_size(part, path, facts, checks.max_file_size)
    return without_copies(_together(found))


def _together(findings: Iterable[Finding]) -> list[Finding]:
    alike: dict[tuple[str, ...], list[Finding]] = {}
    for finding in findings:
        directory = finding.path.rpartition("/")[0]
        alike.setdefault((finding.message, finding.fix, directory), []).append(finding)
    return [
        replace(first, message=f"{first.message}; {len(others)} more beside it")
        if others
        else first
        for first, *others in alike.values()
    ]


def _of_names(part: Inspected, run: Mapping[str, Any]) -> Iterator[Finding]:
    junk = {each.root: each for path in part.files if (each := junk_of(path))}
    words = " ".join(str(run.get(member)) for member in ("Env", "Entrypoint", "Cmd"))
    for each in junk.values():
        if f"/{each.root}/bin" in words:
            continue  # the environment that the application runs in
        severity = Severity.WARNING if each.is_harmless else Severity.ERROR
        ending = _ENDING.search(each.root)
        pattern = f"**/*{ending[0]}" if ending else ""
        yield _finding(part, each.root, "junk", severity, f"is {each.kind}", pattern=pattern)


def _of_binary(part: Inspected, path: str, facts: FileFacts) -> Iterator[Finding]:
    if facts.elf is None:
        return
    if facts.elf.kind == "core":
        what = "is the memory of a program that crashed, with all secrets that it knew"
        yield _finding(part, path, "junk", Severity.ERROR, what)
    elif facts.elf.kind == "relocatable":
        what = "is an object file, which only a linker needs"
        yield _finding(part, path, "junk", Severity.WARNING, what)
    elif _EXTENSION.fullmatch(path) and not INSTALLED.fullmatch(path):
        what = "is an extension module among the sources, as its developer's machine compiled it"
        pattern = f"**/*.{path.rpartition('/')[2].partition('.')[2]}"
        instead = ", or accept host-build in [tool.builder.checks] if it is meant to be there"
        yield _finding(
            part, path, "host-build", Severity.ERROR, what, pattern=pattern, instead=instead
        )


def _of_pointer(part: Inspected, path: str, facts: FileFacts) -> Iterator[Finding]:
    is_pointer = any(clue.kind == LFS_POINTER for clue in facts.clues)
    if is_pointer and not facts.damage:
        what = "is what Git LFS has instead of the file"
        yield replace(
            _finding(part, path, "junk", Severity.ERROR, what),
            fix=f"fetch it before the build with git lfs pull, or {leave_out(path)}",
        )


def _of_size(part: Inspected, path: str, facts: FileFacts, most: int) -> Iterator[Finding]:
    if facts.size > most:
        what = f"is {decimal(facts.size)}, and a file of the project may be {decimal(most)}"
        instead = ", fetch it at run time, or raise [tool.builder.checks] max-file-size"
        yield _finding(part, path, "large-file", Severity.ERROR, what, instead=instead)


def _finding(  # noqa: PLR0913 - what differs between findings
    part: Inspected,
    path: str,
    check: str,
    severity: Severity,
    message: str,
    *,
    pattern: str = "",
    instead: str = "",
) -> Finding:
    return Finding(
        check=check,
        severity=severity,
        message=message,
        fix=leave_out(path, pattern) + instead,
        path=f"/{path}",
        distribution=part.distribution,
        layer=part.layer,
    )
