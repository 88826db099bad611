"""Several things at a time, given up together."""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from builder.errors import TransportError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from builder.transport import Body
    from layers.digest import Digest

_WORKERS = 4
GRACE_SECONDS = 5
"""For the others to notice that one has failed; a server may keep them waiting for longer."""


def in_parallel[T, R](
    operation: Callable[[T], R],
    items: Sequence[T],
    *,
    stop: threading.Event,
    workers: int = _WORKERS,
) -> list[R]:
    """What an operation returns for each item, in the order of the items.

    Args:
        operation: run in threads; it should end soon after ``stop`` is set.
        items: one at a time for each thread.
        stop: set when an operation failed, or when somebody pressed Ctrl-C.
        workers: the most threads; what waits for servers may have more than there are cores.

    Raises:
        Exception: what the operation raised.
    """
    if len(items) == 1:
        return [operation(items[0])]
    futures: list[Future[R]] = [Future() for _ in items]
    waiting = deque(zip(futures, items, strict=True))
    threads = [_begin(partial(_work, operation, waiting)) for _ in items[:workers]]
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        return [future.result() for future in futures if future in done]
    except BaseException as error:
        # What is under way ends at its next piece, what waits never begins. Whoever pressed
        # Ctrl-C does not wait for a server that sends no next piece.
        stop.set()
        waiting.clear()
        if isinstance(error, Exception):
            _join(threads, GRACE_SECONDS)
        raise


def cores() -> int:
    """How many threads or processes may compute at a time: as many as this process has cores."""
    return len(os.sched_getaffinity(0))


def background[T](operation: Callable[[], T]) -> Future[T]:
    """Begin an operation in a thread of its own.

    Neither the caller nor the end of the program waits for it, so whoever does not want the
    result any more has to tell the operation.
    """
    future: Future[T] = Future()
    _begin(partial(_settle, future, operation))
    return future


def stopped() -> TransportError:
    """The error of what was given up."""
    return TransportError("stopped: given up, because something else failed")


def _join(threads: Sequence[threading.Thread], grace_seconds: float) -> None:
    end = time.monotonic() + grace_seconds
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))


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


class Crew:
    """A few threads that take tasks as these come up, the first one first.

    Neither the caller nor the end of the program waits for them.

    Args:
        workers: the most threads.
    """

    def __init__(self, workers: int = _WORKERS) -> None:
        self._workers = workers
        self._waiting: deque[tuple[Future[Any], Callable[[], Any]]] = deque()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()

    def take[T](self, task: Callable[[], T]) -> Future[T]:
        """Do something soon."""
        future: Future[T] = Future()
        with self._lock:
            self._waiting.append((future, task))
            if len(self._threads) < self._workers:
                thread = threading.Thread(target=self._work, name="worker", daemon=True)
                self._threads.add(thread)
                thread.start()
        return future

    def give_up(self, *, grace_seconds: float) -> None:
        """Begin nothing more; what waited fails.

        Args:
            grace_seconds: for what is under way to end, which should have been told to.
        """
        with self._lock:
            dropped, threads = list(self._waiting), list(self._threads)
            self._waiting.clear()
        for future, _ in dropped:
            future.set_exception(stopped())
        _join(threads, grace_seconds)

    def _work(self) -> None:
        while True:
            with self._lock:
                if not self._waiting:
                    self._threads.discard(threading.current_thread())
                    return
                future, task = self._waiting.popleft()
            _settle(future, task)


class Once[T]:
    """An answer that several threads want and one finds; after a failure the next one tries again.

    Who comes while it is being found waits, and shares the failure, too.

    Args:
        find: finds it.
    """

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._future: Future[T] | None = None
        self._lock = threading.Lock()

    def __call__(self) -> T:
        """The answer.

        Raises:
            Exception: what finding it raised.
        """
        with self._lock:
            future = self._future
            is_mine = future is None or (future.done() and future.exception() is not None)
            if future is None or is_mine:
                future = self._future = Future()
        if is_mine:
            _settle(future, self._find)
        return future.result()


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
            raise stopped()
        return self.body.read(size)

    def verifies(self, digest: Digest, size: int) -> bool:
        """Whether the body refuses to be another blob, so that nobody needs to hash it again."""
        verifies = getattr(self.body, "verifies", None)
        return verifies is not None and bool(verifies(digest, size))

    def close(self) -> None:
        """Let go of the connection."""
        self.body.close()
