from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.project.pyproject import read_pyproject
from tests.project.pyprojects import PROJECT, project_with


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[project", "{path} is not valid TOML: "),
        (b"[project]\nname = '\xff'\n", "{path} is not valid TOML: "),
        ("", "{path}: project.name is missing"),
        ("project = 1", "{path}: project.name is missing"),
        ("[project]\nname = 1", "{path}: project.name is missing"),
        (f"{PROJECT}version = 1.0", "{path}: project.version: got 1.0; expected a string"),
        (
            f"{PROJECT}requires-python = 3.12",
            "{path}: project.requires-python: got 3.12; expected a string",
        ),
        (f"{PROJECT}urls = []", "{path}: project.urls: got []; expected a table"),
        (f"{PROJECT}[tool]\nuv = 1", "{path}: tool.uv: got 1; expected a table"),
        (f"tool = 1\n{PROJECT}", "{path}: tool: got 1; expected a table"),
    ],
)
def test_a_pyproject_that_is_none_is_refused(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "pyproject.toml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message.startswith(message.format(path=path))


def test_no_pyproject_at_all(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message == f"no pyproject.toml in {tmp_path}"
    assert caught.value.hint == (
        "name the directory of a uv project: python -m builder build PROJECT"
    )
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path)
    assert caught.value.message == f"cannot read {tmp_path}/pyproject.toml: Is a directory"
    with pytest.raises(SettingsError) as caught:
        read_pyproject(tmp_path / "gone")
    assert caught.value.message == f"no directory {tmp_path}/gone"


@pytest.mark.parametrize(
    ("tables", "is_package"),
    [
        ("", False),
        ("[build-system]\n", True),
        ("[build-system]\n[tool.uv]\npackage = false\n", False),
        ("[tool.uv]\npackage = true\n", True),
    ],
)
def test_a_project_is_a_package_by_uv_s_rule(
    tables: str,
    is_package: bool,  # noqa: FBT001
    tmp_path: Path,
) -> None:
    assert project_with(tmp_path, tables).is_package is is_package


def test_names_are_normalised(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "My__Second.Brain"\n')
    assert read_pyproject(tmp_path).name == "my-second-brain"
