"""The shell's own commands, and debconf's, which scripts use like them."""

import re
from collections.abc import Mapping

from builder.debian.effects.shell_call import (
    DONE,
    FAILED,
    UNSURE,
    Answer,
    Call,
    Command,
    nothing,
)
from builder.debian.effects.shell_expand import BLANKS, split
from builder.debian.effects.shell_leave import Ended
from builder.debian.effects.shell_streams import content_of
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LOCAL = frozenset({"local", "declare", "typeset"})
_TEMPLATE = re.compile(r"^Template: (\S+)$", re.MULTILINE)
_DEFAULT = re.compile(r"^Default: (.*)$", re.MULTILINE)
_QUIET = (
    *("beginblock", "capb", "endblock", "fset", "go", "input", "progress", "purge", "register"),
    *("reset", "settitle", "stop", "subst", "title", "unregister", "version"),
    "x_loadtemplatefile",
)

# What scripts find out by programs of their own, in the C locale.
_COMPUTED = {"libpaper/defaultpaper": "a4"}


def _false(_: Call) -> Answer:
    return FAILED


def _assign(call: Call) -> Answer:
    shell = call.shell
    for argument in call.arguments:
        name = argument.partition("=")[0]
        if not _NAME.fullmatch(name):
            continue
        if call.name in _LOCAL and shell.local is not None and name not in shell.local:
            shell.local[name] = shell.variables.get(name)
            if shell.is_bash:
                shell.variables.pop(name, None)
        if "=" in argument:
            shell.variables[name] = argument.partition("=")[2]
    return DONE


def _unset(call: Call) -> Answer:
    for argument in call.arguments:
        call.shell.variables.pop(argument, None)
    return DONE


def _set(call: Call) -> Answer:
    words = list(call.arguments)
    while words and re.fullmatch(r"[-+][a-zA-Z]+", words[0]):
        letters = words.pop(0)
        names = [words.pop(0)] if letters.endswith("o") and words else []
        if "e" in letters[1:] or "errexit" in names:
            call.shell.is_strict = letters[0] == "-"
        if "f" in letters[1:] or "noglob" in names:
            call.left_undone()
    if words:
        call.shell.arguments = words[1:] if words[0] in {"--", "-"} else words
    return DONE


def _shift(call: Call) -> Answer:
    count = _whole(call.arguments[0]) if call.arguments else 1
    if count is None or count > len(call.shell.arguments):
        raise ScriptError("it shifts more than there is")
    call.shell.arguments = call.shell.arguments[count:]
    return DONE


def _whole(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def _eval(call: Call) -> Answer:
    text = " ".join(call.arguments)
    if UNKNOWN in text:
        return call.left_undone()
    return call.shell.source(text)


def _source(call: Call) -> Answer:
    path = call.path(call.arguments[0]) if call.arguments else ""
    if path.endswith("/confmodule"):
        return DONE
    content = content_of(call.shell, path)
    if content is None or UNKNOWN in content:
        return call.left_undone()
    return call.shell.source(content)


def _sh(call: Call) -> Answer:
    """``sh -c TEXT`` and ``sh FILE``."""
    words = list(call.arguments)
    head = "#!/bin/sh"
    while words and re.fullmatch(r"-[eux]+", words[0]):
        head += " -e" if "e" in words.pop(0) else ""
    if words[:1] == ["-c"] and len(words) > 1:
        text, arguments = words[1], words[3:]
    elif words and not words[0].startswith("-"):
        text, arguments = content_of(call.shell, words[0]) or UNKNOWN, words[1:]
    else:
        text, arguments = call.stdin.read() if not words else UNKNOWN, []
    if UNKNOWN in text:
        return call.left_undone()
    return call.shell.program(f"{head}\n{text}", arguments)


def _exec(call: Call) -> Answer:
    if not call.arguments:
        return DONE
    if call.arguments[0].startswith("-"):
        return call.left_undone()
    answer = call.shell.call(call.arguments, call.stdin)
    raise Ended(answer.status, answer.output)


def _trap(call: Call) -> Answer:
    words = [word for word in call.arguments if word != "--"]
    if {"EXIT", "0"} & set(words[1:]):
        call.shell.at_exit = "" if words[0] == "-" else words[0]
    return DONE


def _read(call: Call) -> Answer:
    options = [one for one in call.arguments if one.startswith("-")]
    if set(options) - {"-r"}:
        return call.left_undone()
    line = call.stdin.readline()
    names = [one for one in call.arguments if not one.startswith("-")] or ["REPLY"]
    if UNKNOWN in line:
        call.shell.variables.update(dict.fromkeys(names, UNKNOWN))
        return Answer(UNSURE)
    text = line.removesuffix("\n")
    if not options:
        if text.endswith("\\") or "\\ " in text:
            raise ScriptError("a line that is read is joined to the next")
        text = re.sub(r"\\(.)", r"\1", text)
    separators = call.shell.variables.get("IFS", BLANKS)
    for name, value in zip(names, _fields(text, separators, len(names)), strict=True):
        call.shell.variables[name] = value
    return DONE if line.endswith("\n") else FAILED


def _fields(text: str, separators: str, count: int) -> list[str]:
    """As many fields as there are names; the last has all the rest as it stands."""
    blanks = "".join(one for one in separators if one in BLANKS)
    rest = text.strip(blanks) if blanks else text
    found: list[str] = []
    pattern = f"[{re.escape(blanks)}]*[{re.escape(separators)}][{re.escape(blanks)}]*"
    pattern = pattern.replace("[]*", "") if separators else "(?!)"
    while len(found) < count - 1:
        one = re.search(pattern, rest)
        found.append(rest[: one.start()] if one else rest)
        rest = rest[one.end() :] if one else ""
    if len(split(rest, separators)) == 1:
        rest = split(rest, separators)[0]
    return [*found, rest]


def _umask(call: Call) -> Answer:
    if not call.arguments:
        return Answer(0, f"{call.shell.umask:04o}\n")
    if call.arguments and re.fullmatch(r"0?[0-7]{3}", call.arguments[0]):
        call.shell.umask = int(call.arguments[0], 8)
        return DONE
    return call.left_undone()


SHELL_BUILTINS: Mapping[str, Command] = {
    **dict.fromkeys((":", "true", "hash", "sleep", "wait"), nothing),
    "false": _false,
    "exec": _exec,
    "trap": _trap,
    **dict.fromkeys(("sh", "dash", "bash"), _sh),
    ".": _source,
    "source": _source,
    "eval": _eval,
    **dict.fromkeys(("export", "local", "readonly", "declare", "typeset"), _assign),
    "read": _read,
    "set": _set,
    "shift": _shift,
    "umask": _umask,
    "unset": _unset,
}


def debconf(templates: bytes) -> Mapping[str, Command]:
    """Debconf's commands for a package: nobody is asked, every answer is its default.

    Args:
        templates: of the package; https://manpages.debian.org/bookworm/debconf-doc/debconf-devel.7
    """
    defaults = _defaults(templates.decode("utf-8", "surrogateescape"))

    def get(call: Call) -> Answer:
        question = call.arguments[0] if call.arguments else ""
        call.shell.variables["RET"] = defaults.get(question, "")
        return DONE if question in defaults else FAILED

    def set_(call: Call) -> Answer:
        question, *words = [*call.arguments, ""]
        value = " ".join(words).rstrip()
        defaults[question] = value
        return DONE

    def flag(call: Call) -> Answer:
        call.shell.variables["RET"] = "false"
        return DONE

    def unknown(call: Call) -> Answer:
        call.shell.variables["RET"] = UNKNOWN
        return DONE

    return {
        "db_get": get,
        "db_set": set_,
        "db_fget": flag,
        "db_metaget": unknown,
        **{f"db_{name}": nothing for name in _QUIET},
    }


def _defaults(templates: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for paragraph in re.split(r"\n\s*\n", templates):
        if name := _TEMPLATE.search(paragraph):
            default = _DEFAULT.search(paragraph)
            found[name[1]] = default[1].strip() if default else _COMPUTED.get(name[1], "")
    return found
