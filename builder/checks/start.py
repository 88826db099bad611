"""Whether an image holds what its config starts."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.checks.env import search_path
from builder.checks.finding import Finding, Severity
from builder.errors import BaseError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
    """

    index: FileIndex
    new: Mapping[str, int] = field(default_factory=dict)

    def mode(self, path: str) -> int | None:
        """The mode of the file that an absolute path leads to; None when it leads to none."""
        at = self._resolve(path)
        return self.new.get(at, self.index.files.get(at))

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
        directories = search_path(run).split(":")
        places = _places(name, str(run.get("WorkingDir") or "/"), directories)
        there = {place: mode for place in places if (mode := files.mode(place)) is not None}
        if any(mode & 0o111 for mode in there.values()):
            continue
        if there:
            yield _missing(f"the image would run {name}, and {min(there)} may not be executed")
        else:
            where = "" if "/" in name else f"; looked in {', '.join(directories)}"
            yield _missing(f"the image would run {name}, which it does not have{where}")


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


def _missing(message: str, severity: Severity = Severity.ERROR) -> Finding:
    return Finding(
        check="missing-command",
        severity=severity,
        message=message,
        fix="add the package that has it, or choose another command: [tool.builder] cmd, or CMD",
    )
