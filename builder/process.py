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
from typing import IO, Any, Protocol

_GRACE_SECONDS = 5
_MOST_SAID = 1 << 16
"""Bytes that are kept of what a program writes without end."""

_children: set[subprocess.Popen[Any]] = set()
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
    with subprocess.Popen(  # noqa: S603 - argv is ours, and no shell reads it
        list(argv),
        cwd=cwd,
        env=_variables(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
    ) as process:
        _children.add(process)
        try:
            _end_if_late(process)
            stdout, stderr = process.communicate(stdin)
        except BaseException:
            _terminate(process.pid)
            _end(process)
            raise
        finally:
            _children.discard(process)
    return Completed(tuple(argv), process.returncode, stdout, stderr)


def run_apart(
    argv: Sequence[str],
    *,
    seconds: float,
    cwd: Path | None = None,
    environ: Mapping[str, str | None] | None = None,
    stdin: str = "",
) -> Completed:
    """Run what may neither end nor leave nothing behind, as ``run`` does otherwise.

    It has a session of its own, which ends with it. It reads and writes files, not pipes, which
    would be open for as long as anything that it started holds them; of what it wrote, the end
    is kept.

    Args:
        argv: as for ``run``, and so is all but the time.
        seconds: how long it may take.
        cwd: where it runs.
        environ: variables on top of this process's own.
        stdin: what it may read.

    Raises:
        FileNotFoundError: there is no such program.
        TimeoutError: it took longer.
    """
    # Most commands run nothing of the kind, and this comes with random numbers.
    import tempfile  # noqa: PLC0415

    with (
        tempfile.TemporaryFile() as asked,
        tempfile.TemporaryFile() as stdout,
        tempfile.TemporaryFile() as stderr,
    ):
        asked.write(stdin.encode())
        asked.seek(0)
        with subprocess.Popen(  # noqa: S603 - argv is ours, and no shell reads it
            list(argv),
            cwd=cwd,
            env=_variables(environ),
            stdin=asked,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        ) as process:
            _children.add(process)
            try:
                _end_if_late(process)
                process.wait(seconds)
            except subprocess.TimeoutExpired:
                raise TimeoutError(f"{argv[0]} took longer than {seconds:g} s") from None
            finally:
                _kill_session(process)
                _children.discard(process)
        return Completed(tuple(argv), process.returncode, _end_of(stdout), _end_of(stderr))


def _variables(environ: Mapping[str, str | None] | None) -> dict[str, str]:
    variables = {**os.environ, **(environ or {})}
    return {name: value for name, value in variables.items() if value is not None}


def _end_of(stream: IO[bytes]) -> str:
    stream.seek(max(0, stream.seek(0, os.SEEK_END) - _MOST_SAID))
    return stream.read().decode("utf-8", "replace")


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


def _end_if_late(process: subprocess.Popen[Any]) -> None:
    """Threads start nothing any more; the main one may still need programs to clean up."""
    if _ending.is_set() and threading.current_thread() is not threading.main_thread():
        _terminate(process.pid)


def _terminate(pid: int) -> None:
    """Ask a program to end, and all that it started: uv leaves build backends running."""
    for member in _family(pid):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGTERM)


def _kill_session(process: subprocess.Popen[Any]) -> None:
    """End a program that has a session of its own, and what it left in there."""
    family = _family(process.pid) if process.poll() is None else []
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    for member in family:  # some of it may have begun a session, too
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(member, signal.SIGKILL)


def _family(pid: int) -> list[int]:
    """A process, and all that it started.

    https://man7.org/linux/man-pages/man5/proc_tid_children.5.html
    """
    family = [pid]
    for member in family:
        for children in Path("/proc", str(member), "task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended meanwhile
                family += map(int, children.read_text().split())
    return family


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
