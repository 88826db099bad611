import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from builder.errors import ContentError, LockError
from builder.project.private_copy import copy_for_build, source_digest
from tests.project.projects import (
    MINOR,
    UV_BUILD,
    files_below,
    installation_of,
    lock,
    unlocked,
    workspace,
    write_project,
    write_tree,
)


def copy(project: Path, into: Path) -> Path:
    asked = installation_of(project)
    copy = copy_for_build(asked.lock, asked.pyproject, asked.source, into)
    assert copy.digest == source_digest(asked.lock, asked.pyproject, asked.source)
    return copy.project


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
        "data/keep",
        "docs/guide.md",
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
                "hooks/backend.py": "",
                "hooks/.env": "",
                "licences/MIT.txt": "",
                "setup.py": "",
            },
            project='readme = "docs/about.md"\nlicense-files = ["licences/*"]',
            tables='[build-system]\nrequires = []\nbackend-path = ["hooks"]\n',
        )
    )
    assert files_below(copy(project, tmp_path / "copy")) == {
        "docs/about.md",
        "hooks/backend.py",
        "licences/MIT.txt",
        "pyproject.toml",
        "setup.py",
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


def test_a_member_follows_its_own_rules_and_the_project_s_that_are_not_about_itself(
    tmp_path: Path,
) -> None:
    project = write_project(
        tmp_path / "demo",
        {".dockerignore": "packages\n**/secrets.json\n"},
        project='dependencies = ["member"]',
        tables=f"{UV_BUILD}\n[tool.uv.sources]\nmember = {{ workspace = true }}\n"
        '[tool.uv.workspace]\nmembers = ["packages/member"]\n',
    )
    write_project(
        project / "packages/member",
        {
            ".dockerignore": "*.txt\n",
            "notes.txt": "",
            "src/member/secrets.json": "",
            "src/member/data.json": "",
            "src/member/.env": "",
        },
        name="member",
    )
    lock(project)
    assert files_below(copy(project, tmp_path / "copy") / "packages") == {
        "member/.dockerignore",
        "member/pyproject.toml",
        "member/src/member/__init__.py",
        "member/src/member/data.json",
    }


OUT = ["/etc/hostname", "../../../outside.txt", "../../../demo/pyproject.toml"]


@pytest.mark.parametrize("target", OUT)
def test_a_link_out_of_the_project_is_refused_in_what_ships(target: str, tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo"))
    write_tree(tmp_path, {"outside.txt": ""})
    link = project / "src/demo/host.txt"
    link.symlink_to(target)
    with pytest.raises(ContentError) as caught:
        copy(project, tmp_path / "copy")
    assert caught.value.message == f"symbolic link {link} -> {target} leads out of the project"
    assert caught.value.hint == (
        "copy what it points to into the project, or exclude it in .dockerignore"
    )
    write_tree(project, {".dockerignore": "**/host.txt\n"})
    made = copy(project, tmp_path / "copy")
    assert files_below(made / "src") == {"demo/__init__.py"}


def test_a_link_that_leaves_by_another_link_is_refused(tmp_path: Path) -> None:
    project = unlocked(write_project(tmp_path / "demo", {"a/b/c/d": ""}))
    (project / "src/up").symlink_to("..")
    (project / "src/demo/host.txt").symlink_to("../up/../outside.txt")
    write_tree(tmp_path, {"outside.txt": ""})
    with pytest.raises(ContentError, match=r"host\.txt -> \.\./up/\.\./outside\.txt leads out"):
        copy(project, tmp_path / "copy")


def test_odd_files_of_a_flat_package_are_refused_and_of_other_directories_left_out(
    tmp_path: Path,
) -> None:
    project = unlocked(write_project(tmp_path / "demo", {"docs/a": "", "flat/__init__.py": ""}))
    (project / "LICENSE").symlink_to("../../LICENSE")
    (project / "docs/hosts").symlink_to("/etc/hosts")
    os.mkfifo(project / "pipe")
    made = copy(project, tmp_path / "copy")
    assert files_below(made) == {
        "docs/a",
        "flat/__init__.py",
        "pyproject.toml",
        "src/demo/__init__.py",
        "uv.lock",
    }
    (project / "flat/hosts").symlink_to("/etc/hosts")
    with pytest.raises(ContentError, match="flat/hosts -> /etc/hosts leads out"):
        copy(project, tmp_path / "again")


def test_a_link_from_one_package_to_another_is_copied(tmp_path: Path) -> None:
    api = workspace(tmp_path / "here")
    (api / "src/api/core.py").symlink_to("../../../../core/src/core/__init__.py")
    made = copy(api, tmp_path / "copy")
    assert (made / "src/api/core.py").resolve() == (
        tmp_path / "copy/work/core/src/core/__init__.py"
    )


def test_a_project_reached_by_a_link_is_copied(tmp_path: Path) -> None:
    unlocked(write_project(tmp_path / "demo"))
    (tmp_path / "link").symlink_to("demo")
    made = copy(tmp_path / "link", tmp_path / "copy")
    assert files_below(made) == {"pyproject.toml", "src/demo/__init__.py", "uv.lock"}


COPY = """
import sys
from pathlib import Path
from builder.project.lock import read_lock
from builder.project.private_copy import copy_for_build, source_digest
from builder.project.pyproject import read_pyproject
from builder.project.settings import read_settings
from builder.project.source import find_source

pyproject = read_pyproject(Path(sys.argv[1]))
settings = read_settings(pyproject, environ={}, flags={})
asked = (read_lock(pyproject), pyproject, find_source(pyproject, settings))
copy_for_build(*asked, Path(sys.argv[2]))
print(source_digest(*asked), [entry.path.encode() for entry in asked[2].entries(settings)])
"""


def test_names_are_copied_whatever_the_locale_makes_of_them(tmp_path: Path) -> None:
    included = '[tool.builder]\ninclude = [{ source = "é/ü.txt", destination = "/etc/é/" }]\n'
    files = {"src/demo/é.txt": "é", "é/ü.txt": "ü"}
    project = unlocked(write_project(tmp_path / "demo", files, tables=f"{UV_BUILD}\n{included}"))
    (project / "src/demo/link").symlink_to("é.txt")
    told = []
    for number, language in enumerate(("C.UTF-8", "POSIX")):
        into = tmp_path / str(number)
        done = subprocess.run(
            [sys.executable, "-c", COPY, project, into],
            env={**os.environ, "LC_ALL": language, "PYTHONUTF8": "0"},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert files_below(into) >= set(files)
        assert (into / "src/demo/link").read_text() == "é"
        told.append(done.stdout)
    assert told[0] == told[1]
