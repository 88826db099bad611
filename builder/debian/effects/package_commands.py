"""Commands of Debian's own that maintainer scripts call, over a root."""

import hashlib
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace

from builder.debian.effects import alternatives
from builder.debian.effects.accounts import Accounts, User
from builder.debian.effects.diversions import DIVERSION_COMMANDS
from builder.debian.effects.options import Parsed, parse_options
from builder.debian.effects.pam import PAM_COMMANDS
from builder.debian.effects.shell_call import DONE, FAILED, Answer, Call, Command
from builder.debian.effects.unknown import UNKNOWN, is_unknown
from layers.entries import ROOT

_USER_OPTIONS = frozenset(
    {
        *(
            "--home",
            "--shell",
            "--uid",
            "--gid",
            "--firstuid",
            "--lastuid",
            "--firstgid",
            "--lastgid",
        ),
        *("--ingroup", "--gecos", "--comment", "--conf", "--home-dir", "--groups", "--prefix"),
        *("-d", "-s", "-u", "-g", "-c", "-G", "-K", "-k", "-b", "-R", "-P"),
    }
)
_SHELLS, _SHELL_LISTS = "etc/shells", "usr/share/debianutils/shells.d"
_SYSUSERS = "usr/lib/sysusers.d"
_SHELL_TEMPLATE = "usr/share/debianutils/shells"
_SHELLS_STATE = "var/lib/shells.state"
_PAIR, _QUADRUPLE = 2, 4


def _update_alternatives(call: Call) -> Answer:
    words = [word for word in call.arguments if word not in {"--quiet", "--force", "--verbose"}]
    match words[:1]:
        case ["--install"]:
            return _install_alternative(call, words[1:])
        case ["--list" | "--query" | "--display"]:
            state = f"{alternatives.STATES}/{words[-1]}"
            return DONE if call.files.is_file(state) else FAILED
        case ["--remove" | "--remove-all" | "--auto"]:
            # Of what an earlier version had; nothing here has been installed before.
            state = f"{alternatives.STATES}/{words[1]}" if len(words) > 1 else ""
            return call.left_undone() if call.files.is_file(state) else DONE
        case _:
            return call.left_undone()


def _install_alternative(call: Call, words: list[str]) -> Answer:
    slaves: list[tuple[str, str]] = []
    links: list[tuple[str, str]] = []
    if len(words) < _QUADRUPLE or not words[3].lstrip("-").isdecimal():
        return call.left_undone()
    link, name, path, priority = words[:4]
    rest = words[4:]
    while rest:
        if rest[0] != "--slave" or len(rest) < _QUADRUPLE:
            return call.left_undone()
        links.append((rest[2], rest[1]))
        slaves.append((rest[2], rest[3]))
        del rest[:4]
    choice = alternatives.Choice(path=path, priority=int(priority), slaves=tuple(slaves))
    alternatives.install(call.files, link, choice, name=name, slaves=tuple(links))
    return DONE


def _getent(call: Call) -> Answer:
    if len(call.arguments) != _PAIR or call.arguments[0] not in {"passwd", "group"}:
        return FAILED
    line = Accounts(call.files).line(*call.arguments)
    return Answer(2) if line is None else Answer(0, f"{line}\n")


def _id(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    name = parsed.operands[0] if parsed.operands else "root"
    uid = Accounts(call.files).uid(name)
    return FAILED if uid is None else Answer(0, f"{uid}\n")


def _adduser(call: Call) -> Answer:
    """``adduser``, and ``addgroup``, which is the same with ``--group``."""
    parsed = parse_options(call.arguments, _USER_OPTIONS)
    accounts = Accounts(call.files)
    if call.name == "addgroup" or (parsed.has("--group") and not parsed.has("--system")):
        if len(parsed.operands) != 1:
            return call.left_undone()
        accounts.add_group(parsed.operands[0], _number(parsed.get("--gid")))
        return DONE
    if len(parsed.operands) == _PAIR:
        accounts.add_member(*parsed.operands)
        return DONE
    if len(parsed.operands) != 1 or not parsed.has("--system"):
        return call.left_undone()
    return _add_user(call, parsed, group=parsed.has("--group"))


def _useradd(call: Call) -> Answer:
    parsed = parse_options(call.arguments, _USER_OPTIONS)
    if len(parsed.operands) != 1 or not parsed.has("-r", "--system"):
        return call.left_undone()
    return _add_user(call, parsed, group=parsed.has("-U", "--user-group"))


def _add_user(call: Call, parsed: Parsed, *, group: bool) -> Answer:
    accounts = Accounts(call.files)
    (name,) = parsed.operands
    if accounts.uid(name) is not None:
        return DONE
    numbers = parsed.get("--uid", "-u")
    if (numbers is not None and _number(numbers) is None) or UNKNOWN in "".join(call.arguments):
        return call.left_undone()
    wanted = parsed.get("--ingroup", "--gid", "-g")
    gid = accounts.gid(wanted) if wanted and not wanted.isdecimal() else _number(wanted)
    user = User(name=name, uid=_number(parsed.get("--uid", "-u")), gid=gid)
    user = replace(user, comment=(parsed.get("--gecos", "--comment", "-c") or "").rstrip(","))
    user = replace(user, home=parsed.get("--home", "--home-dir", "-d") or user.home)
    user = replace(user, shell=parsed.get("--shell", "-s") or user.shell)
    accounts.add_user(user, group=group)
    is_homeless = parsed.has("--no-create-home", "-M") or user.home == "/nonexistent"
    if call.name == "adduser" and not is_homeless and not call.files.has(user.home):
        _make_home(call, accounts, user)
    return DONE


def _make_home(call: Call, accounts: Accounts, user: User) -> None:
    call.shell.call(["mkdir", "-p", user.home], call.stdin)
    owner = accounts.owner(user.name + ":" + (_group_of(accounts, user.name)), before=ROOT)
    if owner:
        call.files.directory(user.home.lstrip("/"), 0o755, owner)


def _group_of(accounts: Accounts, name: str) -> str:
    return (accounts.line("passwd", name) or ":::0").split(":")[3]


def _groupadd(call: Call) -> Answer:
    parsed = parse_options(call.arguments, {"-g", "--gid", "-K", "--key"})
    if len(parsed.operands) != 1:
        return call.left_undone()
    Accounts(call.files).add_group(parsed.operands[0], _number(parsed.get("-g", "--gid")))
    return DONE


def _number(text: str | None) -> int | None:
    return int(text) if text and re.fullmatch("[0-9]{1,10}", text) else None


def _shadowconfig(call: Call) -> Answer:
    if call.arguments[:1] == ["on"]:
        Accounts(call.files).hide_passwords()
        return DONE
    return call.left_undone()


def _update_shells(call: Call) -> Answer:
    """Shells that packages list in ``shells.d`` join ``/etc/shells``, by all their paths."""
    files = call.files
    shells = files.text(_SHELLS).split("\n")
    state = files.text(_SHELLS_STATE).split("\n")
    listed: list[str] = []
    for path in (_SHELL_TEMPLATE, *files.matching(f"/{_SHELL_LISTS}/*")):
        for line in files.text(path).split("\n"):
            if line.startswith("/"):
                directory, _, name = line.rpartition("/")
                listed += [line, f"/{files.files.resolve(directory)}/{name}"]
    listed = list(dict.fromkeys(listed))
    new = [shell for shell in listed if shell not in shells and shell not in state]
    if new:
        kept = [line for line in shells if line]
        files.write(
            _SHELLS,
            "".join(f"{line}\n" for line in [*kept, *new]).encode("utf-8", "surrogateescape"),
        )
    if listed:
        files.write(
            _SHELLS_STATE,
            "".join(f"{line}\n" for line in listed).encode("utf-8", "surrogateescape"),
        )
    return DONE


def _ucf(call: Call) -> Answer:
    """A configuration file that is made from a template; one that stands already stays."""
    parsed = parse_options(call.arguments, {"--src-dir", "--sum-file", "-s"})
    if len(parsed.operands) != _PAIR or parsed.has("-p", "--purge"):
        return call.left_undone() if not parsed.has("-p", "--purge") else DONE
    source, target = (call.path(operand) for operand in parsed.operands)
    data = call.files.read(source)
    if data is None or is_unknown(data):
        return call.left_undone()
    if not call.files.has(target):
        call.files.write(target, data)
        line = f"{hashlib.md5(data, usedforsecurity=False).hexdigest()}  {target}\n"
        before = call.files.read("var/lib/ucf/hashfile") or b""
        call.files.write("var/lib/ucf/hashfile", before + line.encode("utf-8", "surrogateescape"))
    return DONE


def _ucfr(call: Call) -> Answer:
    parsed = parse_options(call.arguments)
    if len(parsed.operands) == _PAIR and not parsed.has("-p", "--purge"):
        package, path = parsed.operands
        before = call.files.read("var/lib/ucf/registry") or b""
        line = f"{package} \t {path}\n".encode("utf-8", "surrogateescape")
        if line not in before:
            call.files.write("var/lib/ucf/registry", before + line)
    return DONE


def _compile_schemas(call: Call) -> Answer:
    """Programs end themselves without the compiled form of the schemas they look for."""
    directory = call.path(call.arguments[-1]) if call.arguments else "/"
    return call.left_undone() if call.files.matching(f"{directory}/*.gschema.xml") else DONE


def _python(call: Call) -> Answer:
    """Bytecode of Debian's own modules: they run without."""
    is_compiling = any(word.endswith(("py_compile.py", "compileall.py")) for word in call.arguments)
    return DONE if is_compiling else call.left_undone()


def _sysusers(call: Call) -> Answer:
    """Accounts listed for systemd: see ``sysusers.d(5)``."""
    accounts = Accounts(call.files)
    for name in parse_options(call.arguments).operands:
        content = call.files.read(name if "/" in name else f"{_SYSUSERS}/{name}")
        if content is None:
            return call.left_undone()
        for line in content.decode("utf-8", "surrogateescape").split("\n"):
            words = _sysusers_words(line)
            if words is None:
                call.shell.want([call.name, line])
            elif words and not _sysuser(accounts, [*words, *["-"] * 6][:6]):
                call.shell.want([call.name, *words])
    return DONE


def _sysusers_words(line: str) -> list[str] | None:
    try:
        return shlex.split(line, comments=True)
    except ValueError:
        return None


def _sysuser(accounts: Accounts, words: list[str]) -> bool:
    kind, name, number, comment, home, shell = words
    uid, _, gid = number.partition(":")
    if "%" in "".join(words) or kind[:1] not in {"u", "g", "m", "r"}:
        return False
    if kind[0] == "g":
        accounts.add_group(name, _number(number))
    elif kind[0] == "m":
        accounts.add_member(name, number)
    elif kind[0] == "u":
        user = User(name=name, uid=_number(uid), comment="" if comment == "-" else comment)
        user = replace(user, home="/" if home == "-" else home)
        user = replace(user, shell=user.shell if shell == "-" else shell)
        group = accounts.gid(gid) if gid and not gid.isdecimal() else _number(gid)
        accounts.add_user(replace(user, gid=group), group=group is None)
    return True


def _no_capability(_: Call) -> Answer:
    """As without privileges: scripts then fall back to the set-user-ID bit."""
    return FAILED


def _known(command: Command) -> Command:
    """What is to be done with unknown words is written down."""

    def known(call: Call) -> Answer:
        return call.left_undone() if UNKNOWN in "".join(call.arguments) else command(call)

    return known


_COMMANDS: Mapping[str, Command] = {
    **DIVERSION_COMMANDS,
    **PAM_COMMANDS,
    "add-shell": Call.left_undone,
    "addgroup": _adduser,
    "adduser": _adduser,
    "getent": _getent,
    "glib-compile-schemas": _compile_schemas,
    "groupadd": _groupadd,
    "id": _id,
    **dict.fromkeys((f"python3.{minor}" for minor in range(9, 16)), _python),
    "setcap": _no_capability,
    "shadowconfig": _shadowconfig,
    "systemd-sysusers": _sysusers,
    "ucf": _ucf,
    "ucfr": _ucfr,
    "update-alternatives": _update_alternatives,
    "update-shells": _update_shells,
    "useradd": _useradd,
}
PACKAGE_COMMANDS: Mapping[str, Command] = {
    name: _known(command) for name, command in _COMMANDS.items()
}
