r"""Which files of a project stay out of its image: ``.dockerignore``, and what is left out anyway.

The rules are those Docker applies to a build context:

* ``#`` in a line's first column starts a comment; blank lines say nothing. A byte order mark,
  white space around a pattern and slashes around it do not count, and ``.``, ``..`` and repeated
  slashes in it are resolved on the text alone.
* A pattern is anchored at the project's root. ``*`` and ``?`` stay within one name, ``**`` spans
  any number of directories, ``[a-z]`` and ``[^a-z]`` are classes, ``\`` makes the next character
  literal.
* A pattern that matches a directory holds for all that is in it. ``!`` marks an exception. The
  last pattern that matches a path, or a directory above it, decides.

Docker hands patterns on to a regular expression engine and lets some of its syntax through: ``\d``,
``|``, ``^``, ``{2}``, ``[[:alpha:]]``. Here these mean what is written above, and a malformed class
is an error wherever it stands.
"""

from __future__ import annotations

import posixpath
import re
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING

from layers.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# At any depth, for what these names mean does not depend on where they are. Applications of a
# monorepo bring their own .venv, a submodule its own .git, a package its own tests.
BUILT_IN: tuple[str, ...] = (
    # Secrets. A .pem is a private key or a public certificate, which only a look inside tells; a
    # project that ships a CA bundle of its own says so: !certs/ca.pem.
    "**/.env*",
    "**/.git-credentials",
    "**/.netrc",
    "**/.npmrc",
    "**/.pypirc",
    "**/.aws",
    "**/.docker",
    "**/.gnupg",
    "**/.kube",
    "**/.ssh",
    "**/id_dsa",
    "**/id_ecdsa",
    "**/id_ed25519",
    "**/id_rsa",
    "**/*.jks",
    "**/*.key",
    "**/*.keystore",
    "**/*.p12",
    "**/*.pem",
    "**/*.pfx",
    # Tests. A runtime package may be called `test` (a command, a fixture server), hence only at
    # the root; `tests` is the convention for tests everywhere else too.
    "test",
    "**/tests",
    # What tools leave behind, and environments which only work where they were made. Packages are
    # called `dist` too (distutils has one), hence only at the root.
    "dist",
    "**/.venv",
    "**/.tox",
    "**/.nox",
    "**/__pycache__",
    "**/*.pyc",
    "**/.pytest_cache",
    "**/.ruff_cache",
    "**/.mypy_cache",
    "**/.hypothesis",
    "**/.coverage",
    "**/htmlcov",
    # Version control, editors, desktops.
    "**/.git",
    "**/.hg",
    "**/.svn",
    "**/.idea",
    "**/.vscode",
    "**/*.swp",
    "**/.DS_Store",
)

_HINT = r"A backslash makes the character after it literal: \[ \] \- \! \\"
_DEEP = "(?:.*/)?"
_BELOW = "(?:/.*)?"
_MEMBER = r"(?:\\.|[^]\\-])"
_TOKEN = re.compile(
    rf"""
      (?P<deep>   (?: \*\* /? )+ )
    | (?P<star>   \* )
    | (?P<one>    \? )
    | (?P<class>  \[ (?P<negated>\^?+) (?P<members> (?: {_MEMBER} (?: - {_MEMBER} )? )+ ) \] )
    | (?P<escape> \\ (?P<literal>.) )
    | (?P<plain>  [^*?\[\\] )
    """,
    re.DOTALL | re.VERBOSE,
)
_MEMBERS = re.compile(rf"(?P<first>{_MEMBER})(?:-(?P<last>{_MEMBER}))?", re.DOTALL)
_WHOLE_CLASS = re.compile(r"\[(?:\\.|[^]\\])*\]", re.DOTALL)
_WILD = re.compile(r"[][*?\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pattern:
    """One line of an ignore file, cleaned and found valid."""

    text: str
    is_exception: bool
    regex: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """Neighbouring patterns of one kind; among them the order does not matter."""

    is_exception: bool
    matches: re.Pattern[str]
    """Full match: a path that one of the patterns matches, or that lies below such a path."""
    reaches: re.Pattern[str]
    """Full match: the same and, of exceptions, a directory below which one of them may match."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRules:
    """The patterns of one ignore file."""

    patterns: tuple[Pattern, ...]
    _last_first: tuple[_Run, ...]

    @classmethod
    def parse(cls, text: str, *, origin: str = ".dockerignore") -> IgnoreRules:
        """Read an ignore file; ``origin`` is what messages call it.

        Raises:
            ContentError: a line holds a pattern that Docker would refuse.
        """
        lines = enumerate(text.removeprefix("\ufeff").split("\n"), start=1)
        patterns: list[Pattern] = []
        for number, line in lines:
            try:
                patterns.extend(_parse_line(line))
            except ValueError as error:
                message = f"{origin}, line {number}: {line.strip()} is not a pattern: {error}"
                raise ContentError(message, hint=_HINT) from None
        return cls.of(patterns)

    @classmethod
    def of(cls, patterns: Iterable[Pattern]) -> IgnoreRules:
        """Put patterns together, the first first."""
        patterns = tuple(patterns)
        runs = [_run(list(run)) for _, run in groupby(patterns, attrgetter("is_exception"))]
        return cls(patterns=patterns, _last_first=tuple(reversed(runs)))

    def beyond(self, path: str) -> IgnoreRules:
        """These rules without the patterns that leave out ``path`` as a whole."""
        return IgnoreRules.of(
            pattern
            for pattern in self.patterns
            if pattern.is_exception or not IgnoreRules.of([pattern]).ignores(path)
        )

    def ignores(self, path: str) -> bool:
        """Whether a path, relative to the project and with ``/`` between names, stays out."""
        for run in self._last_first:
            if run.matches.fullmatch(path):
                return not run.is_exception
        return False

    def prunes(self, directory: str) -> bool:
        """Whether a directory and everything that can be below it stay out.

        False may also mean that this is not certain; a walker then looks inside in vain.
        """
        for run in self._last_first:
            if run.reaches.fullmatch(directory):
                return not run.is_exception
        return False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectRules:
    """Sets of rules that each have a veto: what one of them ignores stays out.

    The first one is the project's own.
    """

    sets: tuple[IgnoreRules, ...]

    @property
    def own(self) -> IgnoreRules:
        """What the project's ignore file says."""
        return self.sets[0]

    @property
    def always(self) -> ProjectRules:
        """What stays out whatever the project's ignore file says; it lifts single patterns."""
        return ProjectRules(sets=self.sets[1:])

    def without(self, paths: Iterable[str]) -> ProjectRules:
        """The same, and these paths stay out, with all that is below them."""
        patterns = [Pattern(text=p, is_exception=False, regex=re.escape(p)) for p in paths]
        return ProjectRules(sets=(*self.sets, IgnoreRules.of(patterns))) if patterns else self

    def ignores(self, path: str) -> bool:
        """Whether a path, relative to the project and with ``/`` between names, stays out."""
        return any(rules.ignores(path) for rules in self.sets)

    def prunes(self, directory: str) -> bool:
        """Whether a directory and everything that can be below it stay out."""
        return any(rules.prunes(directory) for rules in self.sets)


def project_rules(dockerignore: str | None, *, origin: str = ".dockerignore") -> ProjectRules:
    """Combine a project's ignore file, if it has one, with the built-in patterns.

    A path stays out when either says so. The project lifts a built-in pattern only by naming what
    it is about: by an exception which, read as a path, that pattern matches. ``!.env.example``,
    ``!tests``, ``!src/lab/tests`` and ``!**/tests`` do; ``!src``, ``!*`` and ``!**`` are about
    something else. One pattern lifted leaves the others: ``!tests`` brings back neither
    ``tests/id_rsa`` nor ``tests/__pycache__``. Whatever is lifted, the project's own patterns have
    still to let it pass.

    Raises:
        ContentError: a line of the ignore file holds a pattern that Docker would refuse.
    """
    own = IgnoreRules.parse(dockerignore or "", origin=origin)
    built_in = IgnoreRules.parse("\n".join(BUILT_IN), origin="the built-in patterns")
    lifting = [p for p in own.patterns if p.is_exception and built_in.ignores(p.text)]
    if not lifting:
        return ProjectRules(sets=(own, built_in))
    standing: list[Pattern] = []
    lifted: list[IgnoreRules] = []
    for pattern in built_in.patterns:
        alone = IgnoreRules.of([pattern])
        exceptions = [exception for exception in lifting if alone.ignores(exception.text)]
        if exceptions:
            lifted.append(IgnoreRules.of([pattern, *exceptions]))
        else:
            standing.append(pattern)
    return ProjectRules(sets=(own, IgnoreRules.of(standing), *lifted))


def _parse_line(line: str) -> Iterator[Pattern]:
    if line.startswith("#"):
        return
    text = line.strip()
    mark = "!" if text.startswith("!") else ""
    # Docker looks for white space, the mark and slashes again once it took a leading slash off.
    text = mark + _clean(text.removeprefix(mark).strip()).lstrip("/")
    text = _clean(text.strip())
    if text == "!":
        raise ValueError("no pattern comes after the !")
    if text:
        plain = text.removeprefix("!")
        yield Pattern(text=plain, is_exception=plain != text, regex=_translate(plain))


def _clean(text: str) -> str:
    return posixpath.normpath(text) if text else ""


def _translate(pattern: str) -> str:
    """Turn a pattern into a regular expression for exactly the paths which it matches.

    Raises:
        ValueError: the pattern is malformed; says in which way.
    """
    pieces: list[str] = []
    position = 0
    while position < len(pattern):
        token = _TOKEN.match(pattern, position)
        if token is None:
            raise ValueError(_what_is_wrong(pattern, position))
        pieces.append(_piece(token))
        position = token.end()
    return "".join(pieces)


def _piece(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "deep":
            return _deep(token)
        case "star":
            return "[^/]*"
        case "one":
            return "[^/]"
        case "class":
            members = "".join(map(_members, _MEMBERS.finditer(token["members"])))
            return f"[{token['negated']}{members}]"
        case "escape":
            return re.escape(token["literal"])
        case _:
            return re.escape(token["plain"])


def _deep(token: re.Match[str]) -> str:
    rest = token.string[token.end() :]
    # Docker tells two stars before plain text apart from all others: `**.py` asks how a path ends.
    asks_for_the_end = token.group() == "**" and token.start() == 0 and not _WILD.search(rest)
    return ".*" if asks_for_the_end or not rest else _DEEP


def _members(found: re.Match[str]) -> str:
    first = found["first"].removeprefix("\\")
    if found["last"] is None:
        return re.escape(first)
    last = found["last"].removeprefix("\\")
    if first > last:
        raise ValueError(f"the range {found.group()} runs backwards")
    return f"{re.escape(first)}-{re.escape(last)}"


def _what_is_wrong(pattern: str, position: int) -> str:
    if pattern[position] == "\\":
        return "nothing comes after the last backslash"
    if whole := _WHOLE_CLASS.match(pattern, position):
        return f"the class {whole.group()} is not made of characters and ranges"
    return f"the class {pattern[position:]} is not closed"


def _run(patterns: list[Pattern]) -> _Run:
    is_exception = patterns[0].is_exception
    matches = _any_of([pattern.regex for pattern in patterns]) + _BELOW
    ways = [way for pattern in patterns for way in _ways_to(pattern.text)] if is_exception else []
    return _Run(
        is_exception=is_exception,
        matches=re.compile(matches, re.DOTALL),
        reaches=re.compile("|".join([matches, *map(_translate, ways)]), re.DOTALL),
    )


def _any_of(regexes: list[str]) -> str:
    """Join alternatives; those for any depth share one search for the depth."""
    choices = [regex for regex in regexes if not regex.startswith(_DEEP)]
    deep = [regex.removeprefix(_DEEP) for regex in regexes if regex.startswith(_DEEP)]
    if deep:
        choices.append(f"{_DEEP}(?:{'|'.join(deep)})")
    return f"(?:{'|'.join(choices)})"


def _ways_to(pattern: str) -> Iterator[str]:
    """Give patterns for the directories in which something can match, rather too many of them."""
    names = pattern.split("/")
    for depth, name in enumerate(names):
        above = "/".join(names[:depth])
        if above:
            yield above
        # From a name with one of these on, a slash of the pattern may not be where a path has one.
        if "**" in name or "[" in name or "\\" in name:
            yield posixpath.join(above, "**")
            return
