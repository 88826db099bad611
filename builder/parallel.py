"""Several things at a time, given up together."""

import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from builder.errors import TransportError
from builder.events import Event, EventSink
from builder.transport import Body
from layers.digest import Digest

_WORKERS = 4
_GRACE_SECONDS = 5
"""For the others to notice that one has failed; a server may keep them waiting for longer."""


def in_parallel[T, R](
    operation: Callable[[T], R], items: Sequence[T], *, stop: threading.Event
) -> list[R]:
    """What an operation returns for each item, in the order of the items.

    Args:
        operation: run in threads; it should end soon after ``stop`` is set.
        items: one at a time for each thread.
        stop: set when an operation failed, or when somebody pressed Ctrl-C.

    Raises:
        Exception: what the operation raised.
    """
    if len(items) == 1:
        return [operation(items[0])]
    futures: list[Future[R]] = [Future() for _ in items]
    waiting = deque(zip(futures, items, strict=True))
    workers = [_begin(partial(_work, operation, waiting)) for _ in items[:_WORKERS]]
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        return [future.result() for future in futures if future in done]
    except BaseException as error:
        # What is under way ends at its next piece, what waits never begins. Whoever pressed
        # Ctrl-C does not wait for a server that sends no next piece.
        stop.set()
        waiting.clear()
        if isinstance(error, Exception):
            end = time.monotonic() + _GRACE_SECONDS
            for worker in workers:
                worker.join(max(0.0, end - time.monotonic()))
        raise


def background[T](operation: Callable[[], T]) -> Future[T]:
    """Begin an operation in a thread of its own.

    Neither the caller nor the end of the program waits for it, so whoever does not want the
    result any more has to tell the operation.
    """
    future: Future[T] = Future()
    _begin(partial(_settle, future, operation))
    return future


def _begin(task: Callable[[], None]) -> threading.Thread:
    # A thread of an executor, and one that is no daemon, is waited for when the program ends.
    thread = threading.Thread(target=task, name="worker", daemon=True)
    thread.start()
    return thread


def _work[T, R](operation: Callable[[T], R], waiting: deque[tuple[Future[R], T]]) -> None:
    while True:
        try:
            future, item = waiting.popleft()
        except IndexError:
            return
        _settle(future, partial(operation, item))


def _settle[R](future: Future[R], operation: Callable[[], R]) -> None:
    try:
        result = operation()
    except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
        future.set_exception(error)
    else:
        future.set_result(result)


class LinkedEvent(threading.Event):
    """An event that is set as well once another is.

    Args:
        other: the other one, which this one does not set.
    """

    def __init__(self, other: threading.Event) -> None:
        super().__init__()
        self._other = other

    def is_set(self) -> bool:
        """Whether either is set."""
        return super().is_set() or self._other.is_set()


@dataclass(frozen=True, slots=True)
class Stoppable:
    """A body that ends in an error once nobody wants it any more."""

    body: Body
    stop: threading.Event

    def read(self, size: int = -1) -> bytes:
        """At most ``size`` bytes, none at the end; all that is left when negative.

        Raises:
            TransportError: the connection broke, or ``stop`` is set.
        """
        if self.stop.is_set():
            raise TransportError("stopped: given up, because something else failed")
        return self.body.read(size)

    def verifies(self, digest: Digest, size: int) -> bool:
        """Whether the body refuses to be another blob, so that nobody needs to hash it again."""
        verifies = getattr(self.body, "verifies", None)
        return verifies is not None and bool(verifies(digest, size))

    def close(self) -> None:
        """Let go of the connection."""
        self.body.close()


@dataclass(frozen=True, slots=True)
class InTurn:
    """Hands events on, one at a time, whichever thread they are from."""

    events: EventSink
    lock: Any = field(default_factory=threading.Lock)

    def __call__(self, event: Event, /) -> None:
        """Take one event."""
        with self.lock:
            self.events(event)
