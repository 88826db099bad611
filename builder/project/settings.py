"""Where the user's choices come from: flags over environment over ``[tool.builder]``."""

import difflib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from builder.errors import SettingsError
from builder.project.pyproject import Pyproject
from builder.project.values import FROM_ENVIRON, READERS, PartError, UnknownKeyError
from builder.settings import Settings

_SHOWN = 80
_FLAGS = {"tags": "--tag", "outputs": "--output"}


@dataclass(frozen=True, slots=True)
class _Choice:
    """A value and the place it stands in, as an error message names it."""

    key: str
    value: Any
    place: str


def read_settings(
    pyproject: Pyproject, *, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> Settings:
    """The settings in force for a build.

    Args:
        pyproject: the application's; its ``[tool.builder]`` is read.
        environ: ``BUILDER_*`` variables are read, empty ones are not.
        flags: by settings key; None means that the flag was not given.

    Raises:
        SettingsError: a key is unknown or a value is not what it must be; the message says where
            it stands, what was found, what was expected, and the nearest valid name.
    """
    chosen: dict[str, Any] = {}
    for choice in _choices(pyproject, environ, flags):
        chosen[choice.key.replace("-", "_")] = _read(choice)
    return Settings(**chosen)


def _choices(
    pyproject: Pyproject, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> list[_Choice]:
    """All choices, the stronger ones last."""
    table = pyproject.tool.get("builder", {})
    place = f"{pyproject.path}: tool.builder"
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: got {_shown(table)}; expected a table")
    return [
        *(_Choice(key, value, f"{place}.{key}") for key, value in table.items()),
        *(
            _Choice(key, environ[variable], f"environment variable {variable}")
            for variable, key in FROM_ENVIRON.items()
            if environ.get(variable)
        ),
        *(
            _Choice(key, value, _FLAGS.get(key, f"--{key}"))
            for key, value in flags.items()
            if value is not None and value != []
        ),
    ]


def _read(choice: _Choice) -> Any:
    reader = READERS.get(choice.key)
    if reader is None:
        raise _unknown(choice.place, choice.key, tuple(READERS))
    try:
        return reader(choice.value)
    except UnknownKeyError as error:
        raise _unknown(f"{choice.place}{error.path}", error.key, error.known) from None
    except PartError as error:
        # A flag gives one of a list; its number says nothing.
        place = choice.place if choice.place.startswith("--") else f"{choice.place}{error.path}"
        raise SettingsError(f"{place}: got {_shown(error.value)}; {error}") from None
    except ValueError as error:
        raise SettingsError(f"{choice.place}: got {_shown(choice.value)}; {error}") from None


def _unknown(place: str, key: str, known: tuple[str, ...]) -> SettingsError:
    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    return SettingsError(f"{place} is unknown", hint=hint)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
