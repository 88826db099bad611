"""What the readers of settings are made of: parts of values, lists, tables, words.

A reader that refuses raises ``ValueError`` with what it expected, and for a part of a value where
that part stands; ``builder.project.settings`` adds where the value itself came from.
"""

import json
import re
from collections.abc import Callable
from typing import Any

Reader = Callable[[Any], Any]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


class UnknownKeyError(ValueError):
    """A table holds a key that it may not hold; ``path`` leads to it: ``[1].mod``."""

    def __init__(self, key: str, known: tuple[str, ...]) -> None:
        super().__init__(f"the key {key!r} is unknown")
        self.key = key
        self.known = known
        self.path = step(key)


class UnknownWordError(UnknownKeyError):
    """A value names something that is not there; ``path`` leads to the value."""

    def __init__(self, word: str, known: tuple[str, ...]) -> None:
        super().__init__(word, known)
        self.path = ""


class PartError(ValueError):
    """A part of a value is not what it must be; ``path`` leads to it: ``[1].mode``."""

    def __init__(self, expectation: str, *, value: Any, path: str) -> None:
        super().__init__(expectation)
        self.value = value
        self.path = path


def part(path: str, reader: Reader, value: Any) -> Any:
    """Read a part of a value; a refusal says where the part stands."""
    try:
        return reader(value)
    except (UnknownKeyError, PartError) as error:
        error.path = f"{path}{error.path}"
        raise
    except ValueError as error:
        raise PartError(str(error), value=value, path=path) from None


def step(key: str) -> str:
    """The way into a table, as a path has it."""
    return f".{key if _BARE_KEY.fullmatch(key) else json.dumps(key)}"


def each(reader: Reader, value: list[Any]) -> tuple[Any, ...]:
    """Read every item of a list; a refusal says which one."""
    return tuple(part(f"[{index}]", reader, item) for index, item in enumerate(value))


def each_table(reader: Reader, value: Any, example: str) -> tuple[Any, ...]:
    """Read every table of a list; ``example`` shows what is expected."""
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise ValueError(f"expected a list of tables, such as {example}")
    return each(reader, value)


def text(value: Any) -> str:
    """A string that is not empty."""
    if not isinstance(value, str) or not value:
        raise ValueError("expected a string that is not empty")
    return value


def distribution(value: Any) -> str:
    """The name of a distribution, normalised (PEP 503)."""
    return re.sub(r"[-_.]+", "-", text(value)).lower()


def list_of(reader: Reader, expectation: str = "expected a list of strings") -> Reader:
    """A list; the environment gives its items separated by commas."""

    def read(value: Any) -> tuple[Any, ...]:
        if isinstance(value, str):
            return tuple(reader(item.strip()) for item in value.split(",") if item.strip())
        if not isinstance(value, list):
            raise ValueError(expectation)
        return each(reader, value)

    return read


def one_of(*choices: str) -> Reader:
    """One of a few words."""

    def read(value: Any) -> str:
        if value not in choices:
            raise ValueError(f"expected one of {', '.join(choices)}")
        return str(value)

    return read


def keys(table: dict[str, Any], *known: str) -> dict[str, Any]:
    """The table itself, when it holds no other keys."""
    for key in table:
        if key not in known:
            raise UnknownKeyError(key, known)
    return table
