"""Commands that maintainer scripts use on files, over a root."""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from builder.debian.effects.accounts import Accounts
from builder.debian.effects.options import parse_options
from builder.debian.effects.shell_call import DONE, FAILED, Answer, Call, Command
from builder.debian.effects.unknown import UNKNOWN, is_unknown
from layers.entries import ROOT, DirEntry, FileEntry, HardLinkEntry, Owner, SymlinkEntry, image_path

_EXECUTE, _SET_UID, _SET_GID, _STICKY = 0o111, 0o4000, 0o2000, 0o1000
_EMPTY = "/dev/null"
_CHMOD_OPTION = re.compile(r"-[Rcfv]+|--recursive|--changes|--quiet|--silent|--verbose")
_SYMBOLIC = re.compile(r"([ugoa]*)([-+=])([rwxXst]*)")


def _mkdir(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-m", "--mode"})
    mode = _mode(parsed.get("-m", "--mode") or "", 0o777 & ~call.shell.umask, is_directory=True)
    for operand in parsed.operands:
        path = call.path(operand)
        is_with_parents = parsed.has("-p", "--parents")
        if call.files.stands(path):
            if not is_with_parents:
                return FAILED
            continue
        if not call.files.has(posixpath.dirname(path)) and not is_with_parents:
            return FAILED
        if mode is None:
            return call.left_undone()
        _make_directory(call, path, mode)
    return DONE


def _make_directory(call: Call, path: str, mode: int) -> None:
    steps = [part for part in path.split("/") if part]
    for count in range(1, len(steps)):
        above = "/".join(steps[:count])
        if not call.files.has(above):
            call.files.directory(above)
    if steps:
        call.files.directory("/".join(steps), mode)


def _install(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-m", "--mode", "-o", "--owner", "-g", "--group"})
    is_directory = parsed.has("-d", "--directory")
    mode = _mode(parsed.get("-m", "--mode") or "", 0o755, is_directory=is_directory)
    owner = Accounts(call.files).owner(
        f"{parsed.get('-o', '--owner') or ''}:{parsed.get('-g', '--group') or ''}", ROOT
    )
    if mode is None or owner is None or (not is_directory and len(parsed.operands) != _PAIR):
        return call.left_undone()
    if is_directory:
        for operand in parsed.operands:
            _make_directory(call, call.path(operand), mode)
            call.files.directory(image_path(call.path(operand)), mode, owner)
        return DONE
    source, target = (call.path(operand) for operand in parsed.operands)
    return _copy(call, source, _into(call, source, target), mode=mode, owner=owner)


_PAIR = 2


def _chmod(call: Call) -> Answer:
    options = [word for word in call.arguments if _CHMOD_OPTION.fullmatch(word)]
    words = [word for word in call.arguments if word not in options and word != "--"]
    change, operands = "".join(words[:1]), words[1:]
    if any(word.startswith("--") for word in words):
        return call.left_undone()
    is_recursive = any("R" in word or word == "--recursive" for word in options)
    for path in _each(call, operands, recursive=is_recursive):
        entry = _entry(call, path)
        if isinstance(entry, SymlinkEntry):
            continue
        if entry is None:
            if call.files.has(path):
                call.left_undone()
            continue
        is_directory = isinstance(entry, DirEntry)
        mode = _mode(change, entry.mode, is_directory=is_directory, umask=call.shell.umask)
        if mode is None:
            return call.left_undone()
        call.files.put(replace(entry, mode=mode))
    return _all_there(call, operands)


def _chown(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"--reference", "--from"})
    owner_text = parsed.operands[0] if parsed.operands else ""
    owner_text = f":{owner_text}" if call.name == "chgrp" else owner_text
    if parsed.has("--reference", "--from"):
        return call.left_undone()
    for path in _each(call, parsed.operands[1:], recursive=parsed.has("-R", "--recursive")):
        entry = _entry(call, path)
        if entry is None:
            if call.files.has(path):
                call.left_undone()
            continue
        owner = Accounts(call.files).owner(owner_text, entry.owner)
        if owner is None:
            return call.left_undone()
        # A change of owner takes the set-user-ID and set-group-ID bits away, but from directories.
        if isinstance(entry, FileEntry):
            entry = replace(entry, mode=entry.mode & 0o1777)
        call.files.put(replace(entry, owner=owner))
    return _all_there(call, parsed.operands[1:])


def _all_there(call: Call, operands: list[str]) -> Answer:
    return DONE if all(call.files.has(call.path(operand)) for operand in operands) else FAILED


def _each(call: Call, operands: list[str], *, recursive: bool) -> Iterator[str]:
    for operand in operands:
        path = call.files.files.resolve(call.path(operand))
        yield path
        if recursive:
            yield from call.files.tree(path)


def _entry(call: Call, path: str) -> FileEntry | DirEntry | SymlinkEntry | None:
    """The entry at a real path that may be put back changed; None for what is not at hand."""
    entry = call.files.packed.get(path)
    if isinstance(entry, HardLinkEntry):
        # Both names are one file; to change one alone would part them.
        entry = call.files.packed.get(entry.target)
    if isinstance(entry, FileEntry | DirEntry | SymlinkEntry):
        return entry
    if entry is None and path in call.files.files.directories:
        return call.files.files.directories[path]
    if entry is None and path in call.files.files.files:
        call.left_undone()
    return None


def _mode(change: str, before: int, *, is_directory: bool, umask: int = 0) -> int | None:
    """A mode as ``chmod`` is told: octal, or ``u+s,go-w``; None when it is not understood."""
    if not change:
        return before
    if re.fullmatch(r"[0-7]{1,5}", change):
        # Of a directory, short numbers leave the set-ID bits as they are.
        is_kept = is_directory and len(change) < _FULL_LENGTH
        return int(change, 8) | (before & (_SET_UID | _SET_GID) if is_kept else 0)
    mode = before
    for clause in change.split(","):
        found = _SYMBOLIC.fullmatch(clause)
        if not found:
            return None
        who = found[1] or "a"
        masked = 0 if found[1] else umask
        bits = _bits(who, found[3], mode, is_directory=is_directory) & ~masked
        match found[2]:
            case "+":
                mode |= bits
            case "-":
                mode &= ~bits
            case _:
                what = "rwx" if is_directory else "rwxs"
                mode = mode & ~(_bits(who, what, mode, is_directory=True) & ~masked) | bits
    return mode


_FULL_LENGTH = 5


def _bits(who: str, what: str, mode: int, *, is_directory: bool) -> int:
    classes = {"u": (0o100, _SET_UID), "g": (0o010, _SET_GID), "o": (0o001, 0)}
    bits = _STICKY if "t" in what else 0
    for letter in "ugo" if "a" in who else who:
        execute, set_id = classes[letter]
        bits |= execute * 4 if "r" in what else 0
        bits |= execute * 2 if "w" in what else 0
        bits |= execute if "x" in what else 0
        bits |= execute if "X" in what and (is_directory or mode & _EXECUTE) else 0
        bits |= set_id if "s" in what else 0
    return bits


def _ln(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if not parsed.has("-s", "--symbolic") or len(parsed.operands) != _PAIR:
        return call.left_undone()
    target, operand = parsed.operands
    path = call.path(operand)
    is_plain = parsed.has("-n", "--no-dereference", "-T") and call.files.target(path) is not None
    if not is_plain:
        path = _into(call, target, path)
    if call.files.stands(path) and not parsed.has("-f", "--force"):
        return FAILED
    call.files.link(image_path(path), target)
    return DONE


def _into(call: Call, source: str, target: str) -> str:
    """Where a copy of ``source`` goes: into ``target`` when that is a directory."""
    if call.files.files.resolve(target) in call.files.files.directories:
        return posixpath.join(target, posixpath.basename(source))
    return target


def _cp(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if len(parsed.operands) != _PAIR or parsed.has("-r", "-R", "-a", "--recursive", "--archive"):
        return call.left_undone()
    source, target = (call.path(operand) for operand in parsed.operands)
    target = _into(call, source, target)
    if parsed.has("-n", "--no-clobber") and call.files.has(target):
        return DONE
    if parsed.has("-d", "-P", "-a") and (link := call.files.target(source)) is not None:
        call.files.link(image_path(target), link)
        return DONE
    return _copy(call, source, target)


def _copy(
    call: Call, source: str, target: str, *, mode: int | None = None, owner: Owner = ROOT
) -> Answer:
    if not call.files.is_file(source) and source != _EMPTY:
        return FAILED
    data = b"" if source == _EMPTY else call.files.read(source)
    if data is None or (is_unknown(data) and not call.files.is_passing(target)):
        return call.left_undone()
    if call.files.is_directory(target) or not call.files.is_directory(posixpath.dirname(target)):
        return FAILED
    call.shell.progress.spend(len(data) >> 10)
    before = call.files.files.files.get(call.files.files.resolve(source), 0o666 & ~call.shell.umask)
    call.files.write(target, data, mode=before, owner=owner)
    if mode is not None or call.name == "mv" or _keeps_mode(call):
        wanted = before if mode is None else mode
        entry = _entry(call, call.files.files.resolve(target))
        if isinstance(entry, FileEntry):
            call.files.put(replace(entry, mode=wanted))
    return DONE


def _keeps_mode(call: Call) -> bool:
    return call.name == "cp" and parse_options(call.arguments).has("-p", "-a", "--preserve")


def _mv(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if len(parsed.operands) != _PAIR:
        return call.left_undone()
    source, target = (call.path(operand) for operand in parsed.operands)
    target = _into(call, source, target)
    if (link := call.files.target(source)) is not None:
        call.files.link(image_path(target), link)
    elif not call.files.is_file(source):
        return FAILED if not call.files.has(source) else call.left_undone()
    elif (answer := _copy(call, source, target)).status:
        return answer
    call.files.remove(source)
    return DONE


def _rm(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    is_recursive = parsed.has("-r", "-R", "--recursive")
    status = 0
    for operand in parsed.operands:
        path = call.files.files.resolve_parent(call.path(operand))
        if not path or operand.rstrip("/").rpartition("/")[2] in {".", ".."}:
            return call.left_undone()
        is_link = call.files.target(path) is not None
        if not call.files.stands(path):
            status = status if parsed.has("-f", "--force") else 1
        elif call.files.is_directory(path) and not is_link and not is_recursive:
            status = 1
        else:
            below = call.files.tree(path) if is_recursive and not is_link else []
            for one in [*reversed(below), path]:
                call.files.remove(one)
    return Answer(status)


def _rmdir(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    status = 0
    for operand in parsed.operands:
        path = call.files.files.resolve_parent(call.path(operand))
        if path in call.files.files.directories and not call.files.tree(path):
            call.files.remove(path)
        elif not (parsed.has("--ignore-fail-on-non-empty") and call.files.tree(path)):
            status = 1
    return Answer(status)


def _touch(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-r", "--reference", "-d", "-t"})
    for operand in parsed.operands:
        path = call.path(operand)
        if not call.files.is_directory(posixpath.dirname(path)):
            return FAILED
        if not call.files.has(path) and call.files.target(path) is None and not parsed.has("-c"):
            call.files.write(path, b"", mode=0o666 & ~call.shell.umask)
    return DONE


def _readlink(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    path = call.path(parsed.operands[0]) if parsed.operands else "/"
    if parsed.has("-e") and not call.files.has(path):
        return FAILED
    if parsed.has("-f", "-e", "-m") or call.name in {"realpath", "dpkg-realpath"}:
        return Answer(0, f"/{call.files.files.resolve(path)}\n")
    target = call.files.target(path)
    return FAILED if target is None else Answer(0, f"{target}\n")


def _cd(call: Call) -> Answer:
    words = [word for word in call.arguments if word not in {"--", "-P", "-L"}]
    if len(words) != 1 or words[0] == "-":
        return call.left_undone()
    if not call.files.is_directory(call.path(words[0])):
        return Answer(2)
    call.shell.directory = posixpath.normpath(call.path(words[0]))
    return DONE


def _pwd(call: Call) -> Answer:
    return Answer(0, f"{call.shell.directory}\n")


_ALLOWED: Mapping[str, str] = {
    "chgrp": "-R -f -v -c --recursive --reference --from --quiet --silent",
    "chown": "-R -f -v -c --recursive --reference --from --quiet --silent",
    "cp": "-Z -p -d -P -n -f -v -L --preserve --force --no-clobber --verbose",
    "dpkg-realpath": "",
    "install": "-Z -d -m -o -g -p -v -c --directory --mode --owner --group --verbose",
    "ln": "-s -f -n -T -v --symbolic --force --no-dereference --verbose",
    "mkdir": "-Z -p -m -v --parents --mode --verbose",
    "mv": "-Z -f -v --force --verbose",
    "readlink": "-f -e -m -n -q -s",
    "realpath": "-e -m -q",
    "rm": "-r -R -f -v --recursive --force --verbose --one-file-system",
    "rmdir": "-v --ignore-fail-on-non-empty",
    "touch": "-h --no-dereference -c -a -m -r -d -t --reference",
}
_VALUED = {"-m", "-o", "-g", "--mode", "--owner", "--group", "--reference", "--from"}


def _guarded(name: str, command: Command) -> Command:
    """What is to be done to unknown files, or with options unknown here, is written down."""
    allowed = _ALLOWED.get(name)

    def guarded(call: Call) -> Answer:
        if UNKNOWN in "".join(call.arguments):
            return call.left_undone()
        valued = _VALUED if name == "install" else {"-m", "--mode"} if name == "mkdir" else set()
        options = parse_options(call.arguments, valued).options.keys()
        if allowed is not None and options - set(allowed.split()):
            return call.left_undone()
        return command(call)

    return guarded


FILE_COMMANDS: Mapping[str, Command] = {
    name: _guarded(name, command)
    for name, command in {
        "cd": _cd,
        "chgrp": _chown,
        "chmod": _chmod,
        "chown": _chown,
        "cp": _cp,
        "dpkg-realpath": _readlink,
        "install": _install,
        "ln": _ln,
        "mkdir": _mkdir,
        "mv": _mv,
        "pwd": _pwd,
        "readlink": _readlink,
        "realpath": _readlink,
        "rm": _rm,
        "rmdir": _rmdir,
        "touch": _touch,
    }.items()
}
