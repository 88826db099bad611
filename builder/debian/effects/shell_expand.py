"""Words of a script turned into the texts that a command gets."""

import fnmatch
import re
from collections.abc import Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.shell_arithmetic import evaluate
from builder.debian.effects.shell_call import UNSURE
from builder.debian.effects.shell_syntax import (
    Arithmetic,
    List,
    Output,
    Parameter,
    Part,
    Text,
    Word,
)
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

BLANKS = " \t\n"  # the separators of fields unless a script sets others
_IS_PATTERN = re.compile(r"[*?[]")


@dataclass(slots=True)
class _Field:
    """One word in the making: its text, and the same as a pattern with quoted parts escaped."""

    text: str = ""
    pattern: str = ""

    def add(self, text: str, *, quoted: bool) -> None:
        self.text += text
        self.pattern += _escaped(text) if quoted else text


@dataclass(slots=True, kw_only=True)
class Expander:
    """Expansions within one command.

    Attributes:
        files: for patterns of paths.
        variables: of the script; ``${name:=word}`` sets one.
        arguments: ``$1``, ``$2``, ...
        directory: patterns of paths start from.
        last: status of the command before.
        run: commands to what they print and their status.
        spend: counts the characters that are worked on.
        status: of the commands that were run last.
    """

    files: MutableRoot
    variables: MutableMapping[str, str]
    arguments: Sequence[str]
    directory: str
    last: int
    run: Callable[[List], tuple[str, int]]
    spend: Callable[[int], None]
    status: int = field(default=0)

    def text(self, word: Word) -> str:
        """A word as one text, neither split nor matched with files."""
        return self._limited("".join(self._joined(part)[0] for part in word))

    def pattern(self, word: Word) -> str:
        """A word as a pattern in which quoted characters stand for themselves."""
        pieces = [self._joined(part) for part in word]
        return self._limited("".join(_escaped(text) if quoted else text for text, quoted in pieces))

    def fields(self, words: Iterable[Word]) -> list[str]:
        """Words as a command gets them: split at blanks, patterns replaced by paths."""
        found = [text for word in words for one in self._split(word) for text in self._paths(one)]
        self.spend(sum(map(len, found)))
        return found

    def _limited(self, text: str) -> str:
        self.spend(len(text))
        return text

    def _joined(self, part: Part) -> tuple[str, bool]:
        if isinstance(part, Text):
            return part.text, part.quoted
        return self._value(part), part.quoted

    def _split(self, word: Word) -> list[_Field]:
        done: list[_Field] = []
        current: _Field | None = None
        for part in word:
            if isinstance(part, Parameter) and part.name == "@" and part.quoted:
                for index, argument in enumerate(self.arguments):
                    if index and current:
                        done.append(current)
                        current = None
                    current = current or _Field()
                    current.add(argument, quoted=True)
                continue
            text, quoted = self._joined(part)
            if quoted or isinstance(part, Text):
                current = current or _Field()
                current.add(text, quoted=quoted)
                continue
            pieces = split(text, self.variables.get("IFS", BLANKS), ends=True)
            for index, piece in enumerate(pieces):
                if index and current:
                    done.append(current)
                    current = None
                is_between = 0 < index < len(pieces) - 1
                if piece or is_between:
                    current = current or _Field()
                    current.add(piece, quoted=False)
        return [*done, current] if current else done

    def _paths(self, one: _Field) -> list[str]:
        # A [ that was escaped is no pattern; what fnmatch's escape wrote is [x] around one.
        bare = re.sub(r"\[[*?[]\]", "", one.pattern)
        if not _IS_PATTERN.search(bare):
            return [one.text]
        self.spend(self.files.size)
        return self.files.glob(one.pattern, self.directory) or [one.text]

    def _value(self, part: Parameter | Output | Arithmetic) -> str:
        match part:
            case Arithmetic():
                return evaluate(self.text(part.word), self._get)
            case Output():
                text, self.status = self.run(part.body)
                return text
            case Parameter():
                return self._parameter(part)

    def _parameter(self, part: Parameter) -> str:
        value = self._get(part.name)
        word = part.word or ()
        match part.operator:
            case ":-" | ":=" | "-" | "=" as operator:
                if value is None or (not value and ":" in operator):
                    value = self.text(word)
                    if "=" in operator:
                        self.variables[part.name] = value
            case ":+" | "+" as operator:
                is_set = value is not None and bool(value or ":" not in operator)
                value = self.text(word) if is_set else ""
            case "%" | "%%" | "#" | "##" as operator:
                value = self._trimmed(value or "", self.pattern(word), operator)
            case ":?" | "?" as operator:
                if value is None or (not value and ":" in operator):
                    raise ScriptError(f"{part.name} is not set")
            case "#length":
                value = UNKNOWN if UNKNOWN in (value or "") else str(len(value or ""))
            case _:
                pass
        return value or ""

    def _get(self, name: str) -> str | None:
        if name.isdecimal():
            index = int(name)
            if not index:
                return self.variables.get("0", UNKNOWN)
            return self.arguments[index - 1] if index <= len(self.arguments) else None
        special: dict[str, Callable[[], str]] = {
            "#": lambda: str(len(self.arguments)),
            "@": lambda: " ".join(self.arguments),
            "*": lambda: " ".join(self.arguments),
            "?": lambda: UNKNOWN if self.last == UNSURE else str(self.last),
            "$": lambda: UNKNOWN,
        }
        return special[name]() if name in special else self.variables.get(name)

    def _trimmed(self, value: str, pattern: str, operator: str) -> str:
        """Without the shortest or longest beginning (``#``) or end (``%``) that matches."""
        if UNKNOWN in value + pattern:
            return UNKNOWN
        self.spend(len(value) ** 2)
        cuts = range(len(value) + 1)
        is_end = operator[0] == "%"
        for cut in reversed(cuts) if is_end == (len(operator) == 1) else iter(cuts):
            cut_off, kept = (value[cut:], value[:cut]) if is_end else (value[:cut], value[cut:])
            if fnmatch.fnmatchcase(cut_off, pattern):
                return kept
        return value


def _escaped(text: str) -> str:
    return re.sub(r"([*?[])", r"[\1]", text)


def split(text: str, separators: str, *, ends: bool = False) -> list[str]:
    """The fields of a text.

    Args:
        text: is split.
        separators: value of ``IFS``.
        ends: keep an empty field where the text starts or ends with blanks.
    """
    blanks = "".join(one for one in separators if one in BLANKS)
    others = "".join(one for one in separators if one not in BLANKS)
    if not separators or (not text and ends):
        return [text]
    blank = f"[{re.escape(blanks)}]" if blanks else "(?!)"
    pattern = f"{blank}+"
    if others:
        pattern = f"{blank}*[{re.escape(others)}]{blank}*|{pattern}"
        text = text.rstrip(blanks)
    pieces = re.split(pattern, text)
    if ends:
        return pieces
    return pieces[int(not pieces[0]) : len(pieces) - int(not pieces[-1])] if text else []
