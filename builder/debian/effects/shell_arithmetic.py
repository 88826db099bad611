"""``$((...))``: whole numbers of 64 bits.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html#tag_18_06_04
"""

import re
from collections.abc import Callable, Mapping

from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

_TOKEN = re.compile(
    r"\s*(0[xX][0-9a-fA-F]+|[0-9]+|[A-Za-z_][A-Za-z0-9_]*|<<|>>|<=|>=|==|!=|&&|\|\||[-+*/%<>&^|!~?:()])",
    re.ASCII,
)
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("||",), ("&&",), ("|",), ("^",), ("&",), ("==", "!="), ("<", "<=", ">", ">="),
    ("<<", ">>"), ("+", "-"), ("*", "/", "%"),
)  # fmt: skip
_DIVISIONS = frozenset({"/", "%"})


def quotient(a: int, b: int) -> int:
    """A division as C does it, towards zero."""
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


_OPERATIONS: Mapping[str, Callable[[int, int], int]] = {
    "||": lambda a, b: int(bool(a or b)),
    "&&": lambda a, b: int(bool(a and b)),
    "|": lambda a, b: a | b,
    "^": lambda a, b: a ^ b,
    "&": lambda a, b: a & b,
    "==": lambda a, b: int(a == b),
    "!=": lambda a, b: int(a != b),
    "<": lambda a, b: int(a < b),
    "<=": lambda a, b: int(a <= b),
    ">": lambda a, b: int(a > b),
    ">=": lambda a, b: int(a >= b),
    "<<": lambda a, b: a << (b & 63),
    ">>": lambda a, b: a >> (b & 63),
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": quotient,
    "%": lambda a, b: a - b * quotient(a, b),
}


def evaluate(text: str, value: Callable[[str], str | None]) -> str:
    """The value of an expression; unknown where a part of it is.

    Args:
        text: expanded already.
        value: of a variable.

    Raises:
        ScriptError: it is no expression, or one that assigns.
    """
    if UNKNOWN in text:
        return UNKNOWN
    expression = _Expression(text, value)
    number = expression.whole()
    return UNKNOWN if number is None else str(number)


class _Expression:
    """A recursive descent; None is an unknown number."""

    def __init__(self, text: str, value: Callable[[str], str | None]) -> None:
        self._text = text
        self._tokens = _tokens(text)
        self._value = value

    def whole(self) -> int | None:
        number = self._choice() if self._tokens else 0
        if self._tokens:
            raise ScriptError(f"$(({self._text}))")
        return number

    def _choice(self) -> int | None:
        condition = self._binary(0)
        if not self._take("?"):
            return condition
        first = self._choice()
        if not self._take(":"):
            raise ScriptError(f"$(({self._text}))")
        second = self._choice()
        if condition is None:
            return None
        return first if condition else second

    def _binary(self, level: int) -> int | None:
        if level == len(_LEVELS):
            return self._unary()
        left = self._binary(level + 1)
        while self._tokens and self._tokens[0] in _LEVELS[level]:
            operator = self._tokens.pop(0)
            right = self._binary(level + 1)
            if left is None or right is None:
                left = None
            elif not right and operator in _DIVISIONS:
                raise ScriptError(f"$(({self._text})): division by zero")
            else:
                left = _wrapped(_OPERATIONS[operator](left, right))
        return left

    def _unary(self) -> int | None:
        token = self._tokens.pop(0) if self._tokens else ""
        if token in {"+", "-", "!", "~"}:
            number = self._unary()
            signs: Mapping[str, Callable[[int], int]] = {
                "+": lambda a: a,
                "-": lambda a: -a,
                "!": lambda a: int(not a),
                "~": lambda a: ~a,
            }
            return None if number is None else _wrapped(signs[token](number))
        if token == "(":  # noqa: S105 - no password
            inner = self._choice()
            if not self._take(")"):
                raise ScriptError(f"$(({self._text}))")
            return inner
        if re.match(r"[A-Za-z_]", token):
            token = (self._value(token) or "0").strip()
            if UNKNOWN in token:
                return None
        return _number(token)

    def _take(self, token: str) -> bool:
        if self._tokens[:1] == [token]:
            self._tokens.pop(0)
            return True
        return False


def _tokens(text: str) -> list[str]:
    found: list[str] = []
    position = 0
    text = text.rstrip()
    while position < len(text):
        token = _TOKEN.match(text, position)
        if not token:
            raise ScriptError(f"$(({text[:60]}))")
        found.append(token[1])
        position = token.end()
    return found


def _number(text: str) -> int:
    if re.fullmatch(r"[-+]?0[xX][0-9a-fA-F]{1,16}", text):
        return _wrapped(int(text, 16))
    if re.fullmatch(r"[-+]?0[0-7]{1,21}", text):
        return _wrapped(int(text, 8))
    if re.fullmatch(r"[-+]?(?:0|[1-9][0-9]{0,18})", text):
        return _wrapped(int(text))
    raise ScriptError(f"{text[:30]!r} is no number")


def _wrapped(number: int) -> int:
    return (number + (1 << 63)) % (1 << 64) - (1 << 63)
