"""What commands would do, seen from outside: for those that are passed over."""

from collections.abc import Callable, Iterator

from builder.debian.effects.shell_syntax import (
    Case,
    For,
    Function,
    Group,
    If,
    List,
    Loop,
    Output,
    Parameter,
    Redirected,
    Simple,
    Text,
    Word,
)

_LEAVES = frozenset({"exit", "return"})
_TALK = frozenset({"echo", "printf", "false", "[", "test", "cat"})


def has_effect(commands: List, is_harmless: Callable[[str], bool]) -> bool:
    """Whether commands may change anything that is looked at later.

    Args:
        commands: that may or may not be carried out.
        is_harmless: whether a command of a name does nothing.
    """
    return any(_does(one, is_harmless) for one in _all(commands))


def assigned(commands: List) -> Iterator[str]:
    """Variables that commands may set."""
    for one in _all(commands):
        if isinstance(one.command, For):
            yield one.command.name
        if isinstance(one.command, Simple):
            yield from (name for name, _ in one.command.assignments)
            words = [_plain(word) for word in one.command.words]
            if words[:1] in (["read"], ["export"], ["local"], ["readonly"]):
                yield from (word.partition("=")[0] for word in words[1:] if word)


def _does(one: Redirected, is_harmless: Callable[[str], bool]) -> bool:
    for redirect in one.redirects:
        is_stream = redirect.operator in {"<", "<<", ">&", "<&"}
        if not is_stream and not _plain(redirect.word).startswith("/dev/"):
            return True
    if not isinstance(one.command, Simple):
        return isinstance(one.command, Function | For)
    words = [_plain(word) for word in one.command.words]
    if not words:
        return True
    if words[0] in _LEAVES:
        # A script that fails is a package that cannot be installed: that does not happen.
        return len(words) == 1 or not words[1].strip("0")
    return not (words[0] in _TALK or is_harmless(words[0]))


def _plain(word: Word) -> str:
    """A word's own characters; empty when it starts with something else."""
    return word[0].text if word and isinstance(word[0], Text) else ""


def _all(commands: List) -> Iterator[Redirected]:
    for command in commands:
        for pipeline in (command.first, *(pipeline for _, pipeline in command.rest)):
            for one in pipeline.commands:
                yield one
                yield from _inner(one)


def _inner(one: Redirected) -> Iterator[Redirected]:
    match one.command:
        case If(branches=branches, otherwise=otherwise):
            for condition, body in branches:
                yield from _all(condition)
                yield from _all(body)
            yield from _all(otherwise or ())
        case Case(branches=cases):
            for _, body in cases:
                yield from _all(body)
        case For(body=body) | Group(body=body):
            yield from _all(body)
        case Loop(condition=condition, body=body):
            yield from _all(condition)
            yield from _all(body)
        case Simple(words=words):
            for word in words:
                yield from _outputs(word)
        case Function():
            pass


def _outputs(word: Word) -> Iterator[Redirected]:
    for part in word:
        if isinstance(part, Output):
            yield from _all(part.body)
        elif isinstance(part, Parameter):
            yield from _outputs(part.word or ())
