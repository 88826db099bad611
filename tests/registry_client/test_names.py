"""What names stand for, and when they are asked again."""

from dataclasses import dataclass, field

import pytest

from builder.errors import TransportError
from builder.registry.names import Names
from layers.digest import Digest

IMAGE, OTHER = Digest.of(b"image"), Digest.of(b"other")


@dataclass(slots=True)
class Answering:
    """A registry with names that move, and a clock."""

    stands: dict[str, Digest | None]
    now: float = 1000
    is_down: bool = False
    asked: list[str] = field(default_factory=list)

    def ask(self, name: str) -> Digest | None:
        if self.is_down:
            raise TransportError("it is down")
        self.asked.append(name)
        return self.stands[name]

    def names(self) -> Names:
        return Names(self.stands, self.ask, clock=lambda: self.now)


def test_a_fresh_answer_is_enough() -> None:
    registry = Answering({"1": IMAGE, "2": OTHER, "3": None})
    names = registry.names()
    assert dict(names()) == registry.stands
    registry.now += 1
    assert names.lacking(IMAGE) == names.lacking(IMAGE) == {"2", "3"}
    assert registry.asked == ["1", "2", "3"]


def test_after_a_build_what_needs_no_push_is_asked_again() -> None:
    registry = Answering({"1": IMAGE, "2": OTHER, "3": IMAGE})
    names = registry.names()
    names()
    names.let_time_pass()
    registry.stands["1"] = OTHER
    assert names.lacking(IMAGE) == names.lacking(IMAGE) == {"1", "2"}
    assert registry.asked == ["1", "2", "3", "1", "3"]
    assert names()["1"] == OTHER


def test_an_answer_gets_old_by_itself() -> None:
    """The build of another process was waited for, or another repository took its time."""
    registry = Answering({"1": IMAGE})
    names = registry.names()
    for _ in range(2):
        assert names.lacking(IMAGE) == set()
        registry.now += 60
    registry.stands["1"] = None
    assert names.lacking(IMAGE) == {"1"}
    assert registry.asked == ["1"] * 3


def test_a_registry_that_goes_away_says_nothing_of_names() -> None:
    registry = Answering({"1": IMAGE})
    names = registry.names()
    names()
    names.let_time_pass()
    registry.is_down = True
    for _ in range(2):
        with pytest.raises(TransportError, match="it is down"):
            names.lacking(IMAGE)
    registry.is_down = False
    assert names.lacking(IMAGE) == set()
