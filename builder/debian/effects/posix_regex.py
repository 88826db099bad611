"""Regular expressions of POSIX, basic and extended, as Python's.

https://pubs.opengroup.org/onlinepubs/9699919799/basedefs/V1_chap09.html
"""

import re
from collections.abc import Callable
from math import factorial

from builder.debian.effects.shell_words import ScriptError

_CLASSES = {
    "alpha": "a-zA-Z", "digit": "0-9", "alnum": "a-zA-Z0-9", "upper": "A-Z", "lower": "a-z",
    "space": r"\s", "blank": r" \t", "xdigit": "0-9A-Fa-f", "punct": r"!-/:-@\[-`{-~",
}  # fmt: skip
_BRACKET = re.compile(r"\[(\^?)(\]?(?:\[:[a-z]+:\]|[^\]\[]|\[(?![:.=]))*)\]")
_GNU = {"<": r"\b(?=\w)", ">": r"\b(?<=\w)", "w": r"\w", "W": r"\W", "s": r"\s", "S": r"\S",
        "b": r"\b", "B": r"\B"}  # fmt: skip
_REPEAT = re.compile(r"[*+?]|\{[0-9]{0,3}(?:,[0-9]{0,3})?\\?\}")
_MOST_COST = 20_000_000


def posix_regex(
    pattern: str, *, extended: bool, ignore_case: bool = False
) -> Callable[[str], "re.Match[str] | None"]:
    """A search by a regular expression.

    Raises:
        ScriptError: the expression is not understood here, or, from the search, takes too long.
    """
    text = _Translation(pattern, extended=extended)
    try:
        compiled = re.compile(text.python(), (re.IGNORECASE if ignore_case else 0) | re.ASCII)
    except re.error as error:
        raise ScriptError(f"the expression {pattern!r}: {error}") from error

    def search(line: str) -> "re.Match[str] | None":
        # Each repetition may try every length; those behind share what is left of the line.
        power = text.repetitions + 1
        if len(line) ** power // factorial(power) > _MOST_COST:
            raise ScriptError(f"the expression {pattern!r} takes too long")
        return compiled.search(line)

    return search


class _Translation:
    def __init__(self, pattern: str, *, extended: bool) -> None:
        self._pattern = pattern
        self._extended = extended
        self._position = 0
        self.repetitions = 0
        self._group_repetitions: list[int] = []
        self._group_has_repetition = False

    def python(self) -> str:
        """The whole pattern."""
        done: list[str] = []
        while self._position < len(self._pattern):
            done.append(self._next(done))
        return "".join(done)

    def _next(self, done: list[str]) -> str:
        character = self._pattern[self._position]
        if character == "[":
            return self._bracket()
        is_escaped = character == "\\"
        if is_escaped:
            self._position += 1
            character = self._pattern[self._position : self._position + 1]
        special = "+?(){}|"
        means = character in special and is_escaped != self._extended
        if character in "(|)" and means:
            self._position += 1
            return self._group(character)
        if (means or (character == "*" and not is_escaped)) and character in "*+?{":
            return self._repeat(done)
        self._position += 1
        return self._plain(character, done, is_escaped=is_escaped)

    def _plain(self, character: str, done: list[str], *, is_escaped: bool) -> str:
        if is_escaped:
            if character in _GNU:
                return _GNU[character]
            if character.isdecimal() and character != "0":
                self.repetitions += 1
                return f"\\{character}"
            if not character or character.isalnum() or character in "`'":
                raise ScriptError(f"the expression {self._pattern!r}")
            return re.escape(character)
        if character == "^" and (self._extended or self._at_start(done)):
            return "^"
        if character == "$" and (self._extended or self._at_end()):
            return r"\Z"
        return "." if character == "." else re.escape(character)

    def _at_start(self, done: list[str]) -> bool:
        return not done or done[-1] in {"(", "|"}

    def _at_end(self) -> bool:
        rest = self._pattern[self._position :]
        return not rest or rest.startswith(("\\)", "\\|"))

    def _group(self, character: str) -> str:
        if character == "(":
            self._group_repetitions.append(self.repetitions)
        elif character == ")":
            if not self._group_repetitions:
                raise ScriptError(f"the expression {self._pattern!r}")
            self._group_has_repetition = self.repetitions > self._group_repetitions.pop()
        return character

    def _repeat(self, done: list[str]) -> str:
        if self._at_start(done) or done[-1] == "^":
            if self._extended:
                raise ScriptError(f"the expression {self._pattern!r}")
            self._position += 1
            return r"\*"
        found = _REPEAT.match(self._pattern, self._position)
        if not found or done[-1] in {"*", "+", "?"} or done[-1].startswith("{"):
            raise ScriptError(f"the expression {self._pattern!r}")
        if done[-1] == ")" and found[0] != "?":
            raise ScriptError(f"the expression {self._pattern!r} repeats a group")
        self._position += len(found[0])
        self.repetitions += found[0] != "?"
        return found[0].replace("\\}", "}").replace("{,", "{0,")

    def _bracket(self) -> str:
        found = _BRACKET.match(self._pattern, self._position)
        if not found:
            raise ScriptError(f"the expression {self._pattern!r}")
        self._position = found.end()
        inner = ""
        for part in re.findall(r"\[:[a-z]+:\]|.", found[2], re.DOTALL):
            if part.startswith("[:"):
                if part[2:-2] not in _CLASSES:
                    raise ScriptError(f"the expression {self._pattern!r}")
                inner += _CLASSES[part[2:-2]]
            else:
                inner += f"\\{part}" if part in "\\[]^&~|" else part
        return f"[{found[1]}{inner}]"
