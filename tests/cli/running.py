"""The program under way: wait for a moment, send a signal, see what is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from tests.cli.conftest import Place

_PATIENCE = 30.0
_TICK = 0.005


class Running:
    """A build in a session of its own, as a terminal would start it."""

    def __init__(self, place: Place, arguments: Sequence[str | Path], **environ: str) -> None:
        self._place = place
        self._said = place.out.parent / "stderr"
        with self._said.open("wb") as said:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "builder", "build", place.project, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, **place.environ, **environ},
                cwd=place.out,
                text=True,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    @property
    def stderr(self) -> str:
        return self._said.read_text()

    def until(self, happened: Callable[[], bool]) -> None:
        """Wait; fails when the program ends before."""
        deadline = time.monotonic() + _PATIENCE
        while not happened():
            assert self._process.poll() is None, self.stderr
            assert time.monotonic() < deadline, self.stderr
            time.sleep(_TICK)

    def until_line(self, start: str) -> None:
        """Wait for a line of output."""
        self.until(lambda: any(line.startswith(start) for line in self.stderr.splitlines()))

    def ctrl_c(self) -> None:
        """What a terminal does: everybody in the foreground gets it."""
        os.killpg(self._process.pid, signal.SIGINT)

    def cancel(self) -> None:
        """What a CI system does: the program alone gets it."""
        self._process.terminate()

    def kill(self) -> None:
        """What cannot be caught."""
        self._process.kill()

    def ended(self, code: int) -> str:
        """Its whole stderr, once it has ended with that exit code and nothing on stdout."""
        stdout, _ = self._process.communicate(timeout=_PATIENCE)
        assert (self._process.returncode, stdout) == (code, ""), self.stderr
        return self.stderr


def processes_of(place: Place) -> list[str]:
    """Command lines of all processes, anywhere, that inherited this place's environ."""
    mark = f"BUILDER_STORE={place.store}".encode()
    return [line for line in map(_command_line, _with(mark)) if line]


def wait_until_gone(place: Place) -> None:
    """A process that was told to end takes a moment."""
    deadline = time.monotonic() + 5
    while found := processes_of(place):
        assert time.monotonic() < deadline, found
        time.sleep(_TICK)


@contextmanager
def nothing_left(place: Place) -> Iterator[None]:
    """When the block ends no process and nothing half-written is left of it."""
    yield
    wait_until_gone(place)
    left = place.leftovers()
    assert left == [], left
    assert place.written() == []


def _with(mark: bytes) -> Iterator[Path]:
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal() or process.name == str(os.getpid()):
            continue
        try:
            variables = (process / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if mark in variables:
            yield process


def _command_line(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""
