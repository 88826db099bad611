from collections.abc import Callable
from pathlib import Path

import pytest

from builder.project.lock import read_lock
from builder.project.lock_check import lock_question
from builder.project.pyproject import read_pyproject
from layers.digest import Digest
from tests.project.projects import write_project, write_tree

LOCK = """\
version = 1
[[package]]
name = "demo"
source = {{ editable = "." }}
[[package]]
name = "lib"
source = {{ {kind} = "{path}" }}
"""


def a_project(directory: Path, *, kind: str = "directory", path: str = "lib") -> Path:
    project = write_project(directory, {"uv.lock": LOCK.format(kind=kind, path=path)})
    write_project(project / "lib", name="lib")
    return project


def question(
    project: Path, interpreter: str = "Python 3.12.1", told: str = "", **environ: str
) -> Digest | None:
    pyproject = read_pyproject(project)
    return lock_question(
        read_lock(pyproject), pyproject, interpreter=interpreter, told=told, environ=environ
    )


def test_the_same_files_are_the_same_question_wherever_they_lie(tmp_path: Path) -> None:
    assert question(a_project(tmp_path / "a")) == question(a_project(tmp_path / "b/c"))
    assert question(a_project(tmp_path / "a")) is not None


def test_sources_do_not_count(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    before = question(project)
    write_tree(project, {"src/demo/__init__.py": "A = 1\n", "lib/src/lib/__init__.py": "B = 1\n"})
    assert question(project) == before


@pytest.mark.parametrize(
    "path", ["pyproject.toml", "lib/pyproject.toml", "uv.lock", "uv.toml"], ids=str
)
def test_what_uv_reads_counts(path: str, tmp_path: Path) -> None:
    project = a_project(tmp_path)
    before = question(project)
    with (project / path).open("a") as file:
        file.write("# changed\n")
    assert question(project) not in {before, None}


def test_another_python_is_another_question(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    assert question(project, "Python 3.12.2") != question(project)


def test_what_uv_is_told_counts_and_where_it_keeps_things_does_not(tmp_path: Path) -> None:
    project = a_project(tmp_path)
    expected = question(project)
    assert question(project, UV_CACHE_DIR="/elsewhere", HOME="/x") == expected
    assert question(project, UV_RESOLUTION="lowest") != expected
    assert question(project, told="sha256:0") != expected


def dynamic(project: Path) -> None:
    path = project / "lib/pyproject.toml"
    path.write_text(path.read_text().replace('version = "1.0"', 'dynamic = ["dependencies"]'))


def setup(project: Path) -> None:
    (project / "lib/pyproject.toml").write_text('[build-system]\nrequires = ["setuptools"]\n')


def no_metadata(project: Path) -> None:
    (project / "lib/pyproject.toml").unlink()


@pytest.mark.parametrize("change", [dynamic, setup, no_metadata])
def test_what_only_a_build_backend_knows_is_asked_each_time(
    change: Callable[[Path], None], tmp_path: Path
) -> None:
    project = a_project(tmp_path)
    change(project)
    assert question(project) is None


def test_a_wheel_on_disk_is_asked_about_each_time(tmp_path: Path) -> None:
    project = a_project(tmp_path, kind="path", path="lib-1.0-py3-none-any.whl")
    write_tree(project, {"lib-1.0-py3-none-any.whl": b"PK"})
    assert question(project) is None
