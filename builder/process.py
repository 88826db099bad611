"""The only module that starts processes."""

import contextlib
import os
import signal
import subprocess  # noqa: TID251 - this is the module that the ban points to
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

_GRACE_SECONDS = 5

_children: set[subprocess.Popen[str]] = set()
_ending = threading.Event()


@dataclass(frozen=True, slots=True)
class Completed:
    """A process that ended: what it was, its exit code and what it wrote."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str

    @property
    def last_words(self) -> str:
        """The end of what it said about itself, for an error message."""
        said = self.stderr.strip() or self.stdout.strip()
        return "\n".join(said.splitlines()[-20:]) or f"exit code {self.code}, without a word"


class CommandRunner(Protocol):
    """Runs one command to its end."""

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Run ``argv``; a non-zero exit code is an answer, not an exception.

        Args:
            argv: the program's path or name, and its arguments; never a shell's line.
            cwd: where it runs; here when omitted.
            environ: variables on top of this process's own; None takes one away.
            stdin: what it may read.

        Raises:
            FileNotFoundError: there is no such program.
        """
        ...


def run(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str | None] | None = None,
    stdin: str = "",
) -> Completed:
    """The ``CommandRunner`` of real life. On Ctrl-C the child has ended before this returns."""
    variables = {**os.environ, **(environ or {})}
    with subprocess.Popen(  # noqa: S603 - argv is ours, and no shell reads it
        list(argv),
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        _children.add(process)
        try:
            if _ending.is_set() and threading.current_thread() is not threading.main_thread():
                _terminate(process.pid)  # the main thread may still need programs to clean up
            stdout, stderr = process.communicate(stdin)
        except BaseException:
            _terminate(process.pid)
            _end(process)
            raise
        finally:
            _children.discard(process)
    return Completed(tuple(argv), process.returncode, stdout, stderr)


def end_children() -> None:
    """Ask every program that ``run`` waits for to end, in whatever thread: we were told to.

    On Ctrl-C a terminal tells them too; SIGTERM reaches us alone, and a thread that waits for a
    download would keep us here until its end.
    """
    _ending.set()
    stop_children()


def stop_children() -> None:
    """Ask every program that ``run`` waits for to end; others may be started afterwards."""
    for process in list(_children):
        _terminate(process.pid)


@contextmanager
def service(argv: Sequence[str], *, log: Path) -> Iterator[None]:
    """Keep a program running for as long as the block lasts; its output goes to ``log``.

    It runs in a session of its own, so Ctrl-C on the terminal reaches us and not it: the block
    may still need it to clean up. It gets SIGTERM, and SIGKILL after a few seconds.

    Raises:
        FileNotFoundError: there is no such program.
    """
    with (
        log.open("wb") as output,
        subprocess.Popen(  # noqa: S603 - argv is ours, and no shell reads it
            list(argv),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        ) as process,
    ):
        try:
            yield
        finally:
            _end(process)


def _terminate(pid: int) -> None:
    """Ask a program to end, and all that it started: uv leaves build backends running.

    https://man7.org/linux/man-pages/man5/proc_tid_children.5.html
    """
    family = [pid]
    for member in family:
        for children in Path("/proc", str(member), "task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                family += map(int, children.read_text().split())
    for member in family:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGTERM)


def _end(process: subprocess.Popen[Any]) -> None:
    process.terminate()
    try:
        process.wait(_GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def find(program: str) -> str | None:
    """Where a program of that name is on PATH; None when it is not."""
    # As ``shutil.which``, which comes with every kind of compression.
    places = (os.path.join(directory, program) for directory in os.get_exec_path())  # noqa: PTH118
    return next((p for p in places if Path(p).is_file() and os.access(p, os.X_OK)), None)
