"""``dpkg-divert`` and ``dpkg-statoverride``: what the administrator or a package set apart.

https://manpages.debian.org/bookworm/dpkg/dpkg-divert.1.en.html
"""

from collections.abc import Mapping

from builder.debian.database.dpkg_files import DIVERSIONS, OVERRIDES
from builder.debian.effects.accounts import Accounts
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.options import Parsed, parse_options
from builder.debian.effects.shell_call import DONE, FAILED, Answer, Call, Command
from layers.entries import ROOT

_LOCAL = ":"
_Diversion = tuple[str, str, str]  # from, to, package
_OVERRIDE_FIELDS = 4


def _divert(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"--package", "--divert"})
    diversions = _read(call.files)
    known = {diversion[0]: diversion for diversion in diversions}
    path = parsed.operands[-1] if parsed.operands else ""
    for action, index in (("--listpackage", 2), ("--truename", 1)):
        if action in parsed.options:
            path = parsed.options[action] or path
            answer = known.get(path, ("", path, "") if index == 1 else ("", "", ""))[index]
            answer = "LOCAL" if answer == _LOCAL else answer
            return Answer(0, f"{answer}\n" if answer else "")
    if parsed.has("--list"):
        return Answer(0, "".join(_sentence(one) for one in diversions if one[0] == path))
    if parsed.has("--remove"):
        path = parsed.options["--remove"] or path
        _write(call.files, [one for one in diversions if one[0] != path])
        if path in known and parsed.has("--rename"):
            _move(call, known[path][1], path)
        return DONE
    return _add(call, parsed, diversions, parsed.options.get("--add") or path)


def _add(call: Call, parsed: Parsed, diversions: list[_Diversion], path: str) -> Answer:
    package = parsed.get("--package") or call.shell.variables.get("DPKG_MAINTSCRIPT_PACKAGE", "")
    package = _LOCAL if parsed.has("--local") or not package else package
    target = parsed.get("--divert") or f"{path}.distrib"
    if not path.startswith("/"):
        return FAILED
    if any(one[0] == path for one in diversions):
        return DONE
    _write(call.files, [*diversions, (path, target, package)])
    if parsed.has("--rename"):
        _move(call, path, target)
    return DONE


def _move(call: Call, source: str, target: str) -> None:
    if call.files.has(source) and not call.files.has(target):
        call.shell.call(["mv", source, target], call.stdin)


def _sentence(diversion: _Diversion) -> str:
    path, target, package = diversion
    if package == _LOCAL:
        return f"local diversion of {path} to {target}\n"
    return f"diversion of {path} to {target} by {package}\n"


def _read(files: MutableRoot) -> list[_Diversion]:
    lines = files.text(DIVERSIONS).split("\n")
    return list(zip(lines[0::3], lines[1::3], lines[2::3], strict=False))


def _write(files: MutableRoot, diversions: list[_Diversion]) -> None:
    text = "".join(f"{line}\n" for diversion in diversions for line in diversion)
    files.write(DIVERSIONS, text.encode("utf-8", "surrogateescape"))


def _override(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    lines = call.files.text(OVERRIDES).split("\n")
    if parsed.has("--list"):
        found = [line for line in lines if line.split(" ", 3)[3:] == parsed.operands[:1]]
        return Answer(0, f"{found[0]}\n") if found else FAILED
    if not parsed.has("--add") or len(parsed.operands) != _OVERRIDE_FIELDS:
        return DONE if parsed.has("--remove") else FAILED
    user, group, mode, path = parsed.operands
    kept = [line for line in lines if line]
    text = "".join(f"{line}\n" for line in [*kept, f"{user} {group} {mode} {path}"])
    call.files.write(OVERRIDES, text.encode("utf-8", "surrogateescape"))
    if parsed.has("--update") and call.files.has(path):
        if Accounts(call.files).owner(f"{user}:{group}", ROOT) is None:
            call.left_undone()
        else:
            call.shell.call(["chown", f"{user}:{group}", path], call.stdin)
            call.shell.call(["chmod", mode, path], call.stdin)
    return DONE


DIVERSION_COMMANDS: Mapping[str, Command] = {
    "dpkg-divert": _divert,
    "dpkg-statoverride": _override,
}
