"""A project that is written to between the plan and the copy that is built from."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.errors import ContentError
from builder.events import ignore
from builder.process import run
from builder.project.install import Installer
from builder.project.private_copy import source_digest
from tests.project.projects import installation_of, lock, write_project


def source(project: Path) -> None:
    (project / "src/demo/__init__.py").write_text("A = 1\n")


def lock_file(project: Path) -> None:
    with (project / "uv.lock").open("a") as file:
        file.write("# another\n")


def metadata(project: Path) -> None:
    with (project / "pyproject.toml").open("a") as file:
        file.write("# another\n")


@pytest.mark.parametrize("change", [source, lock_file, metadata])
@pytest.mark.parametrize("when", ["after the plan", "while it is made"])
def test_what_is_not_what_was_planned_is_not_built(
    change: Callable[[Path], None],
    when: str,
    tmp_path: Path,
) -> None:
    """Also when lock and metadata were read before the change, and the sources after it."""
    project = write_project(tmp_path / "demo")
    lock(project)
    asked = installation_of(project)
    if when == "after the plan":
        digest = source_digest(asked.lock, asked.pyproject, asked.source)
        asked = replace(asked, planned=digest)
    change(project)
    if when == "while it is made":
        digest = source_digest(asked.lock, asked.pyproject, asked.source)
        asked = replace(asked, planned=digest)
    if change is source and when == "while it is made":
        Installer(asked, into=tmp_path, run=run, events=ignore)
        return
    with pytest.raises(ContentError, match="changed while it was being built"):
        Installer(asked, into=tmp_path, run=run, events=ignore)
