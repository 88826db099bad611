"""What uv is told beside a project and its lock: files of the user's, and variables.

https://docs.astral.sh/uv/concepts/configuration-files/
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from builder.oci.document import canonical_json
from layers.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

_CHOOSING = ("UV_CONFIG_FILE", "UV_NO_BINARY_PACKAGE", "UV_NO_BUILD_PACKAGE", "UV_NO_CONFIG")
_BUILDING = "no-binary"


@dataclass(frozen=True, slots=True, kw_only=True)
class UvConfiguration:
    """What decides, beside project and lock, whether uv takes a wheel or builds one.

    Attributes:
        above: what the nearest ``uv.toml`` above the lock says; uv obeys it for what is below.
        others: what the other files say that uv reads, in a fixed order; None where none is.
        variables: those that choose.
    """

    above: str | None
    others: tuple[str | None, ...]
    variables: Mapping[str, str]

    @classmethod
    def read(cls, directory: Path, project: Path, environ: Mapping[str, str]) -> Self:
        """Read the files.

        Args:
            directory: of the lock.
            project: the project's own; what its ``pyproject.toml`` says is known.
            environ: says where the user's files are.
        """
        home = environ.get("XDG_CONFIG_HOME") or f"{environ.get('HOME', '')}/.config"
        system = (environ.get("XDG_CONFIG_DIRS") or "/etc/xdg").split(":")
        places = [str(directory), *(f"{place}/uv" for place in (home, *system, "/etc"))]
        files = [environ.get("UV_CONFIG_FILE"), *(f"{place}/uv.toml" for place in places)]
        if directory != project:
            files.append(f"{directory}/pyproject.toml")
        above = (_text(f"{parent}/uv.toml") for parent in directory.parents)
        return cls(
            above=next((text for text in above if text is not None), None),
            others=tuple(_text(file) if file else None for file in files),
            variables={name: environ[name] for name in _CHOOSING if name in environ},
        )

    @property
    def digest(self) -> Digest:
        """The identity of all of it."""
        files = [self.above, *self.others]
        return Digest.of(canonical_json({"files": files, "variables": dict(self.variables)}))

    @property
    def asks_for_builds(self) -> bool:
        """Whether something says that wheels shall not do; for which packages is uv's to know."""
        texts = (self.above, *self.others)
        is_asked = any(_BUILDING in text for text in texts if text)
        return is_asked or "UV_NO_BINARY_PACKAGE" in self.variables


def _text(path: str) -> str | None:
    try:
        return Path(path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return None
