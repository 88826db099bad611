"""The compound commands of a shell: conditions, cases, loops and groups."""

import fnmatch
import io
from abc import ABC, abstractmethod
from collections.abc import MutableMapping
from contextlib import AbstractContextManager

from builder.debian.effects.shell_call import UNSURE
from builder.debian.effects.shell_expand import Expander
from builder.debian.effects.shell_leave import Break, Continue, Exit
from builder.debian.effects.shell_progress import Progress
from builder.debian.effects.shell_syntax import Case, For, Group, If, List, Loop
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

_MOST_TURNS = 1_000
Streams = tuple[io.StringIO, io.StringIO]  # what is read, what is printed


class Compound(ABC):
    """What follows compound commands; a shell adds the simple ones."""

    arguments: list[str]
    variables: MutableMapping[str, str]
    progress: Progress
    _last: str

    @abstractmethod
    def expander(self) -> Expander:
        """What turns words into texts, as things stand."""

    @abstractmethod
    def _list(self, commands: List, to: Streams) -> int: ...

    @abstractmethod
    def _condition(self, commands: List, to: Streams) -> int: ...

    @abstractmethod
    def _passed_over(self, *bodies: List) -> bool: ...

    @abstractmethod
    def _subshell(self) -> AbstractContextManager[None]: ...

    def _if(self, command: If, to: Streams) -> int:
        for index, (condition, body) in enumerate(command.branches):
            status = self._condition(condition, to)
            if status == UNSURE:
                rest = [part for pair in command.branches[index + 1 :] for part in pair]
                self._passed_over(body, *rest, command.otherwise or ())
                return UNSURE
            if status == 0:
                return self._list(body, to)
        return self._list(command.otherwise, to) if command.otherwise else 0

    def _case(self, command: Case, to: Streams) -> int:
        expander = self.expander()
        value = expander.text(command.word)
        for index, (words, body) in enumerate(command.branches):
            patterns = [expander.pattern(word) for word in words]
            if "*" in patterns:
                return self._list(body, to)
            if UNKNOWN in value + "".join(patterns):
                self._last = f"case {value}"
                self._passed_over(*(body for _, body in command.branches[index:]))
                return UNSURE
            self.progress.spend(len(value) * sum(map(len, patterns)))
            if any(fnmatch.fnmatchcase(value, pattern) for pattern in patterns):
                return self._list(body, to)
        return 0

    def _for(self, command: For, to: Streams) -> int:
        if command.words is None:
            values = list(self.arguments)
        else:
            values = self.expander().fields(command.words)
        status = 0
        for value in values:
            if UNKNOWN in value and command.words != ():
                self._last = f"for {command.name} in {value}"
                self._passed_over(command.body)
                continue
            self.variables[command.name] = value
            is_next, status = self._turn(command.body, to)
            if not is_next:
                break
        return status

    def _loop(self, command: Loop, to: Streams) -> int:
        status = 0
        for _ in range(_MOST_TURNS):
            condition = self._condition(command.condition, to)
            if condition == UNSURE:
                self._passed_over(command.body)
                return UNSURE
            if (condition == 0) == command.until:
                return status
            is_next, status = self._turn(command.body, to)
            if not is_next:
                return status
        raise ScriptError("a loop does not come to an end")

    def _turn(self, body: List, to: Streams) -> tuple[bool, int]:
        try:
            return True, self._list(body, to)
        except (Break, Continue) as end:
            if end.levels > 1:
                raise type(end)(levels=end.levels - 1) from end
            return isinstance(end, Continue), 0

    def _group(self, command: Group, to: Streams) -> int:
        if not command.own:
            return self._list(command.body, to)
        with self._subshell():
            try:
                return self._list(command.body, to)
            except Exit as end:
                return end.status
