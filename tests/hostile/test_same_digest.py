"""Builds that differ in all that must not matter."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cache import REPOSITORY
from tests.interpreter import world_python
from tests.machine import RootlessUser, run_as
from tests.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.index]

_IDENTITY = {
    "GIT_AUTHOR_DATE": "2026-01-02T03:04:05Z",
    "GIT_COMMITTER_DATE": "2026-01-02T03:04:05Z",
    "GIT_AUTHOR_NAME": "Tests",
    "GIT_AUTHOR_EMAIL": "tests@example.com",
    "GIT_COMMITTER_NAME": "Tests",
    "GIT_COMMITTER_EMAIL": "tests@example.com",
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
}


@pytest.fixture(scope="module")
def checkout(rootless_user: RootlessUser) -> Iterator[Path]:
    """backend/ as a repository with one commit, where every user can read it."""
    folder = rootless_user.folder()
    project = folder / "checkout"
    shutil.copytree(REPOSITORY / "backend", project)
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "one"]):
        subprocess.run(["git", *command], cwd=project, env=os.environ | _IDENTITY, check=True)
    yield project
    shutil.rmtree(folder)


@dataclass(frozen=True)
class Difference:
    """One way in which two machines differ."""

    environ: Mapping[str, str] = field(default_factory=dict)
    prefix: tuple[str, ...] = ()
    umask: int = 0o022
    prepare: Callable[[Path], None] = lambda _: None


def _old_files(project: Path) -> None:
    for path in project.rglob("*"):
        os.utime(path, (1, 1), follow_symlinks=False)


def _closed_files(project: Path) -> None:
    for path in project.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


def _written_backwards(project: Path) -> None:
    """The files of every directory, created in the opposite order."""
    for directory in [project, *(p for p in project.rglob("*") if p.is_dir())]:
        for path in sorted((p for p in directory.iterdir() if p.is_file()), reverse=True):
            data = path.read_bytes()
            path.unlink()
            path.write_bytes(data)


DIFFERENCES = {
    "nothing": Difference(),
    "umask": Difference(umask=0o077),
    "time-zone": Difference(environ={"TZ": "Asia/Kathmandu"}),
    "language": Difference(environ={"LANG": "C", "LC_ALL": "POSIX", "PYTHONUTF8": "0"}),
    "hash-seed": Difference(environ={"PYTHONHASHSEED": "4242"}),
    "clock": Difference(prefix=("faketime", "-f", "+2d")),
    "one-core": Difference(prefix=("taskset", "--cpu-list", "0")),
    "file-times": Difference(prepare=_old_files),
    "file-modes": Difference(prepare=_closed_files),
    "directory-order": Difference(prepare=_written_backwards),
}


def _build(project: Path, registry: Registry, home: Path, difference: Difference) -> str:
    """Build as ourselves, with a store, a home and a uv cache that nothing else has touched."""
    environ = {
        **os.environ,
        "HOME": str(home),
        "XDG_CACHE_HOME": str(home / "cache"),
        "BUILDER_BASE_MIRROR": registry.url,
        **difference.environ,
    }
    command = [sys.executable, "-m", "builder", "build", str(project), "--no-load"]
    done = subprocess.run(
        [*difference.prefix, *command],
        env=environ,
        cwd=home,
        umask=difference.umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def expected(
    checkout: Path, registry_with_base: Registry, tmp_path_factory: pytest.TempPathFactory
) -> str:
    home = tmp_path_factory.mktemp("home")
    return _build(checkout, registry_with_base, home, DIFFERENCES["nothing"])


@pytest.mark.parametrize("name", [name for name in DIFFERENCES if name != "nothing"])
def test_same_digest_in_another_directory_and_with_another(
    name: str, checkout: Path, registry_with_base: Registry, expected: str, tmp_path: Path
) -> None:
    project = tmp_path / f"another place for {name}"
    shutil.copytree(checkout, project)
    difference = DIFFERENCES[name]
    difference.prepare(project)
    home = tmp_path / "home"
    home.mkdir()
    assert _build(project, registry_with_base, home, difference) == expected


def test_same_digest_for_another_user(
    checkout: Path, registry_with_base: Registry, expected: str, rootless_user: RootlessUser
) -> None:
    folder = rootless_user.folder()
    environ = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "BUILDER_BASE_MIRROR": registry_with_base.url,
    }
    command = [str(world_python()), "-m", "builder", "build", str(checkout), "--no-load"]
    done = run_as(rootless_user, command, env=environ)
    shutil.rmtree(folder)
    assert done.stdout == expected
