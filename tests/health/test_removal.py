"""The container is removed, and what went wrong first is what is told."""

from collections.abc import Sequence

import pytest

from builder.errors import CheckError, EngineError
from builder.events import Caution, Event
from builder.health.container import removed_afterwards
from builder.process import Completed


def failing(argv: Sequence[str], **_: object) -> Completed:
    return Completed(tuple(argv), 125, "", "Error: the storage is locked")


@pytest.mark.parametrize("error", [CheckError("it is sick"), KeyboardInterrupt()])
def test_a_failing_removal_does_not_replace_what_went_wrong(error: BaseException) -> None:
    events: list[Event] = []
    with pytest.raises(type(error)) as caught, removed_afterwards(failing, events.append) as name:
        raise error
    assert caught.value is error
    text = f"podman cannot remove the container {name}: Error: the storage is locked"
    assert events == [Caution(text, f"podman rm --force {name}")]


def test_a_failing_removal_is_told_when_nothing_else_went_wrong() -> None:
    events: list[Event] = []
    with (
        pytest.raises(EngineError, match="podman cannot remove the container"),
        removed_afterwards(failing, events.append),
    ):
        pass
    assert events == []
