"""``sed``, as far as scripts mostly use it: substitutions, and lines left out or printed.

https://pubs.opengroup.org/onlinepubs/9699919799/utilities/sed.html
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from builder.debian.effects.options import parse_options
from builder.debian.effects.posix_regex import posix_regex
from builder.debian.effects.shell_call import DONE, Answer, Call
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.text_filters import inputs, lines_of
from builder.debian.effects.unknown import UNKNOWN

_ADDRESS = re.compile(r"[\s;]*(?:/((?:[^/\\\n]|\\.)*)/|([0-9]{1,6}|\$)|)\s*(!?)\s*")
_SUBSTITUTE = re.compile(
    r"s([/|,#@:!%_])((?:(?!\1)[^\\\n]|\\.)*)\1((?:(?!\1)[^\\\n]|\\.)*)\1([gpI]*)"
)
_SIMPLE = re.compile(r"[dp]")
_END = re.compile(r"\s*(?:[;\n]\s*|\Z)")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    address: Callable[[int, int, str], bool]
    kind: str
    search: Callable[[str], "re.Match[str] | None"] | None = None
    replacement: str = ""
    flags: str = ""


def sed(call: Call) -> Answer:
    """Print, or with ``-i`` write back, what a program makes of lines."""
    call = replace(call, arguments=_one_program(call.arguments))
    is_in_place = any(re.match(r"-[nErs]*i|--in-place", word) for word in call.arguments)
    parsed = parse_options(call.arguments, {"-e", "--expression", "-f"})
    program, operands = parsed.get("-e", "--expression"), parsed.operands
    if program is None:
        program, *operands = operands or [""]
    known = {"-n", "-E", "-r", "-e", "--expression", "-i", "--in-place"}
    if parsed.options.keys() - known:
        return call.left_undone() if is_in_place or _writes(program) else Answer(0, UNKNOWN)
    steps = _steps(program, extended=parsed.has("-E", "-r")) if UNKNOWN not in program else None
    if steps is None and (is_in_place or _writes(program)):
        return call.left_undone()
    if is_in_place:
        return _in_place(call, steps or [], operands, quiet=parsed.has("-n"))
    texts = [text for _, text in inputs(call, operands)]
    whole = "".join(text or "" for text in texts)
    status = 2 * (None in texts)
    if not whole:
        return Answer(status)
    if steps is None or UNKNOWN in whole or not whole.endswith("\n"):
        return Answer(status, UNKNOWN)
    return Answer(status, _edited(steps, whole, quiet=parsed.has("-n")))


def _one_program(arguments: list[str]) -> list[str]:
    """The arguments with the programs of all ``-e`` as one."""
    extra = [f"-{word[1:-1]}" for word in arguments if re.fullmatch("-[nEr]+e", word)]
    rest: list[str] = []
    programs: list[str] = []
    given = iter(arguments)
    for word in given:
        if re.fullmatch("-[nEr]*e|--expression", word):
            programs.append(next(given, ""))
        elif word.startswith("--expression="):
            programs.append(word.partition("=")[2])
        else:
            rest.append(word)
    return [*extra, *(["-e", "\n".join(programs)] if programs else []), *rest]


def _writes(program: str) -> bool:
    """Whether a program that is not understood may write files or run programs."""
    return re.search(r"(?:^|[;\n/}0-9$!])\s*[we](?:\s|$)|/[gpI0-9]*[we]\s*", program) is not None


def _in_place(call: Call, steps: list[_Step], operands: list[str], *, quiet: bool) -> Answer:
    for name, text in inputs(call, operands):
        if text is None:
            return Answer(4)
        if UNKNOWN in text or UNKNOWN in name or (text and not text.endswith("\n")):
            return call.left_undone()
        # A link is replaced by a file of its own.
        if call.files.target(call.path(name)) is not None:
            return call.left_undone()
        call.files.write(
            call.path(name), _edited(steps, text, quiet=quiet).encode("utf-8", "surrogateescape")
        )
    return DONE


def _steps(program: str, *, extended: bool) -> list[_Step] | None:
    """The commands of a program; None when one of them is not understood."""
    steps: list[_Step] = []
    position = 0
    while position < len(program):
        address = _ADDRESS.match(program, position)
        position = address.end() if address else position
        command = _SUBSTITUTE.match(program, position) or _SIMPLE.match(program, position)
        if not address or not command:
            return None
        end = _END.match(program, command.end())
        step = _step(address, command, extended=extended)
        if not end or step is None:
            return None
        steps.append(step)
        position = end.end()
    return steps


def _step(  # noqa: PLR0911 - one for each thing that is not understood
    address: "re.Match[str]", command: "re.Match[str]", *, extended: bool
) -> _Step | None:
    where = _where(address, extended=extended)
    if where is None:
        return None
    if command[0][0] != "s":
        return _Step(address=where, kind=command[0])
    delimiter, pattern, replacement, flags = command.groups()
    if delimiter != "/" and f"\\{delimiter}" in pattern + replacement:
        return None
    if not pattern or re.search(r"\\[a-zA-Z0]", replacement.replace("\\n", "")):
        return None
    # An alternative may hide the longest match, which is meant.
    if "|" in pattern and (extended or "\\|" in pattern):
        return None
    pattern = pattern.replace("\\/", "/") if delimiter == "/" else pattern
    try:
        search = posix_regex(pattern, extended=extended, ignore_case="I" in flags)
    except ScriptError:
        return None
    return _Step(address=where, kind="s", search=search, replacement=replacement, flags=flags)


def _where(address: "re.Match[str]", *, extended: bool) -> Callable[[int, int, str], bool] | None:
    pattern, number, negation = address.groups()
    is_not = bool(negation)
    if number:
        return lambda index, count, _: (
            (index == (count if number == "$" else int(number))) != is_not
        )
    if pattern is None:
        return lambda _, __, ___: not is_not
    if not pattern:
        return None
    try:
        search = posix_regex(pattern.replace("\\/", "/"), extended=extended)
    except ScriptError:
        return None
    return lambda _, __, line: (search(line) is not None) != is_not


def _edited(steps: list[_Step], text: str, *, quiet: bool) -> str:
    lines = lines_of(text)
    done: list[str] = []
    for index, original in enumerate(lines, 1):
        line = original
        for step in steps:
            if not step.address(index, len(lines), line):
                continue
            if step.kind == "d":
                break
            is_changed = True
            if step.search:
                line, is_changed = _substituted(step, line)
            if step.kind == "p" or ("p" in step.flags and is_changed):
                done.append(line)
        else:
            if not quiet:
                done.append(line)
    return "".join(f"{line}\n" for line in done)


def _substituted(step: _Step, line: str) -> tuple[str, bool]:
    found = step.search(line) if step.search else None
    if not found:
        return line, False
    return found.re.sub(
        lambda one: _replaced(step.replacement, one), line, count=0 if "g" in step.flags else 1
    ), True


def _replaced(replacement: str, found: "re.Match[str]") -> str:
    def piece(one: "re.Match[str]") -> str:
        if one[0] == "&":
            return found[0]
        if one[1] in "123456789":
            return found[int(one[1])] or ""
        return "\n" if one[1] == "n" else one[1]

    return re.sub(r"&|\\(.)", piece, replacement, flags=re.DOTALL)
