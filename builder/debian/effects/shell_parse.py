"""Maintainer scripts read as a POSIX shell reads them."""

import re
from collections.abc import Callable, Collection

from builder.debian.effects.shell_syntax import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    If,
    List,
    Loop,
    Pipeline,
    Redirect,
    Redirected,
    Simple,
    Word,
)
from builder.debian.effects.shell_words import Reader, ScriptError

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=")
_REDIRECT = re.compile(r"([0-9]*)(<<-|<<|>>|<&|>&|>\||<>|&>|<|>)")
_OPERATORS = ("&&", "||", ";;", ";", "&", "|", "(", ")", "\n")
_ENDS = frozenset({"then", "elif", "else", "fi", "do", "done", "esac", "}"})


def parse(script: str) -> List:
    """The commands of a script.

    Raises:
        ScriptError: it is no script for ``sh``, or uses what is not understood here.
    """
    parser = _Parser(script)
    commands = parser.list_until(())
    if not parser.at_end():
        raise ScriptError(f"unexpected {parser.rest()!r}")
    return commands


class _Parser(Reader):
    """A recursive descent over the grammar, with words read by ``Reader``."""

    def list_until(self, ends: Collection[str]) -> List:
        """Commands up to a reserved word, a closing parenthesis, ``;;`` or the end."""
        found: list[AndOr] = []
        while True:
            self._separators()
            if self.at_end() or self._peek_any(")", ";;") or self._reserved() in ends:
                return tuple(found)
            if self._reserved() in _ENDS:
                raise ScriptError(f"unexpected {self.rest()!r}")
            found.append(self._and_or())

    def _separators(self) -> None:
        while True:
            self.skip_blank()
            if self.peek("\n"):
                self.newline()
            elif (self.peek(";") and not self.peek(";;")) or (
                self.peek("&") and not self.peek("&&")
            ):
                self.advance(1)
            else:
                return

    def _and_or(self) -> AndOr:
        first = self._pipeline()
        rest: list[tuple[str, Pipeline]] = []
        while operator := self._peek_any("&&", "||"):
            self.advance(2)
            self._newlines()
            rest.append((operator, self._pipeline()))
        return AndOr(first=first, rest=tuple(rest))

    def _pipeline(self) -> Pipeline:
        self.skip_blank()
        negated = self._reserved() == "!"
        if negated:
            self.advance(1)
        commands = [self._command()]
        while self._peek_any("|") and not self.peek("||"):
            self.advance(1)
            self._newlines()
            commands.append(self._command())
        return Pipeline(commands=tuple(commands), negated=negated)

    def _command(self) -> Redirected:
        self.skip_blank()
        compound: dict[str, Callable[[], If | Case | For | Loop | Group]] = {
            "if": self._if,
            "case": self._case,
            "for": self._for,
            "while": self._loop,
            "until": self._loop,
            "{": self._braces,
        }
        if (word := self._reserved()) in compound:
            command = compound[word]()
            return Redirected(command=command, redirects=self._redirects())
        if self.peek("("):
            body = self._parentheses()
            return Redirected(command=body, redirects=self._redirects())
        if function := self._function():
            return Redirected(command=function)
        return self._simple()

    def _if(self) -> If:
        branches: list[tuple[List, List]] = []
        word = "if"
        while word in {"if", "elif"}:
            self.advance(len(word))
            condition = self.list_until({"then"})
            self._expect("then")
            branches.append((condition, self.list_until({"elif", "else", "fi"})))
            word = self._reserved()
        otherwise = None
        if word == "else":
            self.advance(4)
            otherwise = self.list_until({"fi"})
        self._expect("fi")
        return If(branches=tuple(branches), otherwise=otherwise)

    def _case(self) -> Case:
        self.advance(4)
        word = self._need_word()
        self._newlines()
        self._expect("in")
        branches: list[tuple[tuple[Word, ...], List]] = []
        while True:
            self._newlines()
            if self._reserved() == "esac":
                self.advance(4)
                return Case(word=word, branches=tuple(branches))
            if self.peek("("):
                self.advance(1)
            patterns = [self._need_word()]
            while self._peek_any("|"):
                self.advance(1)
                patterns.append(self._need_word())
            self._expect_operator(")")
            branches.append((tuple(patterns), self.list_until({"esac"})))
            if self._peek_any(";;"):
                self.advance(2)

    def _for(self) -> For:
        self.advance(3)
        self.skip_blank()
        name = self.match(_NAME)
        if not name:
            raise ScriptError(f"no name after for: {self.rest()!r}")
        self._newlines()
        words: list[Word] | None = None
        if self._reserved() == "in":
            self.advance(2)
            words = []
            while word := self._word():
                words.append(word)
        self._separators()
        body = self._do()
        return For(name=name, words=None if words is None else tuple(words), body=body)

    def _loop(self) -> Loop:
        until = self._reserved() == "until"
        self.advance(5)
        condition = self.list_until({"do"})
        return Loop(condition=condition, body=self._do(), until=until)

    def _do(self) -> List:
        self._expect("do")
        body = self.list_until({"done"})
        self._expect("done")
        return body

    def _braces(self) -> Group:
        self.advance(1)
        body = self.list_until({"}"})
        self._expect("}")
        return Group(body=body, own=False)

    def _parentheses(self) -> Group:
        self.advance(1)
        body = self.list_until(())
        self._expect_operator(")")
        return Group(body=body, own=True)

    def _function(self) -> Function | None:
        start = self.position
        name = self.match(re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*(?=[ \t]*\([ \t]*\))"))
        if not name:
            return None
        self.match(re.compile(r"[ \t]*\([ \t]*\)"))
        self._newlines()
        if self._reserved() not in {"{", "if", "case", "for", "while"} and not self.peek("("):
            self.position = start
            return None
        return Function(name=name, body=self._command())

    def _simple(self) -> Redirected:
        assignments: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.skip_blank()
            if redirect := self._redirect():
                redirects.append(redirect)
            elif not words and (assignment := self.match(_ASSIGNMENT)):
                assignments.append((assignment[:-1], self._word() or ()))
            elif word := self._word():
                words.append(word)
            else:
                break
        if not (assignments or words or redirects):
            raise ScriptError(f"no command at {self.rest()!r}")
        simple = Simple(assignments=tuple(assignments), words=tuple(words))
        return Redirected(command=simple, redirects=tuple(redirects))

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        while redirect := self._redirect():
            found.append(redirect)
        return tuple(found)

    def _redirect(self) -> Redirect | None:
        self.skip_blank()
        operator = self.match(_REDIRECT)
        if not operator:
            return None
        digits = operator.rstrip("<>&|-")
        kind = operator[len(digits) :]
        word = self._need_word()
        if kind in {"<<", "<<-"}:
            word = self.here_document(word, strip_tabs=kind == "<<-")
            kind = "<<"
        return Redirect(descriptor=int(digits) if digits else None, operator=kind, word=word)

    def _word(self) -> Word | None:
        self.skip_blank()
        if self.at_end() or any(self.peek(operator) for operator in _OPERATORS):
            return None
        parts = self.word()
        return parts or None

    def _need_word(self) -> Word:
        word = self._word()
        if word is None:
            raise ScriptError(f"a word is missing at {self.rest()!r}")
        return word

    def _reserved(self) -> str:
        """The plain word that comes next, for comparison with reserved ones."""
        self.skip_blank()
        return self.look(re.compile(r"[A-Za-z]+(?![^\s;&|()<>])|[{}!](?![^\s;&|()<>])")) or ""

    def _newlines(self) -> None:
        self.skip_blank()
        while self.peek("\n"):
            self.newline()
            self.skip_blank()

    def _peek_any(self, *operators: str) -> str:
        self.skip_blank()
        return next((operator for operator in operators if self.peek(operator)), "")

    def _expect(self, word: str) -> None:
        if self._reserved() != word:
            raise ScriptError(f"expected {word}, got {self.rest()!r}")
        self.advance(len(word))

    def _expect_operator(self, operator: str) -> None:
        self.skip_blank()
        if not self.peek(operator):
            raise ScriptError(f"expected {operator}, got {self.rest()!r}")
        self.advance(len(operator))

    def commands_in(self, text: str) -> List:
        """The commands of ``$(...)``, whose text ``Reader`` has found."""
        return parse(text)
