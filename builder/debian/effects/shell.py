"""A maintainer script followed step by step over a root: nothing of it is executed.

Control flow, variables and tests are what ``sh`` makes of them. Commands come from a table of
functions that change the root; a command that is not in the table is written down, and
what it would have printed, and whether it would have succeeded, is unknown. What would be done
depending on something unknown is passed over, and written down unless it does nothing.
"""

import io
import re
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from builder.debian.effects import shell_streams as streams
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.effects.shell_call import UNSURE, Answer, Call, Command, nothing
from builder.debian.effects.shell_compound import Compound, Streams
from builder.debian.effects.shell_doubt import assigned, has_effect
from builder.debian.effects.shell_expand import Expander
from builder.debian.effects.shell_leave import Break, Continue, Ended, Exit, Leave, Return
from builder.debian.effects.shell_parse import parse
from builder.debian.effects.shell_programs import SHEBANG, script_at
from builder.debian.effects.shell_progress import Progress
from builder.debian.effects.shell_syntax import (
    AndOr,
    Case,
    For,
    Function,
    Group,
    If,
    List,
    Loop,
    Pipeline,
    Redirected,
    Simple,
)
from builder.debian.effects.shell_words import ScriptError
from builder.debian.effects.unknown import UNKNOWN

_DEEPEST = 8
_STRICT = re.compile(r"-[a-z]*e[a-z]*\s*")
_OWN = frozenset(
    {"cd", "command", "echo", "eval", "exec", "export", "printf", "read", "test", "umask"}
)
_TAKE_AWAY = frozenset({"rm", "rmdir", "mv"})


@dataclass(slots=True, kw_only=True)
class Shell(Compound):
    """One run of one script.

    Attributes:
        files: what the script sees and changes.
        commands: by name, without a directory.
        environment: variables it starts with.
        arguments: ``$1``, ``$2``, ...
        is_reading: what is redirected into files goes nowhere.
        progress: shared with the programs that it calls.
        depth: of programs that call programs.
    """

    files: MutableRoot
    commands: Mapping[str, Command]
    environment: Mapping[str, str] = field(default_factory=dict)
    arguments: list[str] = field(default_factory=list)
    is_reading: bool = False
    progress: Progress = field(default_factory=Progress)
    depth: int = 0
    variables: MutableMapping[str, str] = field(init=False)
    directory: str = field(init=False, default="/")
    status: int = field(init=False, default=0)
    umask: int = field(init=False, default=0o022)
    is_strict: bool = field(init=False, default=False)
    is_bash: bool = field(init=False, default=False)
    at_exit: str = field(init=False, default="")
    local: dict[str, str | None] | None = field(init=False, default=None)
    _functions: dict[str, Redirected] = field(init=False, default_factory=dict)
    _conditions: int = field(init=False, default=0)
    _last: str = field(init=False, default="")

    def __post_init__(self) -> None:
        self.variables = dict(self.environment)

    @property
    def wants(self) -> list[str]:
        """Commands that nobody here carries out, as they would have been called."""
        return self.progress.wants

    def run(self, script: str) -> str:
        """Follow a script to its end; what it prints.

        Raises:
            ScriptError: it cannot be read, or has no end.
        """
        out = io.StringIO()
        if head := SHEBANG.match(script):
            self.is_bash = "bash" in head[0]
            self.is_strict = _STRICT.fullmatch(head[1].strip()) is not None
        for text in (script, None):
            try:
                self._list(parse(self.at_exit if text is None else text), (io.StringIO(), out))
            except Leave as end:
                self.status = end.status
        return out.getvalue()

    def source(self, script: str) -> Answer:
        """Follow another script within this one; what it sets stays."""
        out = io.StringIO()
        try:
            status = self._list(parse(script), (io.StringIO(), out))
        except Return as end:
            status = end.status
        return Answer(status, out.getvalue())

    def absolute(self, path: str) -> str:
        """A path as seen from the working directory."""
        return path if path.startswith("/") else f"{self.directory.rstrip('/')}/{path}"

    def want(self, words: list[str]) -> None:
        """Write down what was not done."""
        self.progress.want(" ".join(words))

    def _list(self, commands: List, to: Streams) -> int:
        status = 0
        for command in commands:
            status = self.status = self._and_or(command, to)
        return status

    def _and_or(self, command: AndOr, to: Streams) -> int:
        status = self._pipeline(command.first, to, is_condition=bool(command.rest))
        for index, (operator, pipeline) in enumerate(command.rest, 1):
            is_condition = index < len(command.rest)
            if status == UNSURE:
                status = self._perhaps(operator, pipeline)
            elif (status == 0) == (operator == "&&"):
                status = self._pipeline(pipeline, to, is_condition=is_condition)
        return status

    def _perhaps(self, operator: str, pipeline: Pipeline) -> int:
        """What follows an unknown status: only its own status matters, when it does nothing."""
        rest: List = (AndOr(first=pipeline),)
        names = {"true": 0, ":": 0, "false": 1}
        simple = pipeline.commands[0].command
        if self._passed_over(rest) or not isinstance(simple, Simple) or len(pipeline.commands) > 1:
            return UNSURE
        name = self.expander().text(simple.words[0]) if simple.words else ""
        status = names.get(name, 0 if self.commands.get(name) is nothing else UNSURE)
        return status if (status == 0) == (operator == "||") else UNSURE

    def _passed_over(self, *bodies: List) -> bool:
        """Whether something is left out by passing over what depends on the unknown."""
        if not any(has_effect(body, self._is_harmless) for body in bodies):
            return False
        self.want(["depends on:", self._last])
        self.progress.is_doubtful = True
        for body in bodies:
            self.variables.update(dict.fromkeys(assigned(body), UNKNOWN))
        return True

    def _is_harmless(self, name: str) -> bool:
        return name not in self._functions and self.commands.get(name) is nothing

    def _pipeline(self, pipeline: Pipeline, to: Streams, *, is_condition: bool) -> int:
        is_condition = is_condition or pipeline.negated
        self._conditions += is_condition
        try:
            status = self._members(pipeline.commands, to)
        finally:
            self._conditions -= is_condition
        if status > 0 and not self._conditions and not is_condition and self._ends(pipeline):
            self.want(["would have failed here:", self._last])
            raise Exit(status)
        if pipeline.negated and status != UNSURE:
            status = int(status == 0)
        self.status = status
        return status

    def _ends(self, pipeline: Pipeline) -> bool:
        """Whether the script ends when a pipeline fails: a compound command has its own reasons."""
        only = pipeline.commands[0].command
        is_own = isinstance(only, Simple) or (isinstance(only, Group) and only.own)
        return self.is_strict and (is_own or len(pipeline.commands) > 1)

    def _members(self, commands: tuple[Redirected, ...], to: Streams) -> int:
        if len(commands) == 1:
            return self._redirected(commands[0], to)
        status = 0
        stdin, out = to
        for command in commands:
            target = out if command is commands[-1] else io.StringIO()
            with self._subshell():
                try:
                    status = self._redirected(command, (stdin, target))
                except Leave as end:
                    status = end.status
            stdin = target if command is commands[-1] else io.StringIO(target.getvalue())
        return status

    def _redirected(self, command: Redirected, to: Streams) -> int:
        self.progress.spend()
        if streams.is_exec_alone(command):
            streams.set_for_good(self, command)
            return 0
        stdin, out = to
        for redirect in command.redirects:
            if redirect.operator in {"<", "<<"}:
                found = streams.opened(self, redirect)
                if found is None:
                    return 1
                stdin = found
        targets = streams.redirects_to_files(self, command)
        printed = [pair for pair in targets if pair[0].descriptor in {None, 1}]
        away = any(
            one.operator == ">&" and one.descriptor in {None, 1} for one in command.redirects
        )
        own = io.StringIO() if printed or away else out
        status = self._command(command.command, (stdin, own))
        last = printed[-1] if printed else None
        for pair in targets:
            is_error = pair[0].descriptor not in {None, 1}
            text = own.getvalue() if pair is last else UNKNOWN if is_error else ""
            if not streams.put(self, *pair, text):
                status = 1
        return status

    def _command(
        self, command: Simple | If | Case | For | Loop | Group | Function, to: Streams
    ) -> int:
        status = 0
        match command:
            case Simple():
                status = self._simple(command, to)
            case If():
                status = self._if(command, to)
            case Case():
                status = self._case(command, to)
            case For():
                status = self._for(command, to)
            case Loop():
                status = self._loop(command, to)
            case Group():
                status = self._group(command, to)
            case Function():
                self._functions[command.name] = command.body
        return status

    def _condition(self, commands: List, to: Streams) -> int:
        self._conditions += 1
        try:
            return self._list(commands, to)
        finally:
            self._conditions -= 1

    @contextmanager
    def _subshell(self) -> Iterator[None]:
        before = (self.variables, self.directory, self.arguments, self._functions, self.local)
        options = (self.is_strict, self.umask, self.at_exit)
        self.variables, self.arguments = dict(self.variables), list(self.arguments)
        self._functions = dict(self._functions)
        self.local = None if self.local is None else dict(self.local)
        try:
            yield
        finally:
            self.variables, self.directory, self.arguments, self._functions, self.local = before
            self.is_strict, self.umask, self.at_exit = options

    def _simple(self, command: Simple, to: Streams) -> int:
        expander = self.expander()
        words = expander.fields(command.words)
        values = {}
        for name, word in command.assignments:
            values[name] = expander.text(word)
            if not words:
                self.variables[name] = values[name]
        if not words:
            if expander.status > 0:
                self._last = " ".join(f"{name}=" for name in values)
            return expander.status
        before = {name: self.variables.get(name) for name in values}
        self.variables.update(values)
        try:
            return self._call(words, *to)
        finally:
            self._restore(before)

    def _restore(self, before: Mapping[str, str | None]) -> None:
        for name, value in before.items():
            if value is None:
                self.variables.pop(name, None)
            else:
                self.variables[name] = value

    def _call(self, words: list[str], stdin: io.StringIO, out: io.StringIO) -> int:
        name = words[0].rpartition("/")[2] or words[0]
        if name not in {"exit", "return"}:
            self._last = " ".join(words)
        self._leave(name, words[1:])
        if name in self._functions:
            return self._function(self._functions[name], words[1:], (stdin, out))
        if self.progress.is_doubtful and name in _TAKE_AWAY and not self._is_harmless(name):
            self.want(words)
            return UNSURE
        command = self.commands.get(name)
        if command is None and (script := script_at(self.files, words[0])) is not None:
            answer = self.program(script, words[1:])
        elif command is None:
            self.want([name, *words[1:]])
            answer = Answer(UNSURE, UNKNOWN)
        else:
            answer = self._answer(
                command, Call(name=name, arguments=words[1:], stdin=stdin, shell=self), out
            )
        out.write(answer.output)
        self.progress.spend(out.tell() if answer.output else 0)
        return answer.status

    def _answer(self, command: Command, call: Call, out: io.StringIO) -> Answer:
        try:
            return command(call)
        except Ended as end:
            out.write(end.output)
            raise Exit(end.status) from end

    def program(self, script: str, arguments: list[str]) -> Answer:
        """Follow another script as a program of its own.

        Raises:
            ScriptError: it cannot be followed.
        """
        if self.depth >= _DEEPEST:
            raise ScriptError("its programs call each other without end")
        program = Shell(
            files=self.files,
            commands=self.commands,
            environment=self.variables,
            arguments=arguments,
            is_reading=self.is_reading,
            progress=self.progress,
            depth=self.depth + 1,
        )
        program.directory, program.umask = self.directory, self.umask
        return Answer(output=program.run(script), status=program.status)

    def call(self, words: list[str], stdin: io.StringIO) -> Answer:
        """Carry out one command."""
        out = io.StringIO()
        return Answer(self._call(words, stdin, out), out.getvalue())

    def _leave(self, name: str, arguments: list[str]) -> None:
        number = (
            int(arguments[0]) if arguments and re.fullmatch("[0-9]{1,3}", arguments[0]) else None
        )
        if name in {"exit", "return"}:
            raise (Exit if name == "exit" else Return)(self.status if number is None else number)
        if name in {"break", "continue"}:
            raise (Break if name == "break" else Continue)(levels=number or 1)

    def _function(self, body: Redirected, arguments: list[str], to: Streams) -> int:
        outer, self.arguments = self.arguments, arguments
        outer_local, self.local = self.local, {}
        try:
            return self._redirected(body, to)
        except Return as end:
            return end.status
        finally:
            self._restore(self.local or {})
            self.arguments, self.local = outer, outer_local

    def knows(self, name: str) -> bool:
        """Whether a name is one of the shell's own commands or a function of the script."""
        return name in self._functions or name in _OWN

    def expander(self) -> Expander:
        """What turns words into texts, as things stand."""
        return Expander(
            files=self.files,
            variables=self.variables,
            arguments=self.arguments,
            directory=self.directory,
            last=self.status,
            run=self._printed,
            spend=self.progress.spend,
        )

    def _printed(self, body: List) -> tuple[str, int]:
        out = io.StringIO()
        with self._subshell():
            try:
                status = self._list(body, (io.StringIO(), out))
            except Leave as end:
                status = end.status
        return out.getvalue().rstrip("\n"), status
