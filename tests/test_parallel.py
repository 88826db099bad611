"""Tasks that come up one by one, and answers that several threads want."""

import threading
from concurrent.futures import wait
from functools import partial
from time import sleep

import pytest

from builder.errors import TransportError
from builder.parallel import Crew, Once

_PATIENCE = 20.0


def test_a_crew_does_what_comes_first_first_and_no_more_than_it_can_at_a_time() -> None:
    crew, order, go = Crew(workers=2), list[int](), threading.Event()
    together = threading.Barrier(2)

    def task(number: int) -> int:
        order.append(number)
        if number < 2:
            together.wait(_PATIENCE)
            go.wait(_PATIENCE)
        return number * number

    futures = [crew.take(partial(task, number)) for number in range(6)]
    assert not wait(futures[2:], timeout=0.05).done
    go.set()
    assert [future.result(_PATIENCE) for future in futures] == [0, 1, 4, 9, 16, 25]
    assert sorted(order[:2]) == [0, 1]
    # One that has nothing more to do begins again when there is.
    assert crew.take(lambda: 7).result(_PATIENCE) == 7


def test_what_a_crew_gave_up_fails_and_what_was_under_way_ends() -> None:
    crew, begun, go = Crew(workers=1), threading.Event(), threading.Event()

    def task() -> str:
        begun.set()
        go.wait(_PATIENCE)
        return "done"

    first, second = crew.take(task), crew.take(task)
    assert begun.wait(_PATIENCE)
    crew.give_up(grace_seconds=0)
    with pytest.raises(TransportError, match="stopped"):
        second.result(_PATIENCE)
    assert not first.done()
    go.set()
    crew.give_up(grace_seconds=_PATIENCE)
    assert first.result() == "done"


def test_an_answer_is_found_once() -> None:
    found = list[int]()

    def find() -> str:
        found.append(1)
        return "answer"

    once = Once(find)
    assert (once(), once(), found) == ("answer", "answer", [1])


def test_who_waits_for_an_answer_shares_the_failure_and_the_next_one_tries_again() -> None:
    tries, asking = list[int](), threading.Barrier(3)

    def find() -> str:
        tries.append(1)
        if len(tries) > 1:
            return "answer"
        asking.wait(_PATIENCE)
        sleep(0.3)  # the others are on their way in
        raise TransportError("nobody is there")

    def wait_for_it() -> str:
        asking.wait(_PATIENCE)
        return once()

    once, crew = Once(find), Crew(workers=3)
    futures = [crew.take(task) for task in (once, wait_for_it, wait_for_it)]
    errors = [future.exception(_PATIENCE) for future in futures]
    assert [str(error) for error in errors] == ["nobody is there"] * 3
    assert (once(), len(tries)) == ("answer", 2)
