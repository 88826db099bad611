import os
import shutil
from pathlib import Path

import pytest

from builder.errors import LockError
from builder.project.private_copy import copy_for_build
from tests.project.projects import (
    MINOR,
    UV_BUILD,
    files_below,
    installation_of,
    unlocked,
    workspace,
    write_project,
)


def copy(project: Path, into: Path) -> Path:
    asked = installation_of(project)
    return copy_for_build(asked.lock, asked.pyproject, asked.source, into)


def test_the_copy_has_the_source_by_its_rules_and_the_rest_without_litter(tmp_path: Path) -> None:
    project = unlocked(
        write_project(
            tmp_path / "demo",
            {
                ".dockerignore": "*.md\nLICENSE\n**/*.sql\ndata\nnode_modules/*\n!data/keep\n",
                ".env": "",
                ".git/HEAD": "",
                ".venv/bin/python": "",
                ".python-version": MINOR,
                "LICENSE": "",
                "README.md": "",
                "data/keep": "",
                "data/large/a": "",
                "docs/guide.md": "",
                "hooks/build.sql": "",
                "node_modules/left/pad.js": "",
                "src/demo/.env": "",
                "src/demo/a.sql": "",
                "tests/test_a.py": "",
            },
        )
    )
    assert files_below(copy(project, tmp_path / "copy")) == {
        ".dockerignore",
        ".python-version",
        "LICENSE",
        "README.md",
        "data/keep",
        "docs/guide.md",
        "hooks/build.sql",
        "pyproject.toml",
        "src/demo/__init__.py",
        "uv.lock",
    }


def test_rules_that_name_only_what_is_taken_leave_the_files_a_build_reads(tmp_path: Path) -> None:
    project = unlocked(
        write_project(
            tmp_path / "demo",
            {
                ".dockerignore": "*\n!src\n",
                "README.md": "",
                "docs/about.md": "",
                "docs/other.md": "",
                "data/a": "",
            },
            project='readme = "docs/about.md"',
        )
    )
    assert files_below(copy(project, tmp_path / "copy")) == {
        ".dockerignore",
        "README.md",
        "docs/about.md",
        "pyproject.toml",
        "src/demo/__init__.py",
        "uv.lock",
    }


def test_files_and_directories_named_by_include_are_in_the_copy(tmp_path: Path) -> None:
    project = unlocked(
        write_project(
            tmp_path / "demo",
            {
                ".dockerignore": "data\n!data/a\n!.env.example\n!tests\n",
                ".env.example": "",
                "data/a": "",
                "tests/fixtures/a.json": "",
            },
            tables=f"""
            {UV_BUILD}
            [tool.builder]
            include = [
                {{ source = ".env.example", destination = "/etc/app/" }},
                {{ source = "data", destination = "/data" }},
                {{ source = "tests/fixtures", destination = "/fixtures" }},
            ]
            """.replace("\n            ", "\n"),
        )
    )
    made = copy(project, tmp_path / "copy")
    settings = installation_of(project).settings
    taken = {entry.path for entry in installation_of(made).source.entries(settings)}
    assert {"etc/app/.env.example", "data/a", "fixtures/a.json"} <= taken


def test_links_modes_and_names_are_copied(tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo", {"src/demo/run": "#!/bin/sh\n"}))
    (project / "src/demo/run").chmod(0o700)
    (project / "src/demo/link").symlink_to("run")
    odd = os.fsdecode(b"src/demo/\xff \n.txt")
    (project / odd).write_text("odd")
    made = copy(project, tmp_path / "copy")
    assert (made / "src/demo/run").stat().st_mode & 0o777 == 0o755
    assert (made / "src/demo/__init__.py").stat().st_mode & 0o777 == 0o644
    assert (made / "src/demo/link").readlink() == Path("run")
    assert (made / odd).read_text() == "odd"


def test_local_packages_keep_their_places_relative_to_each_other(tmp_path: Path) -> None:
    api = workspace(tmp_path / "here")
    made = copy(api, tmp_path / "copy")
    assert made == tmp_path / "copy/work/apps/api"
    assert files_below(tmp_path / "copy") == {
        "flat/third-1.0-py3-none-any.whl",
        "shared/lib/pyproject.toml",
        "shared/lib/src/lib/__init__.py",
        "wheels/wheel-1.0-py3-none-any.whl",
        "work/.python-version",
        "work/apps/api/.dockerignore",
        "work/apps/api/pyproject.toml",
        "work/apps/api/src/api/__init__.py",
        "work/apps/web/pyproject.toml",
        "work/apps/web/src/web/__init__.py",
        "work/core/pyproject.toml",
        "work/core/src/core/__init__.py",
        "work/pyproject.toml",
        "work/uv.lock",
    }


def test_a_local_package_that_is_gone_is_named(tmp_path: Path) -> None:
    api = workspace(tmp_path)
    shutil.rmtree(tmp_path / "shared")
    with pytest.raises(LockError) as caught:
        copy(api, tmp_path / "copy")
    assert caught.value.message == (
        f"{tmp_path}/work/uv.lock names {tmp_path}/shared/lib, which does not exist"
    )
