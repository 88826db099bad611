"""``printf`` and the escapes of ``echo``.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/printf.html
"""

import re

from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

_PIECE = re.compile(r"%(%|([-0+ #]*)([0-9]{0,4})(?:\.([0-9]{0,4}))?([sbcdiouxX]))", re.ASCII)
_ESCAPE = re.compile(r"\\(0[0-7]{0,3}|[abcfnrtv\\])")
_OF_FORMAT = re.compile(r"\\([0-7]{1,3}|[abfnrtv\\\"])")
_CHARACTERS = {
    "a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v",
}  # fmt: skip
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")


def unescaped(text: str) -> str:
    """What ``echo`` prints in a shell that knows escapes.

    Raises:
        ScriptError: it ends its output early.
    """
    if "\\c" in text.replace("\\\\", ""):
        raise ScriptError("an escape that ends the output")
    return _ESCAPE.sub(_character, text)


def _character(found: "re.Match[str]") -> str:
    code = found[1]
    if code[0].isdecimal():
        return bytes([int(code, 8) & 255]).decode("utf-8", "surrogateescape")
    return _CHARACTERS.get(code, code)


def printf(form: str, values: list[str]) -> tuple[str, bool]:
    """The text, and whether all numbers were numbers; the format is used until no value is left.

    Raises:
        ScriptError: the format is not understood.
    """
    if UNKNOWN in form:
        return UNKNOWN, True
    rest = list(values)
    text, is_right = _once(form, rest)
    while rest:
        before = len(rest)
        more, is_more = _once(form, rest)
        if len(rest) == before:
            break
        text, is_right = text + more, is_right and is_more
        if len(text) > 1 << 20:
            raise ScriptError("a text grows too long")
    return text, is_right


def _once(form: str, rest: list[str]) -> tuple[str, bool]:
    done = ""
    is_right = True
    position = 0
    while position < len(form):
        piece = _PIECE.match(form, position)
        escape = _OF_FORMAT.match(form, position)
        if piece and piece[1] == "%":
            done += "%"
        elif piece:
            text, is_number = _converted(piece, rest.pop(0) if rest else "")
            done, is_right = done + text, is_right and is_number
        elif escape:
            done += _character(escape)
        elif form[position] == "%" or form.startswith("\\c", position):
            raise ScriptError(f"printf {form!r}")
        else:
            done += form[position]
        found = piece or escape
        position = found.end() if found else position + 1
    return done, is_right


def _converted(piece: "re.Match[str]", value: str) -> tuple[str, bool]:
    _, flags, width, precision, kind = piece.groups()
    flags = flags or ""
    limit = "" if precision is None else f".{precision}"
    if UNKNOWN in value:
        return UNKNOWN, True
    if kind in "sbc":
        value = unescaped(value) if kind == "b" else value[:1] if kind == "c" else value
        if not value.isascii() and (width or limit):
            return UNKNOWN, True
        return f"%{flags}{width}{limit}s" % value, True
    is_number = _INTEGER.fullmatch(value) is not None
    if (value and not is_number) or re.fullmatch(r"[-+]?0[0-9]+", value):
        return UNKNOWN, True
    number = int(value or 0)
    if number < 0 and kind in "ouxX":
        return UNKNOWN, True
    return f"%{flags}{width}{limit}{'d' if kind in 'iu' else kind}" % number, True
