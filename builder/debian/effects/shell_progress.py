"""What one script and all that it calls share: how far they went, and what was left undone."""

from dataclasses import dataclass, field

from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import shown

_MOST_STEPS = 50_000
_SIZE_OF_A_STEP = 1 << 10  # characters
_MOST_TEXT = 1 << 20  # characters of a value, or of what a command prints


@dataclass(slots=True)
class Progress:
    """The state of one run.

    Attributes:
        wants: what was not done, as it would have been called.
        is_doubtful: something that had effects was passed over, because it depends on what is
            unknown; from there on nothing is taken away.
    """

    wants: list[str] = field(default_factory=list)
    is_doubtful: bool = False
    _steps: int = 0
    _numbers: int = 0

    def spend(self, size: int = 0) -> None:
        """Count a step, and more for a long text.

        Raises:
            ScriptError: the script goes on too long, or the text is too long.
        """
        if size > _MOST_TEXT:
            raise ScriptError("a text grows too long")
        self._steps += 1 + size // _SIZE_OF_A_STEP
        if self._steps > _MOST_STEPS:
            raise ScriptError("it does not come to an end")

    def want(self, line: str) -> None:
        """Write down what was not done."""
        line = shown(line)
        if line not in self.wants:
            self.wants.append(line)

    def next_number(self) -> int:
        """A number that was not given before."""
        self._numbers += 1
        return self._numbers
