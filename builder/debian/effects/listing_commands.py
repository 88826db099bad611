"""Commands that look through directories, or hand what they find to others."""

import fnmatch
import re
from collections.abc import Iterator, Mapping

from builder.debian.effects.accounts import Accounts
from builder.debian.effects.options import parse_options
from builder.debian.effects.shell_call import DONE, MAYBE, Answer, Call, Command
from builder.debian.effects.unknown import UNKNOWN, to_bytes
from layers.entries import DirEntry, FileEntry

_ACTIONS = ("-exec", "-delete", "-ok", "-fprint", "-fls")
_QUERIES = {"-name": 1, "-type": 1, "-maxdepth": 1, "-mindepth": 1, "-print": 0}


def _find(call: Call) -> Answer:
    words = list(call.arguments)
    starts: list[str] = []
    while words and not words[0].startswith(("-", "(", "!")):
        starts.append(words.pop(0))
    if UNKNOWN in "".join(starts):
        is_known, there = False, starts
    else:
        is_known = True
        there = [one for one in starts or ["."] if call.files.stands(call.path(one))]
    if not there:
        return Answer(1)
    if any(word.startswith(_ACTIONS) for word in words):
        return call.left_undone()
    tests = _tests(words)
    if tests is None or not is_known or UNKNOWN in "".join(words):
        return MAYBE
    found = [path for start in there for path in _found(call, start, tests)]
    return Answer(int(len(there) < len(starts)), "".join(f"{path}\n" for path in found))


def _tests(words: list[str]) -> Mapping[str, str] | None:
    """Tests by name; None when there are others, or one twice."""
    found: dict[str, str] = {}
    rest = iter(words)
    for word in rest:
        if word not in _QUERIES or word in found:
            return None
        found[word] = next(rest, "") if _QUERIES[word] else ""
    numbers = [found.get(name, "0") for name in ("-maxdepth", "-mindepth")]
    is_right = all(re.fullmatch("[0-9]{1,3}", number) for number in numbers)
    return found if is_right and found.get("-type", "f") in {"f", "d", "l"} else None


def _found(call: Call, start: str, tests: Mapping[str, str]) -> Iterator[str]:
    files = call.files
    top = files.files.resolve_parent(call.path(start))
    prefix = start.rstrip("/") if start.strip("/") else ""
    for path in [top, *([] if files.target(top) is not None else files.tree(f"/{top}"))]:
        below = path[len(top) :] if path != top else ""
        depth = len([part for part in below.split("/") if part])
        link = files.target(f"/{path}") is not None
        kind = "l" if link else "d" if files.is_directory(f"/{path}") else "f"
        name = path.rpartition("/")[2]
        if (
            fnmatch.fnmatchcase(name, tests.get("-name", "*"))
            and kind == tests.get("-type", kind)
            and int(tests.get("-mindepth", "0")) <= depth <= int(tests.get("-maxdepth", "999"))
        ):
            yield f"{prefix}/{below.lstrip('/')}" if below else start


def _ls(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    operands = parsed.operands or ["."]
    if UNKNOWN in "".join(operands):
        return MAYBE
    is_there = call.files.has if parsed.has("-L") else call.files.stands
    missing = [one for one in operands if not is_there(call.path(one))]
    if len(missing) == len(operands):
        return Answer(2)
    is_listed = len(operands) == 1 and not parsed.options.keys() - {"-1", "-A", "-a", "-d", "-L"}
    if not is_listed or parsed.has("-a"):
        return Answer(2 * bool(missing), UNKNOWN)
    path = call.path(operands[0])
    if parsed.has("-d") or not call.files.is_directory(path):
        return Answer(0, f"{operands[0]}\n")
    names = [n for n in call.files.children(path) if parsed.has("-A") or not n.startswith(".")]
    return Answer(0, "".join(f"{name}\n" for name in names))


def _stat(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-c", "--format", "--printf"})
    form = parsed.get("-c", "--format") or ""
    if len(parsed.operands) != 1 or UNKNOWN in "".join(call.arguments):
        return MAYBE
    path = call.path(parsed.operands[0])
    if not call.files.stands(path):
        return Answer(1)
    real = (
        call.files.files.resolve(path)
        if parsed.has("-L")
        else call.files.files.resolve_parent(path)
    )
    entry = call.files.packed.get(real) or call.files.files.directories.get(real)
    if not isinstance(entry, FileEntry | DirEntry) or parsed.options.keys() - {
        "-c",
        "--format",
        "-L",
    }:
        return Answer(0, UNKNOWN)
    accounts = Accounts(call.files)
    known = {
        "a": f"{entry.mode:o}",
        "u": str(entry.owner.uid),
        "g": str(entry.owner.gid),
        "U": accounts.name("passwd", entry.owner.uid),
        "G": accounts.name("group", entry.owner.gid),
        "n": parsed.operands[0],
    }
    return Answer(0, re.sub("%(.)", lambda one: known.get(one[1], UNKNOWN), form) + "\n")


def _xargs(call: Call) -> Answer:
    words = list(call.arguments)
    options: set[str] = set()
    while words and words[0].startswith("-"):
        options.add(words.pop(0))
    text = call.stdin.read()
    if not text.strip() and (options <= {"-r", "--no-run-if-empty", "-0", "-0r", "-r0"}):
        is_left = bool(options - {"-0"})
        return DONE if is_left else call.shell.call(words or ["echo"], call.stdin)
    is_plain = not options - {"-r", "--no-run-if-empty"}
    if not is_plain or UNKNOWN in text or re.search(r"[\\'\"]", text):
        return call.left_undone()
    return call.shell.call([*(words or ["echo"]), *text.split()], call.stdin)


def _mktemp(call: Call) -> Answer:
    """A name that no other call gets; what is below ``/tmp`` does not stay."""
    parsed = parse_options(call.arguments, {"-p", "--tmpdir", "--suffix", "-n", "-m"})
    number = f"{call.shell.progress.next_number():010}"
    template = parsed.operands[0] if parsed.operands and call.name == "mktemp" else ""
    found = re.fullmatch(r"(.*?)(X{3,})([^X/]*)", template or "tmp.XXXXXXXXXX")
    if not found or UNKNOWN in template:
        return call.left_undone()
    name = f"{found[1]}{number[-len(found[2]) :]}{found[3]}{parsed.get('--suffix') or ''}"
    directory = parsed.get("-p", "--tmpdir") or ""
    if not template or directory or parsed.has("-t", "--tmpdir"):
        name = f"{directory or '/tmp'}/{name}"  # noqa: S108 - no file is made there
    path = call.path(name)
    if call.files.stands(path):
        return call.left_undone()
    if parsed.has("-d", "--directory"):
        call.files.directory(path, 0o700)
    elif not parsed.has("-u", "--dry-run"):
        call.files.write(path, to_bytes(""), mode=0o600)
    return Answer(0, f"{name}\n")


LISTING_COMMANDS: Mapping[str, Command] = {
    "find": _find,
    "ls": _ls,
    "stat": _stat,
    "xargs": _xargs,
    "mktemp": _mktemp,
    "tempfile": _mktemp,
}
