"""``test`` and ``[``: what scripts ask of files and texts.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/test.html
"""

import re
from collections.abc import Callable, Mapping, Sequence

from builder.debian.effects.shell_call import DONE, FAILED, UNSURE, Answer, Call, Command
from builder.debian.effects.unknown import UNKNOWN, to_text

COMPARISONS: Mapping[str, Callable[[int, int], bool]] = {
    "-eq": lambda a, b: a == b,
    "-ne": lambda a, b: a != b,
    "-lt": lambda a, b: a < b,
    "-le": lambda a, b: a <= b,
    "-gt": lambda a, b: a > b,
    "-ge": lambda a, b: a >= b,
}


_NUMBER = re.compile(r"[ \t]*[-+]?[0-9]{1,18}[ \t]*", re.ASCII)
_SET_BITS = {"-u": 0o4000, "-g": 0o2000, "-k": 0o1000}
# Nothing runs where packages are composed, and there are no devices, pipes and sockets but those
# that every machine brings, and no terminal.
_NEVER = frozenset({"-b", "-p", "-S", "-t"})


class _WrongError(Exception):
    """The test cannot be evaluated: its status is 2."""


def _test(call: Call) -> Answer:
    words = list(call.arguments)
    if call.name == "[" and words[-1:] == ["]"]:
        words.pop()
    try:
        value = _Test(call, words).holds()
    except _WrongError:
        return Answer(2)
    return Answer(UNSURE) if value is None else DONE if value else FAILED


class _Test:
    """``test``: ``-o`` binds least, then ``-a``, then ``!``; None is what is unknown."""

    def __init__(self, call: Call, words: Sequence[str]) -> None:
        self._call = call
        self._words = list(words)

    def holds(self) -> bool | None:
        """The value of the whole."""
        if not self._words:
            return False
        value = self._either()
        if self._words:
            raise _WrongError
        return value

    def _either(self) -> bool | None:
        values = [self._both()]
        while self._take("-o"):
            values.append(self._both())
        return True if True in values else None if None in values else False

    def _both(self) -> bool | None:
        values = [self._primary()]
        while self._take("-a"):
            values.append(self._primary())
        return False if False in values else None if None in values else True

    def _primary(self) -> bool | None:
        words = self._words
        if len(words) > 2 and words[1] in _BINARY:  # noqa: PLR2004
            left, operator, right = words[:3]
            del words[:3]
            return _compare(left, operator, right)
        if len(words) > 1 and self._take("!"):
            value = self._primary()
            return None if value is None else not value
        if len(words) > 1 and self._take("("):
            value = self._either()
            self._take(")")
            return value
        if len(words) > 1 and re.fullmatch(r"-[a-zA-Z]", words[0]):
            operator, operand = words[:2]
            del words[:2]
            return self._unary(operator, operand)
        return _is_text(words.pop(0)) if words else False

    def _unary(self, operator: str, operand: str) -> bool | None:
        if operator in {"-n", "-z"}:
            value = _is_text(operand)
            return None if value is None else value == (operator == "-n")
        if not operand or operator in _NEVER:
            return False
        if UNKNOWN in operand:
            return None
        return self._file(operator, self._call.path(operand))

    def _file(self, operator: str, path: str) -> bool | None:  # noqa: PLR0911 - one each
        files = self._call.files
        match operator:
            case "-e" | "-r" | "-w" | "-O" | "-G":
                return files.has(path)
            case "-f":
                return files.is_file(path)
            case "-s":
                return self._is_filled(path)
            case "-x":
                return files.is_directory(path) or files.files.is_executable(path)
            case "-d":
                return files.is_directory(path)
            case "-h" | "-L":
                return files.target(path) is not None
            case "-c":
                return path in {"/dev/null", "/dev/zero", "/dev/random", "/dev/urandom"}
            case _ if operator in _SET_BITS:
                mode = files.files.files.get(files.files.resolve(path))
                return None if mode is None and files.has(path) else self._has_bit(mode, operator)
            case _:
                return None

    def _has_bit(self, mode: int | None, operator: str) -> bool:
        return bool((mode or 0) & _SET_BITS[operator])

    def _is_filled(self, path: str) -> bool | None:
        if not self._call.files.has(path):
            return False
        if self._call.files.is_directory(path):
            return True
        content = self._call.files.read(path)
        return None if content is None else _is_text(to_text(content))

    def _take(self, word: str) -> bool:
        if self._words[:1] == [word]:
            self._words.pop(0)
            return True
        return False


def _is_text(text: str) -> bool | None:
    """Whether it is not empty."""
    return None if text and not text.replace(UNKNOWN, "") else bool(text)


def _compare(left: str, operator: str, right: str) -> bool | None:
    if UNKNOWN in left + right or operator in {"-nt", "-ot", "-ef"}:
        return None
    if operator in COMPARISONS:
        if not (_NUMBER.fullmatch(left) and _NUMBER.fullmatch(right)):
            raise _WrongError
        return COMPARISONS[operator](int(left), int(right))
    return (left == right) != (operator == "!=")


_BINARY = frozenset({"=", "==", "!=", "-nt", "-ot", "-ef", *COMPARISONS})
CONDITIONS: Mapping[str, Command] = {"[": _test, "test": _test}
