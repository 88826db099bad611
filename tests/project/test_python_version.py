from itertools import product
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from builder.errors import SettingsError
from builder.project.lock import Lock
from builder.project.pyproject import read_pyproject
from builder.project.python_version import _plainly_accepts, check_python, wanted_python
from builder.target import Python

PYTHON = Python(version=(3, 12), path="/usr/local/bin/python3.12")
BASE = "python:3.12-slim"
HINT = (
    'set [tool.builder] base, or --base, to an image with the right Python; now "python:3.12-slim"'
)


def check(
    root: Path,
    *,
    requires: str | None = None,
    pins: dict[str, str] | None = None,
    version: str | None = None,
) -> None:
    """Check a member of a workspace at ``root``."""
    project = root / "member"
    project.mkdir(exist_ok=True)
    line = "" if requires is None else f'requires-python = "{requires}"\n'
    (project / "pyproject.toml").write_text(f'[project]\nname = "demo"\n{line}')
    for directory, pin in (pins or {}).items():
        (root / directory / ".python-version").write_text(pin)
    lock = Lock(path=root / "uv.lock", packages=())
    check_python(read_pyproject(project), lock, BASE, PYTHON, version)


def refused(
    root: Path, *, requires: str | None = None, pins: dict[str, str] | None = None
) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        check(root, requires=requires, pins=pins)
    return caught.value


@pytest.mark.parametrize(
    "requires",
    [
        None,
        "",
        ">=3.12",
        ">=3.9,<4",
        "==3.12.*",
        "~=3.12.3",
        "==3.12.7",
        ">=3.12.4,<3.12.9",
        "!=3.12.0",
        ">3.11",
        "<3.12.2",
    ],
)
def test_some_patch_release_of_the_base_s_python_will_do(
    requires: str | None, tmp_path: Path
) -> None:
    check(tmp_path, requires=requires)


@pytest.mark.parametrize("requires", [">=3.13", "<3.12", "==3.11.*", "!=3.12.*", ">=3.13.0rc1"])
def test_a_project_that_excludes_the_base_s_python_is_refused(
    requires: str, tmp_path: Path
) -> None:
    error = refused(tmp_path, requires=requires)
    assert error.message == (
        f"{tmp_path}/member/pyproject.toml: project.requires-python is {requires!r}, "
        "the base python:3.12-slim has Python 3.12"
    )
    assert error.hint == HINT


def test_a_specifier_that_is_none_is_refused(tmp_path: Path) -> None:
    assert refused(tmp_path, requires="3.12 or so").message == (
        f"{tmp_path}/member/pyproject.toml: project.requires-python: got '3.12 or so'; "
        'expected a version specifier such as ">=3.12"'
    )


@pytest.mark.parametrize(
    "pin",
    [
        "3.12",
        "3.12.1\n",
        "# the team's\n\n3.12\n3.13\n",
        "cpython-3.12.1-linux-x86_64-gnu",
        "cpython@3.12",
        "python3.12",
        "3",
        ">=3.11",
        "pypy3.10",
        "my-environment",
        "",
    ],
)
@pytest.mark.parametrize("directory", ["member", "."])
def test_a_pin_that_names_this_python_or_none_is_fine(
    pin: str, directory: str, tmp_path: Path
) -> None:
    check(tmp_path, pins={directory: pin}) if directory == "." else check_in_member(tmp_path, pin)


def check_in_member(root: Path, pin: str) -> None:
    (root / "member").mkdir()
    check(root, pins={"member": pin})


@pytest.mark.parametrize(
    ("pin", "shown"),
    [
        ("3.11", "3.11"),
        ("3.1", "3.1"),
        ("3.13.1\n3.12\n", "3.13.1"),
        ("# ours\n  3.13t\n", "3.13t"),
        ("cpython-3.13.1-linux-x86_64-gnu", "cpython-3.13.1-linux-x86_64-gnu"),
        ("cpython@3.11", "cpython@3.11"),
    ],
)
@pytest.mark.parametrize("directory", ["member", "."])
def test_a_pin_to_another_python_is_refused_with_its_file(
    pin: str, shown: str, directory: str, tmp_path: Path
) -> None:
    (tmp_path / "member").mkdir()
    error = refused(tmp_path, pins={directory: pin})
    path = tmp_path / directory / ".python-version"
    assert error.message == (
        f"{path} asks for Python {shown}, the base python:3.12-slim has Python 3.12"
    )
    assert error.hint == f"{HINT}; or change .python-version"


def test_the_project_s_own_pin_wins_over_the_workspace_s(tmp_path: Path) -> None:
    (tmp_path / "member").mkdir()
    check(tmp_path, pins={"member": "3.12", ".": "3.13"})


@pytest.mark.parametrize("said", [None, "", "3.12.9", "3.12.10", "3.13.0", "3.11.1", "nonsense"])
def test_the_patch_release_that_the_base_names_will_do(said: str | None, tmp_path: Path) -> None:
    check(tmp_path, requires=">=3.12.9", version=said)


def test_a_pre_release_is_a_release_of_its_python(tmp_path: Path) -> None:
    check(tmp_path, requires=">=3.12.0rc1", version="3.12.0rc2")


def test_the_patch_release_that_the_base_names_may_be_excluded(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as caught:
        check(tmp_path, requires=">=3.12.9", version="3.12.1")
    assert caught.value.message == (
        f"{tmp_path}/member/pyproject.toml: project.requires-python is '>=3.12.9', "
        f"the base {BASE} has Python 3.12.1"
    )
    assert caught.value.hint == HINT


def wanted(root: Path, requires: str, pin: str | None = None) -> tuple[int, int]:
    (root / "pyproject.toml").write_text(
        f'[project]\nname = "demo"\nrequires-python = "{requires}"\n'
    )
    if pin:
        (root / ".python-version").write_text(pin)
    return wanted_python(read_pyproject(root), Lock(path=root / "uv.lock", packages=()))


@pytest.mark.parametrize(
    ("requires", "minor"),
    [("", 12), (">=3.9", 12), (">=3.13", 13), (">=3.9,<3.12", 11), ("==3.10.*", 10), ("<4", 12)],
)
def test_a_project_is_for_the_usual_python_or_the_next(
    requires: str, minor: int, tmp_path: Path
) -> None:
    assert wanted(tmp_path, requires) == (3, minor)


@pytest.mark.parametrize(("pin", "minor"), [("3.13", 13), ("cpython@3.11.4", 11), ("pypy", 12)])
def test_what_the_project_pins_is_what_it_is_for(pin: str, minor: int, tmp_path: Path) -> None:
    assert wanted(tmp_path, ">=3.9", pin) == (3, minor)


def test_a_project_for_no_python_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="which no Python 3 is"):
        wanted(tmp_path, ">=4")


BOUNDS = [f"{kind}{bound}" for kind in (">=", "< ") for bound in ("3", "4", "3.11", "3.12", "3.13")]
ODD = ["", "==3.12.*", "!=3.12.1", "~=3.11", ">3.11", "<=3.12", ">=3.12.1", ">=3.12rc1", "x"]


@pytest.mark.parametrize("version", [None, "3.12", "3.12.0", "3.12.9"])
def test_bounds_of_minor_versions_mean_what_the_library_says(version: str | None) -> None:
    for requires in map(",".join, [*product(BOUNDS, repeat=1), *product(BOUNDS, repeat=2)]):
        accepted = SpecifierSet(requires).contains(version or "3.12.7")
        assert _plainly_accepts(requires, PYTHON, version) == accepted, requires


@pytest.mark.parametrize("odd", ODD)
def test_whatever_else_is_said_is_for_the_library(odd: str) -> None:
    assert not _plainly_accepts(odd, PYTHON, "3.12.1")
    assert not _plainly_accepts(f">=3.12,{odd}", PYTHON, "3.12.1")


@pytest.mark.parametrize("requires", [">=3.12", ">= 3.9, <4", ">=3,<3.13"])
def test_usual_projects_are_accepted_without_the_library(requires: str) -> None:
    assert _plainly_accepts(requires, PYTHON, "3.12.1")
    assert not _plainly_accepts(requires, PYTHON, "3.12.0rc1")
