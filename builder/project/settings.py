"""Where the user's choices come from: flags over environment over ``[tool.builder]``."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import SettingsError
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.project.readers import PartError, UnknownKeyError, UnknownWordError
from builder.project.values import FROM_ENVIRON, READERS
from builder.settings import RegistrySettings, Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from builder.project.pyproject import Pyproject

_SHOWN = 80
_FLAGS = {"tags": "--tag", "outputs": "--output", "insecure-registries": "--insecure-registry"}
_PREFIX = "BUILDER_"
# Read elsewhere: where the store is, and who pushes.
_OTHER_VARIABLES = {
    *("BUILDER_STORE", "BUILDER_STORE_MAX_SIZE"),
    *("BUILDER_REGISTRY_USERNAME", "BUILDER_REGISTRY_PASSWORD"),
}
# A variable has no other way to say a list than commas; TOML has one, and file names have commas.
_LISTS = {
    *("source", "ports", "extras", "groups", "tags", "outputs", "apt", "apt-accept"),
    "insecure-registries",
}
# In the file, relative to it; elsewhere, to where the command runs.
_PATHS = {"registry-certs", "registries-conf"}
_OF_REGISTRIES = {*_PATHS, "insecure-registries"}


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
    _refuse_unknown_variables(environ)
    return Settings(**_values([*_of_file(pyproject), *_of_call(environ, flags)]))


def read_registry_settings(
    *, environ: Mapping[str, str], flags: Mapping[str, Any]
) -> RegistrySettings:
    """How registries are spoken with, where there is no project.

    Args:
        environ: as for ``read_settings``; variables of other settings are not read.
        flags: those for registries.

    Raises:
        SettingsError: as ``read_settings``.
    """
    _refuse_unknown_variables(environ)
    choices = [choice for choice in _of_call(environ, flags) if choice.key in _OF_REGISTRIES]
    return Settings(**_values(choices)).registries


def read_platforms(given: Sequence[str] | None) -> tuple[Platform, ...]:
    """The platforms that ``--platform`` names, where there is no project; none when it is missing.

    Raises:
        SettingsError: as ``read_settings``.
    """
    if not given:
        return ()
    names = _read(_Choice("platform", list(given), "--platform"))
    return tuple(map(Platform.parse, names))


def _values(choices: Iterable[_Choice]) -> dict[str, Any]:
    """What was chosen, by field of ``Settings``; of two for one, the later."""
    return {choice.key.replace("-", "_"): _read(choice) for choice in choices}


def _of_file(pyproject: Pyproject) -> Iterator[_Choice]:
    table = pyproject.tool.get("builder", {})
    place = f"{pyproject.path}: tool.builder"
    if not isinstance(table, dict):
        raise SettingsError(f"{place}: got {_shown(table)}; expected a table")
    _refuse_strings_for_lists(table, place)
    for key, value in table.items():
        is_path = key in _PATHS and isinstance(value, str) and value
        found = str(pyproject.path.parent / value) if is_path else value
        yield _Choice(key, found, f"{place}.{key}")


def _of_call(environ: Mapping[str, str], flags: Mapping[str, Any]) -> Iterator[_Choice]:
    """What the environment and the command line choose, the stronger ones last."""
    for variable, key in FROM_ENVIRON.items():
        if environ.get(variable):
            value = _from_variable(key, environ[variable])
            yield _Choice(key, value, f"environment variable {variable}")
    for key, value in flags.items():
        if value is not None and value != []:
            yield _Choice(key, value, _FLAGS.get(key, f"--{key}"))


def _from_variable(key: str, value: str) -> Any:
    """What a variable says. A string in the file is one base, even when its path has commas."""
    if key != "base":
        return value
    return [base for part in value.split(",") if (base := part.strip())]


def _refuse_strings_for_lists(table: Mapping[str, Any], place: str) -> None:
    for key, value in table.items():
        if key in _LISTS and isinstance(value, str):
            raise SettingsError(
                f"{place}.{key}: got {_shown(value)}; expected a list",
                hint=f"write {key} = [{json.dumps(value)}]",
            )


def _refuse_unknown_variables(environ: Mapping[str, str]) -> None:
    known = FROM_ENVIRON.keys() | _OTHER_VARIABLES
    for name in sorted(environ):
        if not name.startswith(_PREFIX) or name in known or not environ[name]:
            continue
        key = name.removeprefix(_PREFIX).lower().replace("_", "-")
        if key in READERS:
            raise SettingsError(
                f"environment variable {name} is unknown",
                hint=f"{key} is for [tool.builder] alone: a variable cannot say its structure",
            )
        raise _unknown(f"environment variable {name}", name, tuple(known))


def _read(choice: _Choice) -> Any:
    value = _checked(choice)
    if choice.key == "tags":
        for tag in value:
            _refuse_digest(tag, choice.place)
    return value


def _refuse_digest(tag: str, place: str) -> None:
    """A name that holds a digest means an image that exists; this one is not built yet."""
    if Reference.parse(tag).digest is not None:
        raise SettingsError(
            f"{place}: got {tag!r}; expected a name without a digest: "
            f"the image has its own, once it is built",
            hint=f"write {tag.partition('@')[0]}",
        )


def _checked(choice: _Choice) -> Any:
    reader = READERS.get(choice.key)
    if reader is None:
        raise _unknown(choice.place, choice.key, tuple(READERS))
    try:
        return reader(choice.value)
    except UnknownWordError as error:
        place = f"{choice.place}{error.path}: {error.key!r}"
        raise _unknown(place, error.key, error.known) from None
    except UnknownKeyError as error:
        raise _unknown(f"{choice.place}{error.path}", error.key, error.known) from None
    except PartError as error:
        # A flag gives one of a list; its number says nothing.
        place = choice.place if choice.place.startswith("--") else f"{choice.place}{error.path}"
        raise SettingsError(f"{place}: got {_shown(error.value)}; {error}") from None
    except ValueError as error:
        raise SettingsError(f"{choice.place}: got {_shown(choice.value)}; {error}") from None


def _unknown(place: str, key: str, known: tuple[str, ...]) -> SettingsError:
    import difflib  # noqa: PLC0415 - only when something is wrong

    near = difflib.get_close_matches(key, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"known: {', '.join(sorted(known))}"
    return SettingsError(f"{place} is unknown", hint=hint)


def _shown(value: Any) -> str:
    shown = repr(value)
    return shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}..."
