"""Secrets that would be published with the image: ``secret``."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.copies import leave_out, without_copies
from builder.checks.leaks.junk_names import LFS_POINTER
from builder.checks.leaks.private_keys import ENCRYPTED_KEY
from builder.checks.leaks.tokens import GOOGLE_API_KEY
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from builder.checks.subject import Clue, Inspected, Subject

_CHECK = "secret"
_BROWSER = (
    *(".js", ".mjs", ".cjs", ".jsx", ".ts", ".tsx", ".vue", ".svelte", ".html", ".htm"),
    ".map",
)
_CODE = (".py", ".js", ".ts", ".sh", ".html")
_METADATA = re.compile(r"(?:.*/)?[^/]+\.dist-info/[^/]+")
_MOST_LINES = 3
_ROTATE = "if it was ever committed or pushed, replace it where it is from"


def check_secrets(subject: Subject) -> list[Finding]:
    """What the image would give away.

    What the project brings is an error. What others published is known to everybody already, and
    one warning for each of their packages: nobody must rely on it. A file that a later one hides
    is still in its layer, and counts. No message has any part of a secret in it.
    """
    own = [part for part in subject.parts if part.origin is Origin.PROJECT]
    others = [part for part in subject.parts if part.origin is not Origin.PROJECT]
    return [
        *without_copies(finding for part in own for finding in _of_project(part)),
        *(finding for part in others for finding in _of_others(part)),
    ]


def _of_project(part: Inspected) -> Iterator[Finding]:
    for path, facts in part.files.items():
        clues = [clue for clue in facts.clues if clue.kind != LFS_POINTER]
        if clues:
            is_mild = all(_is_mild(path, clue) for clue in clues)
            yield Finding(
                check=_CHECK,
                severity=Severity.WARNING if is_mild else Severity.ERROR,
                message=_words(clues),
                fix=_fix(path, clues),
                path=f"/{path}",
                distribution=part.distribution,
                layer=part.layer,
            )


def _is_mild(path: str, clue: Clue) -> bool:
    """Whether a secret may be there: it has a passphrase, or is for those who get the page."""
    return clue.kind == ENCRYPTED_KEY or (clue.kind == GOOGLE_API_KEY and path.endswith(_BROWSER))


def _of_others(part: Inspected) -> Iterator[Finding]:
    known = {path: facts.clues for path, facts in part.files.items() if facts.clues}
    if not known:
        return
    path, clues = next(iter(known.items()))
    more = len(known) - 1
    others = f"; {more} more {'file has' if more == 1 else 'files have'} some" if more else ""
    yield Finding(
        check=_CHECK,
        severity=Severity.WARNING,
        message=f"{_words(clues)}{others}",
        fix="whoever has the package has it too: make sure that nothing uses it, and tell the "
        "package's maintainers if it looks like a mistake",
        path=f"/{path}",
        distribution=part.distribution,
        layer=part.layer,
    )


def _words(clues: Sequence[Clue]) -> str:
    """``is a .env file``; ``holds a GitHub token (line 3) and a private key (lines 7, 9)``."""
    named = next((clue.kind for clue in clues if not clue.line), None)
    if named:
        return f"is {_article(named)} {named}"
    lines: defaultdict[str, list[int]] = defaultdict(list)
    for clue in clues:
        lines[clue.kind].append(clue.line)
    return "holds " + " and ".join(_held(kind, where) for kind, where in lines.items())


def _held(kind: str, lines: Sequence[int]) -> str:
    where = ", ".join(map(str, lines[:_MOST_LINES])) + (", …" if lines[_MOST_LINES:] else "")
    return f"{_article(kind)} {kind} (line{'s' if lines[1:] else ''} {where})"


def _article(kind: str) -> str:
    """``an AWS key``; ``an SSH key``, as it is spoken letter by letter."""
    return "an" if kind[0] in "aeioAEIO" or kind.startswith(("SSH", "npm")) else "a"


def _fix(path: str, clues: Sequence[Clue]) -> str:
    if all(clue.kind == GOOGLE_API_KEY for clue in clues) and path.endswith(_BROWSER):
        return "if browsers shall have it, restrict it to your site where it was made"
    if _METADATA.fullmatch(path):
        return f"take it out of pyproject.toml or the README that it is made from; {_ROTATE}"
    is_needed = path.endswith(_CODE) and all(clue.line for clue in clues)
    if is_needed:
        return f"read it from an environment variable or a mounted file at run time; {_ROTATE}"
    return f"{leave_out(path)} and mount it at run time; {_ROTATE}"
