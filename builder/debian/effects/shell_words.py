"""The words of a shell script: quotes, parameters, substitutions, here-documents."""

import re
from abc import ABC, abstractmethod

from builder.debian.effects.shell_syntax import (
    Arithmetic,
    List,
    Output,
    Parameter,
    Part,
    Text,
    Word,
)

_BLANK = re.compile(r"(?:[ \t]|\\\n)*(?:#[^\n]*)?")
_PLAIN = re.compile(r"[^\s;&|()<>'\"`$\\]+")
_BREAK = frozenset(" \t\n;&|()<>")
_PARAMETER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]")
_BRACED = re.compile(r"([A-Za-z_][A-Za-z0-9_]*|[0-9]+|[@*#?$!-])(:?[-=+?]|%%?|##?|)")


class ScriptError(Exception):
    """A script cannot be read; the caller reports what it is and where."""


class Reader(ABC):
    """A position in a script, and what can be read from there."""

    def __init__(self, script: str) -> None:
        self._script = script
        self.position = 0
        self._here_ends: list[tuple[int, int]] = []

    @abstractmethod
    def commands_in(self, text: str) -> List:
        """The commands of ``$(...)``."""

    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self.position >= len(self._script)

    def rest(self) -> str:
        """The line from here on, for messages."""
        return self._script[self.position :].partition("\n")[0][:60]

    def peek(self, text: str) -> bool:
        """Whether ``text`` comes next."""
        return self._script.startswith(text, self.position)

    def look(self, pattern: re.Pattern[str]) -> str | None:
        """What a pattern finds here."""
        found = pattern.match(self._script, self.position)
        return found[0] if found else None

    def match(self, pattern: re.Pattern[str]) -> str | None:
        """The same, and go behind it."""
        found = self.look(pattern)
        self.position += len(found or "")
        return found

    def advance(self, count: int) -> None:
        """Go on."""
        self.position += count

    def skip_blank(self) -> None:
        """Go behind blanks, joined lines and a comment."""
        # Words are read whole, so here one would start: only there does # begin a comment.
        self.match(_BLANK)

    def newline(self) -> None:
        """Go behind the end of a line, and behind here-documents that follow it."""
        self.position += 1
        for start, end in self._here_ends:
            if start == self.position:
                self.position = end
        self._here_ends = [pair for pair in self._here_ends if pair[1] > self.position]

    def here_document(self, delimiter: Word, *, strip_tabs: bool) -> Word:
        """The content of a here-document that starts on the next line.

        Raises:
            ScriptError: it has no end.
        """
        end = "".join(part.text for part in delimiter if isinstance(part, Text))
        is_quoted = any(isinstance(part, Text) and part.quoted for part in delimiter)
        start = self._script.find("\n", self.position) + 1
        first = max([start, *(end for begun, end in self._here_ends if begun == start)])
        lines: list[str] = []
        position = first
        while start:
            line, newline, _ = self._script[position:].partition("\n")
            position += len(line) + len(newline)
            line = line.lstrip("\t") if strip_tabs else line
            if line == end:
                break
            if not newline:
                raise ScriptError(f"the here-document {end!r} has no end")
            lines.append(f"{line}\n")
        self._here_ends = [pair for pair in self._here_ends if pair[0] != start]
        self._here_ends.append((start, position))
        text = "".join(lines)
        return (Text(text, quoted=True),) if is_quoted else self._expanded(text)

    def _expanded(self, text: str) -> Word:
        inner = type(self)(text)
        return inner.quoted_until("")

    def word(self) -> Word:
        """One word, up to a blank or an operator.

        Raises:
            ScriptError: a quote or bracket is not closed.
        """
        parts: list[Part] = []
        while not self.at_end():
            character = self._script[self.position]
            if character in _BREAK:
                break
            if plain := self.match(_PLAIN):
                parts.append(Text(plain))
            elif character == "\\":
                if not self.peek("\\\n"):
                    parts.append(
                        Text(self._script[self.position + 1 : self.position + 2], quoted=True)
                    )
                self.position += 2
            elif character == "'":
                parts.append(Text(self._until("'", self.position + 1), quoted=True))
            elif character == '"':
                self.position += 1
                parts.extend(self.quoted_until('"') or (Text("", quoted=True),))
            else:
                parts.append(self._expansion(quoted=False))
        return tuple(parts)

    def quoted_until(self, end: str) -> Word:
        """Parts within double quotes, up to ``end`` (the end of the script, when empty)."""
        parts: list[Part] = []
        plain = ""
        while not self.at_end() and not (end and self.peek(end)):
            character = self._script[self.position]
            if character == "\\" and self._script[self.position + 1 : self.position + 2] in set(
                '$`"\\\n'
            ):
                plain += self._script[self.position + 1].replace("\n", "")
                self.position += 2
            elif character in "$`":
                parts.append(Text(plain, quoted=True))
                plain = ""
                parts.append(self._expansion(quoted=True))
            else:
                plain += character
                self.position += 1
        if end and self.at_end():
            raise ScriptError(f"a {end} is missing")
        self.position += len(end)
        parts.append(Text(plain, quoted=True))
        return tuple(part for part in parts if part != Text("", quoted=True)) or ()

    def _expansion(self, *, quoted: bool) -> Part:
        if self.peek("`"):
            text = self._until("`", self.position + 1).replace("\\`", "`").replace("\\$", "$")
            return Output(self.commands_in(text), quoted)
        self.position += 1
        if self.peek("("):
            text = self._balanced()
            if text.startswith("(") and self._is_one_bracket(text):
                return Arithmetic(self._expanded(text[1:-1]), quoted)
            return Output(self.commands_in(text), quoted)
        if self.peek("{"):
            return self._braced(quoted=quoted)
        if name := self.match(_PARAMETER):
            return Parameter(name=name, quoted=quoted)
        return Text("$", quoted=quoted)

    def _braced(self, *, quoted: bool) -> Part:
        text = self._balanced("{", "}")
        if re.fullmatch(r"#[A-Za-z_0-9]+", text):
            return Parameter(name=text[1:], operator="#length", quoted=quoted)
        found = _BRACED.match(text)
        if not found:
            raise ScriptError(f"${{{text}}}")
        rest = text[found.end() :]
        if rest and not found[2]:
            raise ScriptError(f"${{{text}}}")
        if quoted:
            # Quotes within quotes end and begin them again: all of it stays quoted.
            word = type(self)(re.sub(r'(?<!\\)"', "", rest)).quoted_until("")
        else:
            word = type(self)(rest).all_parts()
        return Parameter(name=found[1], operator=found[2], word=word, quoted=quoted)

    def all_parts(self) -> Word:
        """Everything as one word, blanks included."""
        parts: list[Part] = []
        while not self.at_end():
            if self._script[self.position] in _BREAK:
                parts.append(Text(self._script[self.position]))
                self.position += 1
            else:
                parts.extend(self.word())
        return tuple(parts)

    def _until(self, end: str, start: int) -> str:
        position = start
        while position < len(self._script) and not self._script.startswith(end, position):
            position += 2 if end == "`" and self._script[position] == "\\" else 1
        if position >= len(self._script):
            raise ScriptError(f"a {end} is missing")
        self.position = position + 1
        return self._script[start:position]

    def _is_one_bracket(self, text: str) -> bool:
        inner = type(self)(text)
        inner._balanced()  # noqa: SLF001 - another reader of the same class
        return inner.at_end()

    def _balanced(self, opening: str = "(", closing: str = ")") -> str:
        """The text between brackets, those in quotes not counted."""
        start = self.position + 1
        depth = 0
        quote = ""
        while not self.at_end():
            character = self._script[self.position]
            if character == "\\" and quote != "'":
                self.position += 1
            elif quote:
                quote = "" if character == quote else quote
            elif character in "'\"":
                quote = character
            elif character in opening + closing:
                depth += 1 if character == opening else -1
            self.position += 1
            if not depth:
                return self._script[start : self.position - 1]
        raise ScriptError(f"a {closing} is missing")
