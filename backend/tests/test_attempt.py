import asyncio
import threading
from collections.abc import Callable

import pytest

from second_brain.attempt import attempt


def test_a_result_is_passed_on() -> None:
    assert asyncio.run(attempt("it", lambda: 42, seconds=30)) == 42


def test_a_failure_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> None:
        message = "first line\nsecond line"
        raise ValueError(message)

    assert asyncio.run(attempt("it", fail, seconds=30)) is None
    assert caplog.messages == ["it is not available (ValueError: first line); going on without it"]


@pytest.mark.parametrize("late", [lambda: 42, lambda: 1 // 0])
def test_late_work_is_abandoned(
    late: Callable[[], object], caplog: pytest.LogCaptureFixture
) -> None:
    release = threading.Event()

    def hang() -> object:
        release.wait()
        return late()

    async def abandon_then_finish() -> None:
        assert await attempt("it", hang, seconds=0.01) is None
        workers = [thread for thread in threading.enumerate() if thread.name == "attempt"]
        release.set()
        for worker in workers:
            await asyncio.to_thread(worker.join)

    asyncio.run(abandon_then_finish())
    assert caplog.messages == ["it did not answer within 0.01 s; going on without it"]
