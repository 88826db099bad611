"""Commands that maintainer scripts decide by: texts, names, comparisons."""

import hashlib
import posixpath
import re
from collections.abc import Mapping

from builder.debian.effects.options import parse_options
from builder.debian.effects.printf import printf, unescaped
from builder.debian.effects.sed import sed
from builder.debian.effects.shell_arithmetic import quotient
from builder.debian.effects.shell_call import (
    DONE,
    FAILED,
    MAYBE,
    Answer,
    Call,
    Command,
    unknown,
)
from builder.debian.effects.shell_programs import PATHS
from builder.debian.effects.shell_streams import content_of
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.text_filters import TEXT_FILTERS, inputs
from builder.debian.effects.unknown import UNKNOWN

_PAIR, _TRIPLE = 2, 3
_MOST_NUMBERS = 10_000
_INTEGER = re.compile(r"-?[0-9]{1,18}")


def _echo(call: Call) -> Answer:
    words = call.arguments
    newline = "" if words[:1] == ["-n"] else "\n"
    text = " ".join(words if newline else words[1:])
    return Answer(0, (text if call.shell.is_bash else unescaped(text)) + newline)


def _printf(call: Call) -> Answer:
    form, *values = call.arguments[int(call.arguments[:1] == ["--"]) :] or [""]
    text, is_right = printf(form, values)
    return Answer(int(not is_right), text)


def _cat(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if parsed.options.keys() - {"-u"}:
        return Answer(0, UNKNOWN)
    texts = [text for _, text in inputs(call, parsed.operands)]
    return Answer(int(None in texts), "".join(text or "" for text in texts))


def _basename(call: Call) -> Answer:
    words = [word for word in call.arguments if word != "--"]
    if not words or words[0].startswith("-"):
        return Answer(0, UNKNOWN)
    if UNKNOWN in "".join(words):
        return Answer(0, f"{UNKNOWN}\n")
    if call.name == "dirname":
        above = posixpath.dirname(words[0].rstrip("/")) if words[0].strip("/") else words[0][:1]
        return Answer(0, f"{above.rstrip('/') or above[:1] or '.'}\n")
    name = posixpath.basename(words[0].rstrip("/")) or words[0][:1]
    suffix = words[1] if len(words) > 1 else ""
    return Answer(0, f"{name.removesuffix(suffix) if suffix != name else name}\n")


def _which(call: Call) -> Answer:
    output = ""
    names = [one for one in call.arguments if not one.startswith("-")]
    if UNKNOWN in "".join(names):
        return MAYBE
    found = [_program(call, name) for name in names]
    output = "".join(f"{path}\n" for path in found if path)
    return Answer(int(None in found or not found), output)


def _program(call: Call, name: str) -> str | None:
    if "/" in name:
        return name if call.files.files.is_executable(call.path(name)) else None
    for directory in PATHS:
        path = f"{directory}/{name}"
        if call.files.files.is_executable(path):
            return path
    return None


def _command(call: Call) -> Answer:
    if call.arguments[:1] in (["-v"], ["-V"]):
        names = call.arguments[1:]
        if names and call.shell.knows(names[0]):
            return Answer(0, f"{names[0]}\n")
        return _which(call)
    words = call.arguments[int(call.arguments[:1] == ["-p"]) :]
    return call.shell.call(words, call.stdin) if words else DONE


def _expr(call: Call) -> Answer:
    words = call.arguments
    if len(words) != _TRIPLE or UNKNOWN in "".join(words):
        return MAYBE
    left, operator, right = words
    order = {"<": -1, "<=": -1, "=": 0, "==": 0, "!=": 1, ">=": 1, ">": 1}
    are_numbers = _INTEGER.fullmatch(left) and _INTEGER.fullmatch(right)
    if are_numbers and operator in {"+", "-", "*", "/", "%"}:
        return _computed(int(left), operator, int(right))
    if operator not in order:
        return MAYBE
    a, b = (int(left), int(right)) if are_numbers else (left, right)
    sign = (a > b) - (a < b)  # type: ignore[operator] # both are of one kind
    holds = {
        "<": sign < 0, "<=": sign <= 0, "=": sign == 0, "==": sign == 0,
        "!=": sign != 0, ">=": sign >= 0, ">": sign > 0,
    }[operator]  # fmt: skip
    return Answer(int(not holds), f"{int(holds)}\n")


def _computed(left: int, operator: str, right: int) -> Answer:
    if operator in {"/", "%"} and not right:
        return Answer(2)
    number = {
        "+": left + right,
        "-": left - right,
        "*": left * right,
        "/": quotient(left, right or 1),
        "%": left - right * quotient(left, right or 1),
    }[operator]
    return Answer(int(not number), f"{number}\n")


def _seq(call: Call) -> Answer:
    numbers = [int(word) for word in call.arguments if _INTEGER.fullmatch(word)]
    if len(numbers) != len(call.arguments) or not 1 <= len(numbers) <= _TRIPLE:
        return Answer(0, UNKNOWN)
    first = numbers[0] if len(numbers) > 1 else 1
    step = numbers[1] if len(numbers) == _TRIPLE else 1
    last = numbers[-1]
    if not step:
        return FAILED
    found = range(first, last + (1 if step > 0 else -1), step)
    if (last - first) // step > _MOST_NUMBERS:
        raise ScriptError(f"seq {' '.join(call.arguments)} is too long")
    return Answer(0, "".join(f"{n}\n" for n in found))


def _cmp(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    contents = [content_of(call.shell, one) for one in parsed.operands[:_PAIR]]
    if None in contents or len(contents) != _PAIR:
        return Answer(2)
    if parsed.options.keys() - {"-s", "-q", "--quiet", "--silent", "--brief", "-u"}:
        return MAYBE
    if any(UNKNOWN in (content or "") for content in contents):
        return MAYBE
    is_talking = call.name == "diff" or not parsed.options
    is_same = contents[0] == contents[1]
    return DONE if is_same else Answer(1, UNKNOWN if is_talking else "")


def _digest(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if parsed.options:
        return MAYBE
    output = ""
    texts = list(inputs(call, parsed.operands))
    for operand, content in texts:
        if content is not None:
            data = content.encode("utf-8", "surrogateescape") if UNKNOWN not in content else b""
            name = call.name.removesuffix("sum")
            digest = hashlib.new(name, data, usedforsecurity=False).hexdigest()
            output += f"{UNKNOWN if UNKNOWN in content else digest}  {operand}\n"
    return Answer(int(any(content is None for _, content in texts)), output)


def _run_parts(call: Call) -> Answer:
    directory = parse_options(call.arguments, {"-a", "--arg", "--regex"}).operands[-1:] or ["/"]
    return call.left_undone() if call.files.tree(call.path(directory[0])) else DONE


def _perl(call: Call) -> Answer:
    return DONE if call.arguments == ["-e", ""] else call.left_undone()


TEXT_COMMANDS: Mapping[str, Command] = {
    **TEXT_FILTERS,
    "echo": _echo,
    "printf": _printf,
    "cat": _cat,
    "basename": _basename,
    "dirname": _basename,
    "which": _which,
    "command": _command,
    "expr": _expr,
    "sed": sed,
    "cmp": _cmp,
    "diff": _cmp,
    **dict.fromkeys(("md5sum", "sha1sum", "sha256sum", "sha512sum"), _digest),
    "seq": _seq,
    "perl": _perl,
    "run-parts": _run_parts,
    **dict.fromkeys(("date", "debconf-show", "tty", "logname", "nproc", "df", "du"), unknown),
}
