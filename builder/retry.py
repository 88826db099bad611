"""Asking again: a few times, with growing and jittered pauses, and each time said aloud."""

import email.utils
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from builder.errors import ArchiveError, RegistryError, TransportError
from builder.events import EventSink, Notice, ignore

PASSING = frozenset({408, 429, 500, 502, 503, 504})
"""HTTP status codes that may be others a moment later."""

_MOST_STEPS = 32
"""How many times patience begins anew: not for ever, where each try brings one byte more."""

type Failure = TransportError | RegistryError | ArchiveError


class Transient(Exception):  # noqa: N818 - a signal to ``Retry``, not an error: that is inside
    """Raised by an operation that may well succeed a moment later.

    Args:
        error: what is raised when patience ends.
        wait_seconds: how long the server asks to be left alone; None when it says nothing.
    """

    def __init__(self, error: Failure, *, wait_seconds: float | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often and how long.

    Attributes:
        tries: in all, the first one included.
        first_pause_seconds: doubled each time, then shortened by up to half at random, so that
            many builders that failed together do not come back together.
        patience_seconds: of pauses, in all: what takes long for its size may still be tried again.
        events: told of every pause.
        sleep: how to pause, by seconds.
    """

    tries: int = 4
    first_pause_seconds: float = 0.4
    patience_seconds: float = 12
    events: EventSink = ignore
    sleep: Callable[[float], None] = time.sleep

    def run[T](self, operation: Callable[[], T], *, progress: Callable[[], int] = lambda: 0) -> T:
        """What ``operation`` returns, once it does not raise ``Transient``.

        Args:
            operation: tried until it works, or patience ends.
            progress: how far it got; patience begins anew whenever that has grown.

        Raises:
            TransportError: it kept failing.
            RegistryError: it kept being refused, or has to wait longer than patience lasts.
            ArchiveError: the same, of an archive.
        """
        reached, steps, attempt, paused = progress(), 0, 1, 0.0
        while True:
            try:
                return operation()
            except Transient as signal:
                if (now := progress()) > reached and steps < _MOST_STEPS:
                    reached, steps, attempt, paused = now, steps + 1, 1, 0.0
                pause = self._pause(attempt, signal)
                paused += pause
                if attempt >= self.tries or paused > self.patience_seconds:
                    raise _final(signal) from None
                self._tell(signal, pause, attempt)
                self.sleep(pause)
                attempt += 1

    def _tell(self, signal: Transient, pause: float, attempt: int) -> None:
        self.events(
            Notice(
                f"{signal.error.message}; trying again in {pause:.1f} s "
                f"({attempt} of {self.tries - 1})"
            )
        )

    def _pause(self, attempt: int, signal: Transient) -> float:
        pause = self.first_pause_seconds * (1 << attempt - 1)
        pause *= random.uniform(0.5, 1)  # noqa: S311 - jitter, no secret
        return max(pause, signal.wait_seconds or 0)


def _final(signal: Transient) -> Failure:
    if signal.wait_seconds:
        signal.error.hint = (
            f"it asks to wait for {signal.wait_seconds:.0f} s; try again then, or use a mirror"
        )
    return signal.error


@contextmanager
def passing() -> Iterator[None]:
    """Turn errors that may pass by themselves into the signal to try again.

    Raises:
        Transient: with such an error inside.
    """
    try:
        yield
    except TransportError as error:
        if error.transient:
            raise Transient(error) from error
        raise
    except RegistryError as error:
        if error.status in PASSING:
            raise Transient(error) from error
        raise


def retry_after(value: str | None) -> float | None:
    """Seconds that a ``Retry-After`` field asks for; None when it says nothing readable.

    https://www.rfc-editor.org/rfc/rfc9110#field.retry-after
    """
    if value is None:
        return None
    if value.strip().isdecimal():
        return float(value)
    try:
        moment = email.utils.parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return max(0.0, moment.timestamp() - time.time())
