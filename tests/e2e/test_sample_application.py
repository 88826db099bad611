"""The sample application stands on its own: its tests and its linter need nothing of ours."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
import uv

from tests.cache import REPOSITORY
from tests.interpreter import cpython

pytestmark = pytest.mark.index


@pytest.mark.parametrize(
    "tool", [["pytest", "-q"], ["ruff", "check"], ["ruff", "format", "--check"]]
)
def test_its_own_checks_pass(tool: list[str], tmp_path: Path) -> None:
    project = tmp_path / "backend"
    shutil.copytree(REPOSITORY / "backend", project)
    environ = {key: value for key, value in os.environ.items() if key != "VIRTUAL_ENV"}
    environ["UV_PYTHON"] = str(cpython() / "bin/python3.12")
    done = subprocess.run(
        [uv.find_uv_bin(), "run", "--frozen", *tool],
        cwd=project,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
