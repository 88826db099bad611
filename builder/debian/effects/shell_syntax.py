"""The parts of a shell script, as far as maintainer scripts go.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Text:
    """Characters that stand for themselves; quoted ones are never split or taken for a pattern."""

    text: str
    quoted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """``$name`` or ``${name}``, ``${name:-word}``, ``${#name}``: ``operator`` as written."""

    name: str
    operator: str = ""
    word: "Word | None" = None
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Output:
    """What commands print: ``$(...)`` and backticks."""

    body: "List"
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """``$((...))``, with what stands between the brackets."""

    word: "Word"
    quoted: bool = False


Part = Text | Parameter | Output | Arithmetic
Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """``2>file``; for a here-document the operator is ``<<`` and the word its content."""

    descriptor: int | None
    operator: str
    word: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """A command with its words, or assignments alone."""

    assignments: tuple[tuple[str, Word], ...] = ()
    words: tuple[Word, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class If:
    """Conditions with what follows each, and the rest."""

    branches: "tuple[tuple[List, List], ...]"
    otherwise: "List | None"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A word, and patterns with what follows each."""

    word: Word
    branches: "tuple[tuple[tuple[Word, ...], List], ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class For:
    """A name that takes the value of each word; None stands for the script's own arguments."""

    name: str
    words: tuple[Word, ...] | None
    body: "List"


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """``while`` or ``until``."""

    condition: "List"
    body: "List"
    until: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``{ ...; }``, or ``( ... )``, which keeps its variables to itself."""

    body: "List"
    own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Function:
    """A command that the script defines."""

    name: str
    body: "Redirected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirected:
    """A command, and where its output goes."""

    command: "Simple | If | Case | For | Loop | Group | Function"
    redirects: tuple[Redirect, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """Commands whose output feeds the next one."""

    commands: tuple[Redirected, ...]
    negated: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class AndOr:
    """Pipelines, each but the first with the ``&&`` or ``||`` before it."""

    first: Pipeline
    rest: tuple[tuple[str, Pipeline], ...] = ()


List = tuple[AndOr, ...]
