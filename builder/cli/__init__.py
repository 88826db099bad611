"""The command line: parse, call, print. One module per command, imported when it is called."""

import argparse
import errno
import gc
import os
import signal
import sys
from collections.abc import Callable, Sequence
from types import FrameType
from typing import TYPE_CHECKING, NoReturn

from builder.cli.arguments import parsed, version

if TYPE_CHECKING:
    from builder.cli.console import Console

    type _Command = Callable[[argparse.Namespace, Console], int]

_INTERRUPTED = 130
_CANCELS = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)
_AGAIN_SECONDS = 0.3
_told: list[int] = []
"""The signals that told us to end."""
_SPACE = "free some space; temporary files go where TMPDIR says, the store where BUILDER_STORE says"
# What the operating system may refuse anywhere, through no fault of ours.
_MACHINE = {
    errno.ENOSPC: _SPACE,
    errno.EDQUOT: _SPACE,
    errno.EACCES: "may this user read and write there?",
    errno.EROFS: "name a place that can be written",
    errno.EIO: "look at the disk",
    errno.EMFILE: "raise the limit of open files: ulimit -n",
    errno.ENFILE: "this machine has too many open files",
    errno.ENOMEM: "this machine is out of memory",
    errno.EAGAIN: "this user may start no more processes: ulimit -u",
}


def run() -> NoReturn:
    """The program: ``python -m builder`` and the console script."""
    # A short-lived program keeps most of what it makes: looking for garbage is a twentieth of the
    # time that a build takes which finds nothing changed.
    gc.set_threshold(50_000)
    # CI systems cancel with SIGTERM; what has to be cleaned up is the same as on Ctrl-C.
    for number in _CANCELS:
        signal.signal(number, _interrupt)
    code = main(sys.argv[1:])
    if code == _INTERRUPTED:
        _leave_at_once(code)
    _leave(code)


def main(argv: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return _run(parsed(argv))
    except KeyboardInterrupt:
        for number in _CANCELS:
            signal.signal(number, signal.SIG_IGN)
        from builder.cli.console import Console

        Console(sys.stderr).interrupted()
        return _INTERRUPTED


def _run(options: argparse.Namespace) -> int:
    from builder.cli.console import Console
    from builder.errors import BuilderError, exit_code

    console = Console(sys.stderr)
    try:
        code = _command(_traced(options) or options.command)(options, console)
    except BuilderError as error:
        if _told:
            # What failed is most likely a program that was told to end as we were.
            raise KeyboardInterrupt from error
        console.error(error)
        return exit_code(error)
    except Exception as error:  # noqa: BLE001 - the last resort: what arrives here is a bug
        return _unexpected(error, console)
    return code


def _traced(options: argparse.Namespace) -> str | None:
    """The command in place of the one whose steps the user wants to see."""
    return None if getattr(options, "trace", None) is None else "trace"


def _command(name: str) -> "_Command":
    """What does a command; each one's module is imported when it is called."""
    match name:
        case "build":
            from builder.cli.build import command
        case "push":
            from builder.cli.push import command
        case "trace":
            from builder.cli.trace import command
        case "lock":
            from builder.cli.lock import command
        case "check":
            from builder.cli.check import command
        case "test":
            from builder.cli.test import command
        case "login":
            from builder.cli.login import command
        case "logout":
            from builder.cli.logout import command
        case "cache":
            from builder.cli.cache import command
        case _:
            raise AssertionError(name)
    return command


def _interrupt(number: int, _frame: FrameType | None) -> None:
    # Once is enough: wrappers repeat the signal, and cleaning up must not be interrupted.
    if isinstance(sys.exception(), KeyboardInterrupt):
        return
    _told.append(number)
    # Python drops what is raised while it takes an object apart, so it is raised until it is heard.
    signal.setitimer(signal.ITIMER_REAL, _AGAIN_SECONDS)
    # Not imported here: the signal may have come in the middle of that very import.
    if end_children := getattr(sys.modules.get("builder.process"), "end_children", None):
        end_children()
    raise KeyboardInterrupt


def _leave(code: int) -> NoReturn:
    """Exit without taking everything apart first, which takes longer than finding a known image."""
    try:
        sys.stdout.flush()
        sys.stderr.flush()
    except (OSError, ValueError):
        sys.exit(code)  # Python has words for output that nobody takes
    os._exit(code)


def _leave_at_once(code: int) -> NoReturn:
    """Exit without waiting for threads: one may hang on a server that says nothing."""
    if drop := getattr(sys.modules.get("builder.store.files"), "drop_unfinished", None):
        drop()
    sys.stdout.flush()
    os._exit(code)


def _unexpected(error: Exception, console: "Console") -> int:
    from builder.errors import StoreError, exit_code

    if isinstance(error, OSError) and error.errno in _MACHINE:
        place = f"{error.filename}: " if error.filename else ""
        refused = StoreError(
            f"the operating system refused: {place}{error.strerror}", hint=_MACHINE[error.errno]
        )
        console.error(refused)
        return exit_code(refused)
    console.bug(error, f"image-builder {version()}, Python {sys.version.split()[0]}")
    return 1
