"""The application's files that go into an image as they are, and which of them stay out."""

from __future__ import annotations

import os
import posixpath
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from builder.errors import ContentError, SettingsError
from layers.entries import Entry, FileEntry, image_path
from layers.ignore import ProjectRules, project_rules
from layers.tree import Rules, host_path, walk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.project.pyproject import Pyproject
    from builder.settings import Include, Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an image takes of a project.

    Attributes:
        project: the project's directory.
        parts: files and directories, relative to it, that are copied to ``workdir``.
        rules: what stays out.
        included: further paths, relative to it, of which the settings say where they go.
        apart: absolute paths that are never read: what builds write.
    """

    project: Path
    parts: tuple[str, ...]
    rules: ProjectRules
    included: tuple[str, ...] = ()
    apart: tuple[Path, ...] = ()

    def entries(self, settings: Settings) -> list[Entry]:
        """The parts under ``workdir`` and the included files, as they stand in the project.

        Raises:
            ContentError: a file cannot go into an image.
        """
        owner = settings.user.owner
        found: list[Entry] = []
        for part in self.parts:
            at = image_path(posixpath.normpath(f"{settings.workdir}/{part}"))
            path = host_path(self.project, part)
            found += walk(path, at=at, owner=owner, rules=Below(part, self.rules))
        for include in settings.include:
            found += self._included(include, settings)
        return found

    def _included(self, include: Include, settings: Settings) -> list[Entry]:
        path = host_path(self.project, include.source)
        at = image_path(include.destination.rstrip("/"))
        if include.destination.endswith("/") and not path.is_dir():
            at = f"{at}/{posixpath.basename(include.source)}".lstrip("/")
        owner = include.owner or settings.user.owner
        found = walk(path, at=at, owner=owner, rules=Below(include.source, self.rules))
        return [_with_mode(entry, include.mode) for entry in found]

    def leaves_out(self, path: str) -> bool:
        """Whether the rules leave out a part altogether."""
        if path == "." or not self.rules.ignores(path):
            return False
        return self.rules.prunes(path) or not host_path(self.project, path).is_dir()


def find_source(pyproject: Pyproject, settings: Settings, apart: Iterable[Path] = ()) -> Source:
    """What an image takes of a project: the setting ``source``, else ``src``, else the app itself.

    Args:
        pyproject: of the project.
        settings: say what is taken.
        apart: what builds write, such as the store and outputs; an image that took those in would
            differ from the one that the next build makes.

    Raises:
        SettingsError: a part or an included file is not there, stays out by the rules or is
            reached by a link that leads out, or there is nothing that the image could run.
        ContentError: ``.dockerignore`` cannot be read.
    """
    project = pyproject.directory
    parts = (
        settings.source if settings.source is not None else _usual_parts(pyproject, settings.app)
    )
    if settings.source is None and not parts and not pyproject.is_package:
        raise SettingsError(
            f"{pyproject.path}: nothing of the project would be in the image: it has no src, and "
            f"neither a build system nor [tool.builder] app says what else there is",
            hint='add [tool.builder] source = ["main.py"], or ["."] for all of it, or [] for none',
        )
    apart = tuple(apart)
    source = Source(
        project=project,
        parts=parts,
        rules=read_rules(project, apart),
        included=tuple(include.source for include in settings.include),
        apart=apart,
    )
    named = {f"include[{index}].source": it.source for index, it in enumerate(settings.include)}
    for key, path in [*(("source", part) for part in parts), *named.items()]:
        place = f"{pyproject.path}: tool.builder.{key}: got {path!r}"
        if link := _link_out(project, path):
            raise SettingsError(
                f"{place}; {link} is a link that leads out of the project",
                hint="copy what it points to into the project: elsewhere it may be another file",
            )
        if not os.path.lexists(host_path(project, path)):
            raise SettingsError(f"{place}; there is no such file or directory in the project")
        if source.leaves_out(path):
            raise SettingsError(
                f"{place}; .dockerignore or the built-in excludes leave it out",
                hint=f"if it shall be in the image, add !{path} to .dockerignore",
            )
    return source


def _link_out(project: Path, path: str) -> str | None:
    """The link on the way to a path of the project by which the way leaves it."""
    real = os.path.realpath(project)
    for above in reversed(PurePosixPath(path).parents):
        if not Path(os.path.realpath(host_path(project, str(above)))).is_relative_to(real):
            return str(above)
    return None


@dataclass(frozen=True, slots=True)
class Below:
    """The project's rules, asked about paths below one of its directories."""

    part: str
    rules: Rules

    def ignores(self, path: str, /) -> bool:
        """Whether this path stays out."""
        return self.rules.ignores(posixpath.normpath(f"{self.part}/{path}"))

    def prunes(self, directory: str, /) -> bool:
        """Whether nothing below this directory can come in."""
        return self.rules.prunes(posixpath.normpath(f"{self.part}/{directory}"))


def _usual_parts(pyproject: Pyproject, app: str | None) -> tuple[str, ...]:
    project = pyproject.directory
    if (project / "src").is_dir():
        return ("src",)
    top = (app or "").partition(":")[0].partition(".")[0]
    if top and (project / top).is_dir():
        return (top,)
    if top and (project / f"{top}.py").is_file():
        # A module imports its neighbours, and unless they are installed only their place helps.
        return (f"{top}.py",) if pyproject.is_package else (".",)
    return ()


def read_rules(project: Path, apart: Iterable[Path] = ()) -> ProjectRules:
    """What stays out of a project: ``.dockerignore``, the built-in excludes, and what is apart.

    Raises:
        ContentError: ``.dockerignore`` cannot be read.
    """
    path = project / ".dockerignore"
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        text = None
    except OSError as error:
        raise ContentError(f"cannot read {path}: {error.strerror}") from error
    return project_rules(text, origin=str(path)).without(_inner(project, apart))


def _inner(project: Path, paths: Iterable[Path]) -> list[str]:
    """Those of the paths that lie below the project, relative to it, as entries are written."""
    real = Path(os.path.realpath(project))
    resolved = [Path(os.path.realpath(path)) for path in paths]
    inside = [path for path in resolved if path.is_relative_to(real) and path != real]
    return [os.fsencode(p.relative_to(real)).decode("utf-8", "surrogateescape") for p in inside]


def _with_mode(entry: Entry, mode: int | None) -> Entry:
    if mode is None or not isinstance(entry, FileEntry):
        return entry
    return FileEntry(
        path=entry.path, content=entry.content, size=entry.size, mode=mode, owner=entry.owner
    )
