from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.project.uv_configuration import UvConfiguration
from tests.project.projects import write_tree

BUILDING = "no-binary = true\n"


def read(
    directory: Path, project: Path | None = None, environ: Mapping[str, str] | None = None
) -> UvConfiguration:
    places = {"HOME": str(directory.parent / "home"), "XDG_CONFIG_DIRS": "/nowhere"}
    return UvConfiguration.read(directory, project or directory, {**places, **(environ or {})})


@pytest.mark.parametrize(
    ("path", "environ"),
    [
        ("above/project/uv.toml", {}),
        ("above/uv.toml", {}),
        ("above/home/.config/uv/uv.toml", {}),
        ("config/uv/uv.toml", {"XDG_CONFIG_HOME": "config"}),
        ("system/uv/uv.toml", {"XDG_CONFIG_DIRS": "/nowhere:system"}),
        ("named.toml", {"UV_CONFIG_FILE": "named.toml"}),
    ],
)
def test_every_file_that_uv_reads_counts(
    path: str, environ: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "above/project"
    project.mkdir(parents=True)
    environ = {
        name: value.replace("config", f"{tmp_path}/config")
        .replace("system", f"{tmp_path}/system")
        .replace("named", f"{tmp_path}/named")
        for name, value in environ.items()
    }
    before = read(project, environ=environ)
    write_tree(tmp_path, {path: BUILDING})
    after = read(project, environ=environ)
    assert after.digest != before.digest
    assert (before.asks_for_builds, after.asks_for_builds) == (False, True)


@pytest.mark.parametrize(
    "name", ["UV_NO_BINARY_PACKAGE", "UV_NO_BUILD_PACKAGE", "UV_NO_CONFIG", "UV_CONFIG_FILE"]
)
def test_variables_that_choose_count(name: str, tmp_path: Path) -> None:
    chosen = read(tmp_path, environ={name: "numpy"})
    assert chosen.digest != read(tmp_path).digest
    assert chosen.asks_for_builds == (name == "UV_NO_BINARY_PACKAGE")


def test_variables_that_say_where_from_do_not_count(tmp_path: Path) -> None:
    assert read(tmp_path, environ={"UV_INDEX_URL": "https://x"}).digest == read(tmp_path).digest


def test_of_a_workspace_the_root_counts_and_of_a_project_its_own_is_known(tmp_path: Path) -> None:
    member = tmp_path / "packages/member"
    before = [read(tmp_path, member).digest, read(tmp_path).digest]
    write_tree(tmp_path, {"pyproject.toml": "[tool.uv]\nno-binary-package = ['numpy']\n"})
    after = [read(tmp_path, member).digest, read(tmp_path).digest]
    assert [new != old for new, old in zip(after, before, strict=True)] == [True, False]
    assert read(tmp_path, member).asks_for_builds


def test_the_nearest_file_above_is_what_uv_obeys(tmp_path: Path) -> None:
    project = write_tree(tmp_path / "a/b/project", {"x": ""})
    write_tree(tmp_path, {"a/uv.toml": "offline = true\n", "uv.toml": BUILDING})
    assert read(project).above == "offline = true\n"
