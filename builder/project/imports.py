"""Whether the application can be imported, tried with a Python of this machine.

It is a first look: the libraries of the image's base are not those of this machine.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from builder.process import run_apart

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from builder.process import Completed

_SECONDS = 60
_GRACE_SECONDS = 5
"""For Python to end itself, and to say where it was."""
_LINES = 4
_LINE = 200
# https://docs.python.org/3/library/faulthandler.html
_HELD_UP = re.compile(r'  File "(?P<file>.*)", line (?P<line>\d+) in .*')

# Ends without waiting for threads, which servers begin when they are imported; and when something
# hangs, wherever it does, says where. What is imported may fork, and write and close what it likes:
# the answer stands in a file that is opened at the end, by who began.
_PROGRAM = """
import faulthandler, json, os, site, sys
asked = json.loads(sys.stdin.readline())
begun = os.getpid()
place = open(asked["answer"], "w")
faulthandler.dump_traceback_later(asked["seconds"], exit=True, file=place)
for path in asked["paths"]:
    site.addsitedir(path)
try:
    import importlib
    module, _, names = asked["app"].partition(":")
    found = importlib.import_module(module)
    for name in filter(None, names.split(".")):
        found = getattr(found, name)
    told = None
except BaseException as error:
    import traceback
    frames = [[each.filename, each.lineno] for each in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError):
        frames.append([error.filename, error.lineno])
    told = {"error": traceback.format_exception_only(error), "frames": frames}
if os.getpid() == begun:
    faulthandler.cancel_dump_traceback_later()
    with open(asked["answer"], "w") as answer:
        json.dump({"failed": told}, answer)
os._exit(0)
"""

type _Frame = tuple[str, int]
"""A file and a line of it."""


def check_import(  # noqa: PLR0913 - what an import depends on
    app: str,
    site_packages: Sequence[Path],
    interpreter: Path,
    environ: Mapping[str, str],
    *,
    directory: Path,
    seconds: float = _SECONDS,
) -> str | None:
    """Import an application, and look up its attribute.

    Nothing of this machine's own packages, variables and user settings is seen, and no bytecode is
    written. Processes that are begun are ended.

    Args:
        app: ``package.module:attribute``; the attribute may have dots, or be left out.
        site_packages: directories to import from, the first one first; ``.pth`` files count.
        interpreter: of the image's minor version.
        environ: all variables that there are.
        directory: where it runs, as the image's command runs in its working directory.
        seconds: how long it may take.

    Returns:
        Why it fails and where, in one line, without the directories' own paths; None when it does
        not.
    """
    with tempfile.TemporaryDirectory(prefix=".builder-") as private:
        answer = Path(private, "answer")
        asked = {
            "app": app,
            "paths": [str(path) for path in site_packages],
            "seconds": seconds,
            "answer": str(answer),
        }
        too_long = f"it took longer than {seconds:g} s"
        try:
            done = run_apart(
                [str(interpreter), "-I", "-S", "-B", "-X", "utf8", "-c", _PROGRAM],
                seconds=seconds + _GRACE_SECONDS,
                cwd=directory,
                environ={**dict.fromkeys(os.environ), **environ},
                stdin=json.dumps(asked) + "\n",
            )
        except TimeoutError:
            return too_long
        told = answer.read_text("utf-8", "replace") if answer.exists() else ""
    places = _Places(app, site_packages)
    if told.startswith("Timeout"):
        return f"{too_long}{places.last(_held_up(told))}"
    try:
        failed = json.loads(told)["failed"]
    except ValueError:
        return places.shortened([_ended(done), *done.stderr.splitlines()[-_LINES:]])
    return failed and _failed(failed, places)


class _Places:
    """Puts places in the application and in what it needs into words.

    Args:
        app: what was imported.
        site_packages: it was imported from there.
    """

    def __init__(self, app: str, site_packages: Iterable[Path]) -> None:
        self._package = app.partition(":")[0].partition(".")[0]
        self._roots = sorted((f"{path}/" for path in site_packages), key=len, reverse=True)

    def last(self, frames: Iterable[_Frame]) -> str:
        """`` (demo/main.py, line 3)``; of frames that are not the application's if none is."""
        named = [(self._relative(file), line) for file, line in frames]
        known = [(file, line) for file, line in named if file]
        own = [each for each in known if re.split(r"[/.]", each[0])[0] == self._package]
        return "".join(f" ({file}, line {line})" for file, line in (own or known)[-1:])

    def shortened(self, lines: Iterable[str]) -> str:
        """The first few lines as one."""
        told = [line.strip() for line in lines if line.strip(" ^~\n")]
        return " | ".join(self._without_roots(line)[:_LINE] for line in told[:_LINES])

    def _relative(self, file: str) -> str:
        return next((file.removeprefix(r) for r in self._roots if file.startswith(r)), "")

    def _without_roots(self, text: str) -> str:
        for root in self._roots:
            text = text.replace(root, "")
        return text


def _failed(failed: Mapping[str, Any], places: _Places) -> str:
    lines = "".join(failed["error"]).splitlines()
    # A SyntaxError shows its line of code before it says its name.
    begin = next((n for n, line in enumerate(lines) if line and not line[0].isspace()), 0)
    frames = ((str(file), int(line or 0)) for file, line in failed["frames"])
    return f"{places.shortened(lines[begin:])}{places.last(frames)}"


def _held_up(told: str) -> list[_Frame]:
    """Where the main thread was, which is told of last, innermost frame first."""
    found = _HELD_UP.finditer(told.rpartition("\n\n")[2])
    return [(each["file"], int(each["line"])) for each in found][::-1]


def _ended(done: Completed) -> str:
    if done.code < 0:
        return f"Python was ended by signal {-done.code}"
    return f"Python was ended before that was done, with exit code {done.code}"
