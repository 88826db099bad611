"""What happened, as values: the library says it, ``builder.cli.console`` words it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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


Event = StepStarted | StepDone | Notice | Caution


class EventSink(Protocol):
    """Takes events, one at a time, in the order they happened."""

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        ...


def ignore(event: Event, /) -> None:
    """An event sink for callers who do not listen."""


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
