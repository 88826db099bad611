"""What happened, as values: the library says it, ``builder.cli.console`` words it."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class StepStarted:
    """A step of the build begins."""

    name: str


@dataclass(frozen=True, slots=True)
class StepDone:
    """A step ended well: what it came to, and how many seconds it took."""

    name: str
    detail: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Notice:
    """Something the user should know, though nothing is wrong."""

    text: str


@dataclass(frozen=True, slots=True)
class Caution:
    """Something was substituted, left out or weaker than asked for; ``hint`` says what to do."""

    text: str
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Span:
    """Work that a thread did as part of a step, for whoever traces where the time goes.

    Attributes:
        name: what was done, and to what.
        started: seconds, as ``time.perf_counter`` counts them.
        ended: the same.
        thread: the identity of the thread (``threading.get_ident``).
    """

    name: str
    started: float
    ended: float
    thread: int


Event = StepStarted | StepDone | Notice | Caution | Span


class EventSink(Protocol):
    """Takes events, one at a time, in the order they happened."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        ...


def ignore(event: Event, /) -> None:
    """An event sink for callers who do not listen."""


@dataclass(frozen=True, slots=True)
class InTurn:
    """Hands events on, one at a time, whichever thread they are from."""

    events: EventSink
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        with self.lock:
            self.events(event)


@dataclass(slots=True)
class Step:
    """A step under way; its code sets ``detail`` to say what it came to."""

    name: str
    detail: str = ""


@contextmanager
def step(events: EventSink, name: str) -> Iterator[Step]:
    """Report the start of a step and, when it did not raise, its end and duration."""
    running = Step(name)
    events(StepStarted(name))
    started = time.perf_counter()
    yield running
    events(StepDone(name, running.detail, time.perf_counter() - started))


@contextmanager
def span(events: EventSink, name: str) -> Iterator[None]:
    """Report work when it did not raise; several threads may do so at once."""
    started = time.perf_counter()
    yield
    events(Span(name, started, time.perf_counter(), threading.get_ident()))
