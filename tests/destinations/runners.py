"""Command runners that tell what was started, answer in podman's place, or press Ctrl-C."""

from collections.abc import Sequence
from typing import Any

from builder.process import Completed, run


class Counting:
    """podman itself; ``commands`` has the first word of each that was started."""

    def __init__(self) -> None:
        self.commands: list[str] = []

    def __call__(self, argv: Sequence[str], **rest: Any) -> Completed:
        self.commands.append(argv[1])
        return run(argv, **rest)


class FakeRun:
    """An engine that says what it is told to."""

    def __init__(self, *answers: tuple[int, str]) -> None:
        self.answers = list(answers)
        self.asked: list[Sequence[str]] = []

    def __call__(self, argv: Sequence[str], **_: object) -> Completed:
        self.asked.append(argv)
        code, said = self.answers.pop(0)
        return Completed(tuple(argv), code, said, "")


class Interrupted:
    """podman, until Ctrl-C comes, once: before a command, or ``late``, when it is done."""

    def __init__(self, command: str, *, late: bool) -> None:
        self.command = command
        self.late = late
        # The first pull finds out that the image is there, packed otherwise.
        self.before = 1 if command == "pull" else 0

    def __call__(self, argv: Sequence[str], **rest: Any) -> Completed:
        # ``podman untag IMAGE NAME`` only removes the name that podman itself gave.
        if argv[1] != self.command or len(argv) > 3 + (self.command == "pull") or self.before:
            self.before -= argv[1] == self.command == "pull"
            return run(argv, **rest)
        self.command = ""
        if self.late:
            run(argv, **rest)
        raise KeyboardInterrupt
