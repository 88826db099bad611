"""backend/ on a base that no registry gave."""

import subprocess
from pathlib import Path

import pytest

from tests.cache import REPOSITORY
from tests.command import builder
from tests.interpreter import world_python
from tests.machine import RootlessUser, run_as

pytestmark = [pytest.mark.archive, pytest.mark.engine, pytest.mark.index]

WORDS = ("--base", "apt:bookworm", "--test")


def test_it_answers(tmp_path: Path) -> None:
    name = "localhost/apt-base-e2e:1.0"
    environ = {"BUILDER_STORE": str(tmp_path / "store")}
    try:
        done = builder("build", REPOSITORY / "backend", "--tag", name, *WORDS, env=environ)
        assert "/health answers 200" in done.stderr
        assert "account: /etc/passwd says app" in done.stderr
    finally:
        subprocess.run(["podman", "rmi", "--force", name], capture_output=True, check=False)


def test_it_answers_an_ordinary_user(rootless_user: RootlessUser) -> None:
    folder = rootless_user.folder()
    copied = folder / "backend"
    subprocess.run(["cp", "-r", REPOSITORY / "backend", copied], check=True)
    subprocess.run(["chown", "-R", str(rootless_user.uid), copied], check=True)
    name = "localhost/apt-base-rootless:1.0"
    command = [str(world_python()), "-m", "builder", "build", str(copied), "--tag", name, *WORDS]
    try:
        done = run_as(rootless_user, command, env={"XDG_CACHE_HOME": str(folder / "cache")})
        assert "/health answers 200" in done.stderr
    finally:
        run_as(rootless_user, ["podman", "rmi", "--force", name], check=False)
        subprocess.run(["rm", "-rf", folder], check=True)
