"""A build reads the project; it never writes into it."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import Place, make_place, reference
from tests.project.projects import lock, snapshot, write_project

GIT = {
    "GIT_AUTHOR_NAME": "Tests",
    "GIT_AUTHOR_EMAIL": "tests@example.com",
    "GIT_COMMITTER_NAME": "Tests",
    "GIT_COMMITTER_EMAIL": "tests@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}
SETUPTOOLS = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"

[tool.builder]
cmd = ["python", "-m", "demo"]
"""


def test_nothing_is_written_into_the_project(place: Place) -> None:
    before = snapshot(place.project)
    reference(place.build(cwd=place.project))
    assert snapshot(place.project) == before
    place.refused("--base", "oci:/nonexistent", code=1, cwd=place.project)
    assert snapshot(place.project) == before


def test_nothing_is_written_into_the_repository(place: Place) -> None:
    """``git status`` would refresh the index, for which it is enough to touch a file."""

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=place.project,
            env=os.environ | GIT,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "one")
    os.utime(place.project / "pyproject.toml", (1, 1))
    before = snapshot(place.project)
    reference(place.build(cwd=place.project))
    assert snapshot(place.project) == before
    plan = place.build("--dry-run").stdout
    assert f'"org.opencontainers.image.revision": "{git("rev-parse", "HEAD")}"' in plan


@pytest.mark.index
def test_setuptools_writes_elsewhere(tmp_path: Path, base: str) -> None:
    project = write_project(tmp_path / "original", tables=SETUPTOOLS)
    lock(project)
    place = make_place(tmp_path, base, project)
    before = snapshot(place.project)
    reference(place.build(cwd=place.project))
    assert snapshot(place.project) == before
    assert place.leftovers() == []
