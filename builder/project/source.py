"""The application's files that go into an image as they are, and which of them stay out."""

import os
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import ContentError, SettingsError
from builder.project.pyproject import Pyproject
from builder.settings import Include, Settings
from layers.entries import Entry, FileEntry, image_path
from layers.ignore import ProjectRules, project_rules
from layers.tree import Rules, walk

_ROOT = "root"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What an image takes of a project.

    Attributes:
        project: the project's directory.
        parts: files and directories, relative to it, that are copied to ``workdir``.
        rules: what stays out.
    """

    project: Path
    parts: tuple[str, ...]
    rules: ProjectRules

    def entries(self, settings: Settings) -> list[Entry]:
        """The parts under ``workdir`` and the included files, as they stand in the project.

        Raises:
            ContentError: a file cannot go into an image.
        """
        owner = settings.user.owner
        found: list[Entry] = []
        for part in self.parts:
            at = image_path(posixpath.normpath(f"{settings.workdir}/{part}"))
            found += walk(self.project / part, at=at, owner=owner, rules=_Below(part, self.rules))
        for include in settings.include:
            found += self._included(include, settings)
        return found

    def _included(self, include: Include, settings: Settings) -> list[Entry]:
        path = self.project / include.source
        at = image_path(include.destination.rstrip("/"))
        if include.destination.endswith("/") and not path.is_dir():
            at = f"{at}/{path.name}".lstrip("/")
        owner = include.owner or settings.user.owner
        rules = _Below(include.source, self.rules)
        found = walk(path, at=at or _ROOT, owner=owner, rules=rules)
        if not at:
            found = [replace(e, path=e.path.removeprefix(f"{_ROOT}/")) for e in found[1:]]
        return [_with_mode(entry, include.mode) for entry in found]

    def leaves_out(self, path: str) -> bool:
        """Whether the rules leave out a part altogether."""
        if path == "." or not self.rules.ignores(path):
            return False
        return self.rules.prunes(path) or not (self.project / path).is_dir()


def find_source(pyproject: Pyproject, settings: Settings) -> Source:
    """What an image takes of a project: the setting ``source``, else ``src``, else the app itself.

    Raises:
        SettingsError: a part or an included file is not there or stays out by the rules, or there
            is nothing that the image could run.
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
    source = Source(project=project, parts=parts, rules=_rules(project))
    named = {f"include[{index}].source": it.source for index, it in enumerate(settings.include)}
    for key, path in [*(("source", part) for part in parts), *named.items()]:
        place = f"{pyproject.path}: tool.builder.{key}: got {path!r}"
        if not os.path.lexists(project / path):
            raise SettingsError(f"{place}; there is no such file or directory in the project")
        if source.leaves_out(path):
            raise SettingsError(
                f"{place}; .dockerignore or the built-in excludes leave it out",
                hint=f"if it shall be in the image, add !{path} to .dockerignore",
            )
    return source


@dataclass(frozen=True, slots=True)
class _Below:
    """The project's rules, asked about paths below one of its directories."""

    part: str
    rules: Rules

    def ignores(self, path: str, /) -> bool:
        return self.rules.ignores(posixpath.normpath(f"{self.part}/{path}"))

    def prunes(self, directory: str, /) -> bool:
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


def _rules(project: Path) -> ProjectRules:
    path = project / ".dockerignore"
    try:
        text = path.read_text("utf-8", errors="surrogateescape")
    except FileNotFoundError:
        return project_rules(None)
    except OSError as error:
        raise ContentError(f"cannot read {path}: {error.strerror}") from error
    return project_rules(text, origin=str(path))


def _with_mode(entry: Entry, mode: int | None) -> Entry:
    if mode is None or not isinstance(entry, FileEntry):
        return entry
    return FileEntry(
        path=entry.path, content=entry.content, size=entry.size, mode=mode, owner=entry.owner
    )
