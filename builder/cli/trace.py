"""``--trace FILE``: where the time of ``build`` and ``push`` goes, for whoever wants it faster.

The file is in Chrome's trace event format, which https://ui.perfetto.dev and ``chrome://tracing``
show: a row for each thread, and on it a bar for each step, each program that was run, and each
span that the thread reported. It is written when the command fails or is interrupted, too.

https://docs.google.com/document/d/1CvAClvFfyA5R-PhYUmn5OOQtYMH4h6I0nSsKchNAySU
"""

import argparse
import json
import os
import re
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.cli.console import Console
from builder.cli.results import refuse_files, write_files
from builder.errors import StoreError
from builder.events import Caution, Event, EventSink, Notice, Span, StepDone, StepStarted, span
from builder.process import CommandRunner, Completed, run

_RESULTS = ("trace", "metadata_file", "digest_file", "image_refs")
_SUBCOMMAND = re.compile("[a-z][a-z-]*")
_STARTTIME = 22
"""The field's number in ``/proc/PID/stat``; the second is a name in parentheses."""


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``build`` or ``push``, traced; the exit code.

    Raises:
        BuilderError: of every kind.
    """
    refuse_files(*(getattr(options, result, None) for result in _RESULTS))
    trace = Trace(console, began=process_start())
    with _written(trace, options.trace, console):
        with span(trace, "imports"):
            match options.command:
                case "build":
                    from builder.cli.build import execute
                case _:
                    from builder.cli.push import execute
        return execute(options, trace, TracedRunner(run=run, events=trace))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bar:
    """Something that lasted, or a mark when it has no end; in seconds of ``perf_counter``."""

    name: str
    started: float
    ended: float | None
    thread: int
    detail: str = ""


class Trace:
    """An ``EventSink`` that remembers when things happened, and hands on what it is told.

    Spans may come from several threads at once; everything else comes in turn.

    Args:
        events: takes what is handed on.
        began: when this process did, as ``time.perf_counter`` counts; here the trace begins.
    """

    def __init__(self, events: EventSink, *, began: float) -> None:
        self._events = events
        self._began = began
        self._bars: list[_Bar] = []
        self._under_way: dict[tuple[int, str], float] = {}
        self._threads: dict[int, str] = {}
        self(Span("interpreter", began, time.perf_counter(), threading.get_ident()))

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        now, here = time.perf_counter(), threading.get_ident()
        self._threads.setdefault(here, threading.current_thread().name)
        match event:
            case Span(name, started, ended, thread):
                # Other processes count the same seconds, so a thread may report for one of them.
                self._threads.setdefault(thread, f"process {thread}")
                self._bars.append(_Bar(name=name, started=started, ended=ended, thread=thread))
                return
            case StepStarted(name):
                self._under_way[here, name] = now
            case StepDone(name, detail, seconds):
                self._under_way.pop((here, name), None)
                bar = _Bar(name=name, started=now - seconds, ended=now, thread=here, detail=detail)
                self._bars.append(bar)
            case Notice(text) | Caution(text):
                self._bars.append(_Bar(name=text, started=now, ended=None, thread=here))
        self._events(event)

    def events(self) -> list[dict[str, Any]]:
        """Everything so far, as the format has it; times are whole microseconds.

        A step that has not ended lasts until now, and says so.
        """
        now = time.perf_counter()
        # Threads that nobody waits for may add to both; a bar's thread is known before the bar is.
        bars, under_way = list(self._bars), dict(self._under_way)
        bars += [
            _Bar(name=name, started=started, ended=now, thread=thread, detail="did not end")
            for (thread, name), started in under_way.items()
        ]
        threads = dict(self._threads)
        # From 1: to Perfetto a thread 0 is the kernel's.
        rows = {thread: row for row, thread in enumerate(threads, 1)}
        bars.sort(key=lambda bar: bar.started)
        return [
            _metadata("process_name", 1, "builder"),
            *(_metadata("thread_name", rows[thread], name) for thread, name in threads.items()),
            *(self._bar(bar, rows) for bar in bars),
        ]

    def _bar(self, bar: _Bar, rows: Mapping[int, int]) -> dict[str, Any]:
        begin = self._microseconds(bar.started)
        event: dict[str, Any] = {"name": bar.name, "cat": "builder", "ts": begin}
        if bar.ended is None:
            event |= {"ph": "i", "s": "t"}
        else:
            # Both ends are rounded, so that a bar within another one stays there.
            event |= {"ph": "X", "dur": self._microseconds(bar.ended) - begin}
        args = {"detail": bar.detail} if bar.detail else {}
        return event | {"pid": os.getpid(), "tid": rows[bar.thread], "args": args}

    def _microseconds(self, moment: float) -> int:
        return round((moment - self._began) * 1_000_000)


def _metadata(what: str, row: int, name: str) -> dict[str, Any]:
    where = {"cat": "__metadata", "ts": 0, "pid": os.getpid(), "tid": row}
    return {"name": what, "ph": "M", **where, "args": {"name": name}}


@dataclass(frozen=True, slots=True, kw_only=True)
class TracedRunner:
    """A ``CommandRunner`` that reports every program as a span.

    Args:
        run: runs them.
        events: takes the spans.
    """

    run: CommandRunner
    events: EventSink

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
    ) -> Completed:
        """Run ``argv``; see ``CommandRunner``."""
        with span(self.events, _program(argv)):
            return self.run(argv, cwd=cwd, environ=environ, stdin=stdin)


def _program(argv: Sequence[str]) -> str:
    """The program and its subcommand: other arguments may be long, or nobody's business."""
    words = [word for word in argv[1:] if _SUBCOMMAND.fullmatch(word)]
    return " ".join([Path(argv[0]).name, *words[:1]])


def process_start() -> float:
    """When this process began, as ``time.perf_counter`` counts, to a hundredth of a second.

    https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html
    """
    after_name = Path("/proc/self/stat").read_text("utf-8", "replace").rpartition(")")[2]
    ticks = int(after_name.split()[_STARTTIME - 3])
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
    return time.perf_counter() - age


@contextmanager
def _written(trace: Trace, path: str, console: Console) -> Iterator[None]:
    """Write the trace however the block ends; what it raised counts for more than a full disk.

    Raises:
        StoreError: the file cannot be written.
    """
    try:
        yield
    except BaseException:
        try:
            _write(trace, path)
        except StoreError as error:
            console(Caution(error.message, error.hint))
        raise
    _write(trace, path)


def _write(trace: Trace, path: str) -> None:
    """One event on a line: people grep in traces, too."""
    lines = ",\n".join(json.dumps(event) for event in trace.events())
    write_files((path, ['{"displayTimeUnit": "ms", "traceEvents": [', lines, "]}"]))
