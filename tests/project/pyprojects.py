"""A ``pyproject.toml`` with some text in it, and what is read from it."""

from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError, exit_code
from builder.project.pyproject import Pyproject, read_pyproject
from builder.project.settings import read_settings
from builder.settings import Settings

PROJECT = '[project]\nname = "demo"\n'


def project_with(directory: Path, builder: str) -> Pyproject:
    (directory / "pyproject.toml").write_text(f"{PROJECT}{builder}")
    return read_pyproject(directory)


def settings_of(
    directory: Path,
    builder: str = "",
    *,
    environ: dict[str, str] | None = None,
    flags: dict[str, Any] | None = None,
) -> Settings:
    pyproject = project_with(directory, builder)
    return read_settings(pyproject, environ=environ or {}, flags=flags or {})


def refused(directory: Path, builder: str = "", **other: Any) -> tuple[str, str | None]:
    """The message, without the directory, and the hint."""
    with pytest.raises(SettingsError) as caught:
        settings_of(directory, builder, **other)
    assert exit_code(caught.value) == 2
    return caught.value.message.replace(f"{directory}/", ""), caught.value.hint
