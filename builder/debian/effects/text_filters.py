"""Filters: commands that read lines and print lines.

https://pubs.opengroup.org/onlinepubs/9699919799/idx/utilities.html
"""

import re
from collections.abc import Callable, Iterator, Mapping

from builder.debian.effects.options import Parsed, parse_options
from builder.debian.effects.posix_regex import posix_regex
from builder.debian.effects.shell_call import MAYBE, UNSURE, Answer, Call, Command
from builder.debian.effects.shell_streams import content_of
from builder.debian.effects.unknown import UNKNOWN

_OPEN = Answer(0, UNKNOWN)
_Filter = Callable[[Call, Parsed, str], str]
_RANGE = re.compile(r"([0-9]{0,6})(-?)([0-9]{0,6})")
_MEMBERS = {
    "[:upper:]": "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "[:lower:]": "abcdefghijklmnopqrstuvwxyz",
    "[:digit:]": "0123456789", "[:space:]": " \t\n\v\f\r", "[:blank:]": " \t",
}  # fmt: skip
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\"}


def inputs(call: Call, operands: list[str]) -> Iterator[tuple[str, str | None]]:
    """Names of the files that a command reads, and their content; ``-`` is what it is given."""
    for operand in operands or ["-"]:
        content = call.stdin.read() if operand == "-" else content_of(call.shell, operand)
        yield operand, content


def lines_of(text: str) -> list[str]:
    """The lines of a text, without their ends."""
    return text.removesuffix("\n").split("\n") if text else []


def _filter(work: _Filter, flags: str, with_value: str = "") -> Command:
    """A filter over all its operands as one text; with other options its output is unknown."""
    valued = {f"-{letter}" for letter in with_value}

    def command(call: Call) -> Answer:
        parsed = parse_options(call.arguments, valued)
        known = {f"-{letter}" for letter in flags} | valued
        texts = [text for _, text in inputs(call, parsed.operands)]
        whole = "".join(text or "" for text in texts)
        call.shell.progress.spend(len(whole))
        status = int(None in texts)
        if UNKNOWN in whole + "".join(call.arguments) or parsed.options.keys() - known:
            return Answer(status, UNKNOWN)
        return Answer(status, work(call, parsed, whole))

    return command


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _sort(_: Call, parsed: Parsed, text: str) -> str:
    lines = sorted(lines_of(text), key=lambda line: line.encode("utf-8", "surrogateescape"))
    if parsed.has("-n"):
        numbers = [re.match(r"\s*(-?[0-9]{1,18})?(?![.0-9])", line) for line in lines]
        if None in numbers:
            return UNKNOWN
        keys = {
            line: int(found[1] or 0) for line, found in zip(lines, numbers, strict=True) if found
        }
        if parsed.has("-u"):
            return UNKNOWN
        lines.sort(key=lambda line: keys[line])
    lines = list(dict.fromkeys(lines)) if parsed.has("-u") else lines
    return _joined(lines[::-1] if parsed.has("-r") else lines)


def _uniq(_: Call, __: Parsed, text: str) -> str:
    lines = lines_of(text)
    return _joined(
        [line for index, line in enumerate(lines) if [line] != lines[max(0, index - 1) : index]]
    )


def _part(call: Call) -> Answer:
    """``head`` and ``tail``, by lines or bytes of one file."""
    words = [re.sub(r"^-([0-9]+)$", r"-n\1", word) for word in call.arguments]
    parsed = parse_options(words, {"-n", "-c", "--lines", "--bytes"})
    found = list(inputs(call, parsed.operands))
    text = found[0][1]
    if text is None:
        return Answer(1)
    count = parsed.get("-n", "--lines") or "10"
    is_from = count.startswith("+") and call.name == "tail"
    number = re.fullmatch(r"[+]?([0-9]{1,9})", count)
    is_other = len(found) > 1 or parsed.options.keys() - {"-n", "--lines", "-q"}
    if UNKNOWN in text or is_other or not number:
        return _OPEN
    lines = re.findall(r"[^\n]*\n|[^\n]+\Z", text)
    size = int(number[1])
    if call.name == "head":
        return Answer(0, "".join(lines[:size]))
    start = max(0, size - 1) if is_from else max(0, len(lines) - size)
    return Answer(0, "".join(lines[start:]))


def _wc(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    found = list(inputs(call, parsed.operands))
    text = found[0][1]
    if text is None:
        return Answer(1)
    counts = {
        "-l": text.count("\n"),
        "-w": len(text.split()),
        "-c": len(text.encode("utf-8", "surrogatepass")),
    }
    if (
        UNKNOWN in text
        or len(found) > 1
        or len(parsed.options) != 1
        or set(parsed.options) - set(counts)
    ):
        return _OPEN
    name = f" {parsed.operands[0]}" if parsed.operands else ""
    return Answer(0, f"{counts[next(iter(parsed.options))]}{name}\n")


def _cut(_: Call, parsed: Parsed, text: str) -> str:
    ranges = [_RANGE.fullmatch(one) for one in (parsed.get("-f", "-c", "-b") or "").split(",")]
    chosen: list[range] = []
    for found in ranges:
        if (
            not found
            or not (found[1] or found[3])
            or (parsed.has("-b", "-c") and not text.isascii())
        ):
            return UNKNOWN
        first = int(found[1] or 1)
        last = int(found[3] or (1 << 20)) if found[2] else first
        chosen.append(range(first, last + 1))
    delimiter = parsed.get("-d") or "\t"
    done: list[str] = []
    for line in lines_of(text):
        is_whole = parsed.has("-f") and delimiter not in line
        fields = line.split(delimiter) if parsed.has("-f") else list(line)
        kept = [f for number, f in enumerate(fields, 1) if any(number in one for one in chosen)]
        if not is_whole:
            done.append((delimiter if parsed.has("-f") else "").join(kept))
        elif not parsed.has("-s"):
            done.append(line)
    return _joined(done)


def _tr(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    text = call.stdin.read()
    sets = [_members(one) for one in parsed.operands]
    flags = set(parsed.options)
    if UNKNOWN in text or None in sets or not sets or flags - {"-d", "-s"} or len(flags) > 1:
        return _OPEN
    first, *rest = [one or "" for one in sets]
    if flags:
        if rest:
            return _OPEN
        repeat = f"([{re.escape(first)}])\\1+"
        return Answer(0, re.sub(repeat, r"\1", text) if "-s" in flags else _without(text, first))
    if len(rest) != 1 or not rest[0]:
        return _OPEN
    second = rest[0] + rest[0][-1] * len(first)
    return Answer(0, text.translate(dict(zip(map(ord, first), second, strict=False))))


def _without(text: str, members: str) -> str:
    return text.translate(dict.fromkeys(map(ord, members)))


def _members(text: str) -> str | None:
    """The characters of a set; None when it is not understood."""
    found = ""
    pieces = re.findall(r"\[:[a-z]+:\]|\\.|.", text, re.DOTALL)
    while pieces:
        piece = pieces.pop(0)
        if piece.startswith("[:"):
            if piece not in _MEMBERS:
                return None
            found += _MEMBERS[piece]
        elif piece.startswith("\\") and len(piece) > 1:
            if piece[1].isalnum() and piece[1] not in _ESCAPES:
                return None
            found += _ESCAPES.get(piece[1], piece[1])
        elif piece == "[":
            return None
        elif pieces[:1] == ["-"] and len(pieces) > 1:
            end = pieces[1]
            del pieces[:2]
            if len(end) > 1 or not (piece.isascii() and end.isascii()):
                return None
            found += "".join(map(chr, range(ord(piece), ord(end) + 1)))
        else:
            found += piece
    return found


_GREP_LONG = {
    "--quiet": "-q", "--silent": "-q", "--ignore-case": "-i", "--invert-match": "-v",
    "--fixed-strings": "-F", "--extended-regexp": "-E", "--count": "-c", "--no-messages": "-s",
    "--word-regexp": "-w", "--line-regexp": "-x", "--only-matching": "-o",
    "--files-with-matches": "-l", "--no-filename": "-h", "--regexp": "-e",
}  # fmt: skip
_GREP_FLAGS = frozenset(f"-{letter}" for letter in "cowivEFGqsxlhe")


def _grep(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-e", "--regexp", "-f", "-m", "-A", "-B", "-C"})
    options = {_GREP_LONG.get(name, name): value for name, value in parsed.options.items()}
    options |= {"egrep": {"-E": ""}, "fgrep": {"-F": ""}}.get(call.name, {})
    operands = parsed.operands
    pattern = options.get("-e")
    if pattern is None:
        pattern, *operands = operands or [""]
    if UNKNOWN in pattern or options.keys() - _GREP_FLAGS or call.arguments.count("-e") > 1:
        return MAYBE
    texts = list(inputs(call, operands))
    return _Grep(pattern, options, has_names=len(texts) > 1).answer(texts)


class _Grep:
    def __init__(self, pattern: str, options: Mapping[str, str], *, has_names: bool) -> None:
        self._options = options
        self._has_names = has_names and "-h" not in options
        self._is_alternative = "|" in pattern
        self._searches = [
            posix_regex(
                re.sub(r"([.\[\]*+?(){}|^$\\])", r"\\\1", one) if "-F" in options else one,
                extended="-E" in options or "-F" in options,
                ignore_case="-i" in options,
            )
            for one in pattern.split("\n")
        ]

    def answer(self, texts: list[tuple[str, str | None]]) -> Answer:
        output = ""
        is_found = False
        is_unsure = False
        for name, text in texts:
            lines = lines_of(text or "")
            known = [line for line in lines if UNKNOWN not in line]
            is_unsure = is_unsure or len(known) < len(lines)
            found = [line for line in known if bool(self._match(line)) != ("-v" in self._options)]
            is_found = is_found or bool(found)
            output += self._shown(name, found)
        status = 0 if is_found else UNSURE if is_unsure else 2 if self._is_missing(texts) else 1
        if "-q" in self._options:
            return Answer(status)
        if not is_found and self._is_missing(texts):
            status = 2
        return Answer(status, UNKNOWN if is_unsure else output)

    def _is_missing(self, texts: list[tuple[str, str | None]]) -> bool:
        return any(text is None for _, text in texts)

    def _match(self, line: str) -> str | None:
        """What matches; the shortest way to tell is a search."""
        for search in self._searches:
            found = search(line)
            if not found:
                continue
            if "-x" in self._options and found[0] != line:
                # The longest match is meant, alternatives may hide it.
                anchored = re.fullmatch(found.re, line)
                if not anchored:
                    continue
            if "-w" in self._options and not _is_word(line, found):
                if re.search(rf"(?<!\w)(?:{found.re.pattern})(?!\w)", line, found.re.flags):
                    return found[0] or line
                continue
            return found[0] or line
        return None

    def _shown(self, name: str, found: list[str]) -> str:
        prefix = f"{name}:" if self._has_names else ""
        if "-l" in self._options:
            return f"{name}\n" if found else ""
        if "-c" in self._options:
            return f"{prefix}{len(found)}\n"
        if "-o" in self._options and "-v" not in self._options:
            if (
                self._is_alternative
                or {"-w", "-x"} & self._options.keys()
                or len(self._searches) > 1
            ):
                return UNKNOWN
            return "".join(f"{prefix}{one}\n" for line in found for one in self._all(line))
        return "".join(f"{prefix}{line}\n" for line in found)

    def _all(self, line: str) -> list[str]:
        first = self._searches[0](line)
        return [one[0] for one in first.re.finditer(line) if one[0]] if first else []


def _is_word(line: str, found: "re.Match[str]") -> bool:
    around = line[found.start() - 1 : found.start()] if found.start() else ""
    around += line[found.end() : found.end() + 1]
    return not re.search(r"\w", around)


def _awk(call: Call) -> Answer:
    """One field of each line; other programs are not followed."""
    parsed = parse_options(call.arguments, {"-F", "-v", "-f"})
    program, *operands = parsed.operands or [""]
    found = re.fullmatch(r"\s*\{\s*print\s+\$([0-9])\s*;?\s*\}\s*", program)
    texts = [text for _, text in inputs(call, operands)]
    whole = "".join(text or "" for text in texts)
    separator = parsed.get("-F")
    is_open = parsed.options.keys() - {"-F"} or (
        separator and not re.fullmatch(r"[:,;=/]", separator)
    )
    if not found or UNKNOWN in whole or is_open:
        return Answer(0, UNKNOWN) if not _acts(program) else call.left_undone()
    number = int(found[1])
    lines = [[line, *line.split(separator)] for line in lines_of(whole)]
    return Answer(int(None in texts), _joined([(*one, "")[min(number, len(one))] for one in lines]))


def _acts(program: str) -> bool:
    """Whether a program may run others or write files."""
    return any(word in program for word in ("system", "|", ">", "getline"))


TEXT_FILTERS: Mapping[str, Command] = {
    "sort": _filter(_sort, "urn"),
    "uniq": _filter(_uniq, ""),
    "head": _part,
    "tail": _part,
    "wc": _wc,
    "cut": _filter(_cut, "s", "dfcb"),
    "tr": _tr,
    **dict.fromkeys(("grep", "egrep", "fgrep"), _grep),
    **dict.fromkeys(("awk", "gawk", "mawk"), _awk),
    **dict.fromkeys(
        ("rev", "tac", "nl", "paste", "fold", "fmt", "column"), _filter(lambda *_: UNKNOWN, "")
    ),
}
