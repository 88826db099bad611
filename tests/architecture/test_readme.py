"""Every command in the README works, word by word."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.project.values import FROM_ENVIRON, READERS
from tests.cache import REPOSITORY
from tests.registry import Registry
from tests.standin_platforms import serve_two_platforms

README = (REPOSITORY / "README.md").read_text()
COMMANDS = [
    line.removeprefix("$ ")
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
MAKE = {"make demo", "make test"}
"""What .ci/run and the demo's own test run."""


def test_the_first_two_commands_do_everything() -> None:
    assert COMMANDS[:2] == ["make demo", "make test"]


def test_every_setting_is_in_the_table() -> None:
    rows = re.findall(r"^\| (`[^|]*`) \| ?(●?) \|", README, re.MULTILINE)
    marked = {key: bool(mark) for keys, mark in rows for key in re.findall(r"`([\w-]+)`", keys)}
    assert set(marked) == set(READERS)
    assert {key for key, mark in marked.items() if mark} == set(FROM_ENVIRON.values())


@pytest.fixture(scope="module")
def workplace(
    registry_with_base: Registry, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Mapping[str, str]]:
    """A folder that looks like the repository, and the environ of somebody with a mirror."""
    folder = tmp_path_factory.mktemp("readme")
    (folder / ".venv").symlink_to(REPOSITORY / ".venv")
    shutil.copytree(REPOSITORY / "backend", folder / "backend")
    service = shutil.copytree(REPOSITORY / "backend", folder / "service")
    (service / ".python-version").write_text("3.13\n")
    serve_two_platforms(registry_with_base.url)
    environ = {
        **os.environ,
        "BUILDER_BASE_MIRROR": registry_with_base.url,
        "REGISTRY": registry_with_base.host,
        "PASSWORD": "any: this registry is open",
        "REGISTRY_AUTH_FILE": str(folder / "auth.json"),
        "XDG_CACHE_HOME": str(folder / "cache"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
    }
    return folder, environ


@pytest.mark.engine
@pytest.mark.index
@pytest.mark.parametrize("command", [command for command in COMMANDS if command not in MAKE])
def test_a_command_works(command: str, workplace: tuple[Path, Mapping[str, str]]) -> None:
    folder, environ = workplace
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
