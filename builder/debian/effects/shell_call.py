"""What a command of a script gets, and what it answers."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.unknown import UNKNOWN

if TYPE_CHECKING:
    from builder.debian.effects.shell import Shell

UNSURE = -1  # the status of a command that may succeed or fail: only a run would show


@dataclass(frozen=True, slots=True)
class Answer:
    """What a command leaves: its status and what it printed."""

    status: int = 0
    output: str = ""


DONE = Answer()
FAILED = Answer(1)
MAYBE = Answer(UNSURE, UNKNOWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A command with its arguments (the name not among them) and what it reads."""

    name: str
    arguments: list[str]
    stdin: io.StringIO
    shell: "Shell"

    @property
    def files(self) -> MutableRoot:
        """What the command sees and changes."""
        return self.shell.files

    def path(self, argument: str) -> str:
        """An argument as an absolute path."""
        return self.shell.absolute(argument)

    def left_undone(self) -> Answer:
        """Write the command down; whether it would have succeeded is unknown."""
        self.shell.want([self.name, *self.arguments])
        return MAYBE


Command = Callable[[Call], Answer]


def nothing(_: Call) -> Answer:
    """A command that has nothing to do."""
    return DONE


def unknown(_: Call) -> Answer:
    """A command of which nothing is known but that it changes nothing."""
    return MAYBE
