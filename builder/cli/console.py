"""How events and errors read. Everything here goes to stderr; stdout is for data."""

from typing import TextIO, assert_never

from builder.errors import BuilderError
from builder.events import Caution, Event, Notice, StepDone, StepStarted

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

    def __call__(self, event: Event, /) -> None:
        """Say what happened: this is an ``EventSink``."""
        match event:
            case StepStarted(name):
                if self._is_terminal:
                    self._write(f"{name} ...")
            case StepDone(name, detail, seconds):
                self._line(f"{name:<{_NAME_WIDTH}} {seconds:6.2f} s  {detail}".rstrip())
            case Notice(text):
                self._line(text)
            case Caution(text, hint):
                self._line(f"warning: {text}")
                self._hint(hint)
            case _:
                assert_never(event)

    def error(self, error: BuilderError) -> None:
        """Say what went wrong, and what to do."""
        self._line(f"error: {error.message}")
        self._hint(error.hint)

    def interrupted(self) -> None:
        """Say that the user ended it."""
        self._line("interrupted; nothing was left behind")

    def _hint(self, hint: str | None) -> None:
        if hint:
            self._line(f"hint: {hint}")

    def _line(self, text: str) -> None:
        self._write(f"{_CLEAR_LINE if self._is_terminal else ''}{text}\n")

    def _write(self, text: str) -> None:
        # A path may hold bytes that are no text; they must not turn a message into a traceback.
        self._stream.write(text.encode("utf-8", "backslashreplace").decode())
        self._stream.flush()


def emit(text: str) -> None:
    """Print data to stdout, where nothing else goes."""
    print(text, flush=True)  # noqa: T201
