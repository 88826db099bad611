import os
import shutil
from pathlib import Path

import pytest

from builder.errors import ContentError
from builder.project.private_copy import source_digest
from layers.digest import Digest
from tests.nobody import as_nobody
from tests.project.projects import (
    installation_of,
    unlocked,
    workspace,
    write_project,
    write_tree,
)


def digest(project: Path) -> Digest:
    asked = installation_of(project)
    return source_digest(asked.lock, asked.pyproject, asked.source)


def test_what_is_ignored_is_not_even_looked_at(tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo", {".dockerignore": "pgdata\n"}))
    (project / "pgdata").mkdir(mode=0)
    with as_nobody(tmp_path):
        before = digest(project)
    write_tree(project, {"pgdata/table": "rows"})
    with as_nobody(tmp_path):
        assert digest(project) == before


def test_an_unreadable_file_of_the_source_is_named(tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo"))
    (project / "src/demo/__init__.py").chmod(0)
    with as_nobody(tmp_path), pytest.raises(ContentError, match=r"src/demo/__init__\.py"):
        digest(project)


def test_the_digest_is_of_content_and_not_of_places_times_or_modes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = workspace(tmp_path / "here")
    before = digest(api)
    there = tmp_path / "somewhere" / "else"
    shutil.copytree(tmp_path / "here", there)
    for path in there.rglob("*"):
        os.utime(path, (1, 1))
        path.chmod(0o700 if path.is_dir() or path.stat().st_mode & 0o100 else 0o600)
    monkeypatch.chdir(there)
    moved = there / "work/apps/api"
    assert digest(moved) == before
    write_tree(there, {"work/.git/HEAD": "", "work/apps/api/data/b": ""})
    assert digest(moved) == before


@pytest.mark.parametrize(
    "path",
    [
        "work/apps/api/src/api/__init__.py",
        "work/apps/api/src/api/new.py",
        "work/apps/api/README.md",
        "work/core/src/core/__init__.py",
        "work/pyproject.toml",
        "shared/lib/src/lib/__init__.py",
        "wheels/wheel-1.0-py3-none-any.whl",
    ],
)
def test_the_digest_changes_with_whatever_is_built_from(path: str, tmp_path: Path) -> None:
    api = workspace(tmp_path)
    before = digest(api)
    file = tmp_path / path
    with file.open("a") as stream:
        stream.write("# changed\n")
    assert digest(api) != before


def test_the_digest_changes_with_an_executable_bit_and_with_a_place(tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo"))
    module = project / "src/demo/__init__.py"
    before = digest(project)
    module.chmod(0o755)
    executable = digest(project)
    module.rename(project / "src/demo/main.py")
    assert len({before, executable, digest(project)}) == 3
