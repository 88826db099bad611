"""Whether an image holds what its config starts."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.checks.finding import Finding, Severity
from builder.checks.start.env import search_path
from builder.checks.start.shebang import wanted_by
from builder.errors import BaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from builder.checks.subject import FileFacts
    from builder.rootfs.file_index import FileIndex

_SHELLS = {"sh", "ash", "bash", "dash"}
_INITS = {"tini", "dumb-init", "catatonit"}
_WORD = re.compile(r"[A-Za-z0-9_./+-]+")
_ASSIGNMENT = re.compile(r"[A-Za-z_]\w*=[^\s$`\"']*")
# What a shell does itself: https://pubs.opengroup.org/onlinepubs/9699919799/utilities/V3_chap02.html
_OF_SHELL = {
    *(".", ":", "[", "alias", "bg", "break", "case", "cd", "command", "continue", "echo", "eval"),
    *("exec", "exit", "export", "false", "fg", "for", "getopts", "if", "jobs", "kill", "local"),
    *("printf", "pwd", "read", "readonly", "return", "set", "shift", "source", "test", "time"),
    *("times", "trap", "true", "type", "ulimit", "umask", "unalias", "unset", "until", "wait"),
    *("while",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """An image's files: those of an index, and new ones on top.

    Attributes:
        index: their modes, directories and links.
        new: mode by path relative to the root.
        facts: of those that were looked at, by path.
    """

    index: FileIndex
    new: Mapping[str, int] = field(default_factory=dict)
    facts: Mapping[str, FileFacts] = field(default_factory=dict)

    def mode(self, path: str) -> int | None:
        """The mode of the file that an absolute path leads to; None when it leads to none."""
        at = self._resolve(path)
        return self.new.get(at, self.index.files.get(at))

    def fact(self, path: str) -> FileFacts | None:
        """What is known of the file that an absolute path leads to."""
        return self.facts.get(self._resolve(path))

    def has_directory(self, path: str) -> bool:
        """Whether an absolute path leads to a directory."""
        at = self._resolve(path)
        is_there = not at or at in self.index.directories
        return is_there or any(each.startswith(f"{at}/") for each in self.new)

    def _resolve(self, path: str) -> str:
        """Links that go round in circles lead nowhere: to themselves."""
        try:
            return self.index.resolve(path)
        except BaseError:
            return path


def check_command(run: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """Programs that the command needs to start, and that are not there or may not be executed.

    Of a shell's script only the first word is looked at, when it is a plain one.

    Args:
        run: the ``config`` member of the image config.
        files: all of the image's files.
    """
    argv = [*map(str, run.get("Entrypoint") or ()), *map(str, run.get("Cmd") or ())]
    if not argv:
        yield _missing("the image says no command", Severity.WARNING)
    for name in _programs(argv):
        there = _there(name, run, files)
        started = next((place for place, mode in there.items() if mode & 0o111), None)
        if started and name == argv[0]:
            yield from _script(name, started, run, files)
        elif there and not started:
            yield _missing(
                f"the image would run {name}, and {next(iter(there))} may not be executed",
                fix="chmod +x it, and commit that: git update-index --chmod=+x; or start it by "
                "the program that reads it",
            )
        elif not started:
            where = "" if "/" in name else f"; looked in {search_path(run).replace(':', ', ')}"
            yield _missing(f"the image would run {name}, which it does not have{where}")


def _script(name: str, path: str, run: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """What a command that is a script asks for and does not get."""
    facts = files.fact(path)
    if facts is None or facts.elf is not None:
        return
    if not facts.script:
        if path.endswith(".sh"):
            yield _missing(
                f"the image would run {name}, and {path} does not say by a first line with #! "
                "what reads it",
                fix="begin it with #!/bin/sh",
            )
        return
    told = f"the image would run {name}, and {path} begins with #!{facts.script.strip()}"
    if facts.script.endswith("\r"):
        yield _missing(
            f"{told} and the line end of Windows, which is taken for a part of the name",
            fix="write it with the line ends of Unix: dos2unix, and *.sh text eol=lf "
            "in .gitattributes",
        )
        return
    wanted = wanted_by(facts.script)
    for program in filter(None, wanted):
        if not any(mode & 0o111 for mode in _there(program, run, files).values()):
            yield _missing(
                f"{told}: the image has no {program} that can be executed",
                fix="add the package that has it, or write a first line with what the image has",
            )
            return


def _there(name: str, run: Mapping[str, Any], files: Files) -> dict[str, int]:
    """Where files are that a name stands for, in the order that they are looked for, and modes."""
    places = _places(name, str(run.get("WorkingDir") or "/"), search_path(run).split(":"))
    return {place: mode for place in places if (mode := files.mode(place)) is not None}


def check_directory(run: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """The directory that the command starts in: engines make a missing one, and it is root's."""
    directory = str(run.get("WorkingDir") or "/")
    if not files.has_directory(directory):
        yield Finding(
            check="missing-directory",
            severity=Severity.WARNING,
            message="the container starts in it, and it is not there: engines make it for root",
            fix="make it in the image, with the owner that the container runs as",
            path=directory,
        )


def _programs(argv: Sequence[str]) -> Iterator[str]:
    """What is started: the first word, and what it is known to start in its turn."""
    if not argv:
        return
    yield argv[0]
    name = argv[0].rpartition("/")[2]
    if name in _SHELLS and len(argv) > 2 and argv[1] == "-c":  # noqa: PLR2004 - sh -c SCRIPT
        first = _first_word(argv[2])
        if first:
            yield first
    if name in _INITS:
        rest = argv[argv.index("--") + 1 :] if "--" in argv else argv[1:]
        if rest and not rest[0].startswith("-"):
            yield from _programs(rest)


def _first_word(script: str) -> str | None:
    """The program that a script starts first; None when only a shell could tell."""
    try:
        words = shlex.split(script.partition("\n")[0], comments=True)
    except ValueError:
        return None
    while words and (words[0] == "exec" or _ASSIGNMENT.fullmatch(words[0])):
        if words[0].startswith("PATH="):
            return None
        del words[0]
    plain = bool(words) and _WORD.fullmatch(words[0]) and words[0] not in _OF_SHELL
    return words[0] if plain else None


def _places(name: str, directory: str, search: Sequence[str]) -> list[str]:
    if name.startswith("/"):
        return [name]
    if "/" in name:
        return [f"{directory}/{name}"]
    return [f"{at if at.startswith('/') else f'{directory}/{at}'}/{name}" for at in search]


def _missing(
    message: str,
    severity: Severity = Severity.ERROR,
    fix: str = "add the package that has it, or choose another command: [tool.builder] cmd, or CMD",
) -> Finding:
    return Finding(check="missing-command", severity=severity, message=message, fix=fix)
