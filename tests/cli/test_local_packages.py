"""What is found in a package that lies beside the project is told as that package's."""

import json
from pathlib import Path

import pytest

from tests.checks.leaks.secret_samples import GITHUB
from tests.cli.conftest import TABLES, Place, make_place
from tests.command import builder
from tests.project.projects import UV_BUILD, lock, write_project, write_tree

_PYPROJECT = f"""\
[project]
name = "my-lib"
version = "1.0"
{UV_BUILD}"""
_LOCAL = """
[tool.uv.sources]
my-lib = { path = "lib" }
"""


@pytest.fixture
def place(tmp_path: Path, base: str) -> Place:
    project = write_project(
        tmp_path / "original", project='dependencies = ["my-lib"]', tables=TABLES + _LOCAL
    )
    package = {"pyproject.toml": _PYPROJECT, "src/my_lib/__init__.py": f"A = {GITHUB!r}\n"}
    write_tree(project / "lib", package)
    lock(project)
    return make_place(tmp_path, base, project)


def test_it_is_named_and_so_it_is_where_the_image_is_looked_at(place: Place) -> None:
    said = place.refused(code=1)
    assert "/my_lib/__init__.py (my-lib 1.0, layer project): holds a GitHub token (line 1)" in said
    acceptance = '{ check = "secret", distribution = "my-lib", reason = "..." }'
    assert f"accept = [{acceptance}]" in said
    place.append(f"[tool.builder.checks]\naccept = [{acceptance}]\n")
    layout = place.out / "layout"
    assert "accepted: secret: " in place.build("--output", f"oci:{layout}").stderr
    done = builder("check", f"oci:{layout}", "--json", env=place.environ, code=1)
    [platform] = json.loads(done.stdout)["platforms"]
    [found] = [each for each in platform["errors"] if each["check"] == "secret"]
    assert found["distribution"] == "my-lib 1.0"
