"""Builds that differ in all that must not matter."""

import dataclasses
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import uv

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
    (project / "src/second_brain/é.txt").write_text("a name that not every locale can say")
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


def _everything_about_files(project: Path) -> None:
    _written_backwards(project)
    _old_files(project)
    _closed_files(project)


NONE = Difference()
DIFFERENCES = {
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
EVERYTHING = Difference(
    environ={key: value for one in DIFFERENCES.values() for key, value in one.environ.items()},
    prefix=tuple(word for one in DIFFERENCES.values() for word in one.prefix),
    umask=0o077,
    prepare=_everything_about_files,
)


@dataclass(frozen=True)
class Machine:
    """Where builds happen: a home with a store of its own, and a Python that runs the builder."""

    home: Path
    registry: Registry
    python: str = sys.executable

    def build(self, project: Path, difference: Difference = NONE) -> str:
        """What the command prints: the name and digest of what it built."""
        environ = {
            **os.environ,
            "HOME": str(self.home),
            "BUILDER_STORE": str(self.home / "store"),
            "BUILDER_BASE_MIRROR": self.registry.url,
            **difference.environ,
        }
        return _output(
            [*difference.prefix, self.python, "-m", "builder", "build", str(project), "--no-load"],
            environ,
            difference.umask,
            self.home,
        )


def _output(command: list[str], environ: Mapping[str, str], umask: int, cwd: Path) -> str:
    done = subprocess.run(
        command,
        env=environ,
        cwd=cwd,
        umask=umask,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def warm(
    registry_with_base: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machine]:
    """A machine that built before; its uv cache is shared by builds that differ in other things."""
    home = tmp_path_factory.mktemp("warm")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(home / "uv"))
        yield Machine(home, registry_with_base)


@pytest.fixture(scope="module")
def expected(checkout: Path, warm: Machine) -> str:
    return warm.build(checkout)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_same_digest_in_another_directory_and_with_another(
    name: str, checkout: Path, warm: Machine, expected: str, tmp_path: Path
) -> None:
    project = tmp_path / f"another place for {name}"
    shutil.copytree(checkout, project)
    difference = DIFFERENCES[name]
    difference.prepare(project)
    assert warm.build(project, difference) == expected


def test_same_digest_on_a_machine_that_differs_in_everything(
    checkout: Path, registry_with_base: Registry, expected: str, tmp_path: Path
) -> None:
    project = tmp_path / "another place"
    shutil.copytree(checkout, project)
    EVERYTHING.prepare(project)
    cold = dataclasses.replace(
        EVERYTHING, environ={**EVERYTHING.environ, "UV_CACHE_DIR": str(tmp_path / "uv")}
    )
    assert Machine(tmp_path, registry_with_base).build(project, cold) == expected


def test_same_digest_by_another_python(
    checkout: Path, warm: Machine, expected: str, tmp_path: Path
) -> None:
    other = _python("3.13")
    environ = os.environ | {"UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv"), "UV_PYTHON": other}
    sync = [uv.find_uv_bin(), "sync", "--frozen", "--no-dev", "--quiet", "--no-install-project"]
    subprocess.run(sync, cwd=REPOSITORY, env=environ, check=True)
    named = Difference(environ={"PYTHONPATH": str(REPOSITORY)})
    python = str(tmp_path / "venv/bin/python")
    assert dataclasses.replace(warm, python=python).build(checkout, named) == expected


def _python(minor: str) -> str:
    """An interpreter of that version, where uv or pyenv has one."""
    found = subprocess.run(
        [uv.find_uv_bin(), "python", "find", "--no-project", minor],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode == 0:
        return found.stdout.strip()
    for path in Path.home().glob(f".pyenv/versions/{minor}.*/bin/python{minor}"):
        return str(path)
    pytest.skip(f"no Python {minor} on this machine")


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
