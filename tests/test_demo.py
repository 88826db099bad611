"""``make demo``, for real: on a machine that reaches package archives it needs no registry."""

import subprocess
import sys

import pytest

from tests.cache import REPOSITORY


@pytest.mark.engine
@pytest.mark.index
@pytest.mark.archive
def test_the_demo_answers() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.demo"],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "/health answers 200" in done.stderr
    assert done.stdout.startswith("docker.io/library/second-brain:demo@sha256:") or (
        done.stdout.startswith("localhost/second-brain:demo@sha256:")
    )
