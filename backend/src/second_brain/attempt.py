"""Try something that may fail or hang, for a bounded time, and go on without it."""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread

logger = logging.getLogger(__name__)


async def attempt[T](name: str, work: Callable[[], T], *, seconds: float) -> T | None:
    """Run blocking work and return its result, or log a warning and return None.

    Args:
        name: What is attempted, for the log.
        work: Called in a thread of its own.
        seconds: How long to wait. Work that takes longer is abandoned.
    """
    try:
        return await asyncio.wait_for(_in_daemon_thread(work), seconds)
    except TimeoutError:
        logger.warning("%s did not answer within %g s; going on without it", name, seconds)
    except Exception as error:  # noqa: BLE001 - whatever an optional service does, we start
        reason = next(iter(str(error).splitlines()), "")
        logger.warning(
            "%s is not available (%s: %s); going on without it", name, type(error).__name__, reason
        )
    return None


def _in_daemon_thread[T](work: Callable[[], T]) -> asyncio.Future[T]:
    """Start work in a thread that nobody has to wait for.

    `asyncio.to_thread` would not do: the loop and the interpreter join its threads when
    they stop, so a name lookup that hangs would also hang the answer to SIGTERM.
    """
    outcome: Future[T] = Future()
    # Marked as running, it cannot be cancelled, so a late result is dropped without an error.
    outcome.set_running_or_notify_cancel()

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again where it is awaited
            outcome.set_exception(error)

    Thread(target=run, name="attempt", daemon=True).start()
    return asyncio.wrap_future(outcome)
