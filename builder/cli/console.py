"""How events and errors read. Everything here goes to stderr; stdout is for data."""

import contextlib
import os
import sys
from typing import TextIO, assert_never

from builder.errors import BuilderError, StoreError
from builder.events import Caution, Event, Notice, Span, StepDone, StepStarted

_NAME_WIDTH = 27
_CLEAR_LINE = "\r\033[K"


class Console:
    """Plain lines; on a terminal, also a line for the step under way.

    Args:
        stream: where lines go.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._is_terminal = stream.isatty()
        self._under_way = ""

    def __call__(self, event: Event, /) -> None:
        """Say what happened: this is an ``EventSink``."""
        match event:
            case StepStarted(name):
                self._show(f"{name} ...")
            case StepDone(name, detail, seconds):
                self._under_way = ""
                self._line(f"{name:<{_NAME_WIDTH}} {seconds:6.2f} s  {detail}".rstrip())
            case Notice(text):
                self._line(text)
                self._show(self._under_way)
            case Caution(text, hint):
                self._line(f"warning: {text}")
                self._hint(hint)
                self._show(self._under_way)
            case Span():
                """For traces; too many to be read."""
            case _:
                assert_never(event)

    def error(self, error: BuilderError) -> None:
        """Say what went wrong, and what to do."""
        self._line(f"error: {error.message}")
        self._hint(error.hint)

    def interrupted(self) -> None:
        """Say that the user ended it."""
        self._line("interrupted")

    def bug(self, error: Exception, versions: str) -> None:
        """Show where the program itself went wrong, and ask for a report."""
        import traceback  # only when something went wrong

        self._line("".join(traceback.format_exception(error)).rstrip())
        self._line(f"error: this is a bug in the builder ({versions})")
        self._hint("please report it, with the lines above; nothing is wrong with your project")

    def _show(self, text: str) -> None:
        """Let the step under way stand on the last line, without ending that line."""
        self._under_way = text
        if self._is_terminal:
            self._write(text)

    def _hint(self, hint: str | None) -> None:
        if hint:
            self._line(f"hint: {hint}")

    def _line(self, text: str) -> None:
        self._write(f"{_CLEAR_LINE if self._is_terminal else ''}{text}\n")

    def _write(self, text: str) -> None:
        # A path may hold bytes that are no text; they must not turn a message into a traceback.
        # Nor must whoever reads stop us by going away.
        with contextlib.suppress(OSError):
            self._stream.write(text.encode("utf-8", "backslashreplace").decode())
            self._stream.flush()


def emit(text: str) -> None:
    """Print data to stdout, where nothing else goes.

    Raises:
        StoreError: nobody takes it: a pipe was closed, or a disk is full.
    """
    try:
        print(text, flush=True)  # noqa: T201
    except OSError as error:
        # What is left in the buffer must not be tried again when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise StoreError(f"cannot write the result to stdout: {error.strerror}") from error
