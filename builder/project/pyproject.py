"""An application's ``pyproject.toml``, as far as an image needs it.

https://packaging.python.org/en/latest/specifications/pyproject-toml/
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from builder.errors import SettingsError
from layers.digest import Digest

# A table before what is in it.
_KINDS: dict[str, type] = {
    "project.version": str,
    "project.requires-python": str,
    "project.description": str,
    "project.urls": dict,
    "tool": dict,
    "tool.uv": dict,
    "build-system": dict,
    "build-system.build-backend": str,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pyproject:
    """Attributes mirror the file.

    Attributes:
        path: of the file.
        name: of the project, normalised (PEP 503).
        version: None when it is dynamic.
        requires_python: the specifier; empty when there is none.
        metadata: the ``[project]`` table.
        tool: the ``[tool]`` table.
        is_package: whether uv builds and installs the project itself.
        backend: what builds it; empty when the file does not say.
        digest: of the file, as it was read.
    """

    path: Path
    name: str
    version: str | None
    requires_python: str
    metadata: Mapping[str, Any]
    tool: Mapping[str, Any]
    is_package: bool
    backend: str = ""
    digest: Digest | None = None

    @property
    def directory(self) -> Path:
        """The project's directory."""
        return self.path.parent

    @property
    def image_lock(self) -> Path:
        """Where the project's ``image.lock`` lies: beside the settings that it is about.

        That is beside its ``uv.lock`` too, but for members of a workspace: those share a
        ``uv.lock``, and each has an image of its own.
        """
        return self.directory / "image.lock"


def read_pyproject(project: Path) -> Pyproject:
    """Read the ``pyproject.toml`` of a project directory.

    Raises:
        SettingsError: there is none, it is not TOML, or it has no ``[project]`` with a name.
    """
    path = project / "pyproject.toml"
    raw = _read(path)
    document = _parse(path, raw)
    metadata = document.get("project")
    if not isinstance(metadata, dict) or not isinstance(metadata.get("name"), str):
        raise SettingsError(
            f"{path}: project.name is missing", hint="uv init makes a pyproject.toml that has one"
        )
    _check_kinds(path, document)
    tool = document.get("tool", {})
    uv = tool.get("uv", {})
    return Pyproject(
        path=path,
        name=re.sub(r"[-_.]+", "-", metadata["name"]).lower(),
        version=metadata.get("version"),
        requires_python=metadata.get("requires-python", ""),
        metadata=metadata,
        tool=tool,
        # uv's own rule: https://docs.astral.sh/uv/concepts/projects/config/#build-systems
        is_package=uv.get("package", "build-system" in document),
        backend=document.get("build-system", {}).get("build-backend", ""),
        digest=Digest.of(raw),
    )


def _check_kinds(path: Path, document: Mapping[str, Any]) -> None:
    """Of the keys that are read here; uv and the build backends look at the others.

    Raises:
        SettingsError: a value is of another kind than the specification says.
    """
    for place, kind in _KINDS.items():
        table, _, key = place.rpartition(".")
        value = (document.get(table, {}) if table else document).get(key, kind())
        if not isinstance(value, kind):
            expected = "a string" if kind is str else "a table"
            raise SettingsError(f"{path}: {place}: got {value!r}; expected {expected}")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        there = path.parent.is_dir()
        raise SettingsError(
            f"no pyproject.toml in {path.parent}" if there else f"no directory {path.parent}",
            hint="name the directory of a uv project: python -m builder build PROJECT",
        ) from None
    except OSError as error:
        raise SettingsError(f"cannot read {path}: {error.strerror}") from error


def _parse(path: Path, raw: bytes) -> dict[str, Any]:
    try:
        return tomllib.loads(raw.decode("utf-8"))
    except ValueError as error:
        raise SettingsError(f"{path} is not valid TOML: {error}") from None
