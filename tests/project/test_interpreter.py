import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from builder.errors import InstallError
from builder.process import Completed, run
from builder.project.interpreter import find_interpreter, interpreter_version
from builder.target import Python

OURS = Python(version=(sys.version_info[0], sys.version_info[1]), path="/usr/bin/python3")
OTHER = Python(version=(3, 13), path="/usr/bin/python3.13")
NONE = Python(version=(3, 99), path="/usr/bin/python3.99")


def version_of(interpreter: Path) -> str:
    told = run([str(interpreter), "-c", "import sys; print(*sys.version_info[:2], sep='.')"])
    return told.stdout.strip()


def test_our_own_interpreter_serves_when_it_is_of_the_version(tmp_path: Path) -> None:
    assert find_interpreter(OURS, project=tmp_path, run=run) == Path(sys.executable)


def test_another_version_is_found_where_uv_or_pyenv_have_it(tmp_path: Path) -> None:
    try:
        found = find_interpreter(OTHER, project=tmp_path, run=run)
    except InstallError:
        pytest.skip("no Python 3.13 on this machine")
    assert version_of(found) == "3.13"


@pytest.fixture
def pyenv(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "pyenv"
    monkeypatch.setenv("PYENV_ROOT", str(root))
    for version in ("3.99.2", "3.99.10", "3.99.10t", "3.99-dev", "3.98.11"):
        python = root / "versions" / version / "bin" / f"python{version[:4]}"
        python.parent.mkdir(parents=True)
        python.touch()
    return root


def test_pyenv_s_newest_patch_release_is_taken(pyenv: Path, tmp_path: Path) -> None:
    found = find_interpreter(NONE, project=tmp_path, run=run)
    assert found == pyenv / "versions/3.99.10/bin/python3.99"


def test_no_interpreter_is_an_error_with_the_command_that_helps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path / "none"))
    with pytest.raises(InstallError) as caught:
        find_interpreter(NONE, project=tmp_path, run=run)
    assert caught.value.message == (
        "no Python 3.99 on this machine, which the base image has; one is needed to install for it"
    )
    assert caught.value.hint == (
        "uv python install 3.99 (for this machine; it serves every platform)"
    )


def test_our_own_version_is_said_as_the_interpreter_says_it(tmp_path: Path) -> None:
    link = tmp_path / "python"
    link.symlink_to(sys.executable)
    assert interpreter_version(Path(sys.executable), run=never) == interpreter_version(
        link, run=run
    )


def test_an_interpreter_that_does_not_start_is_an_error(tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no >&2\nexit 3\n")
    broken.chmod(0o755)
    with pytest.raises(InstallError, match="does not start") as caught:
        interpreter_version(broken, run=run)
    assert "no" in caught.value.message


def never(argv: Sequence[str], **_: Any) -> Completed:
    raise AssertionError(f"nobody should start {argv}")
