"""Stopped in the middle, at every step: nothing is left, and the next build does not notice."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from builder.health.container import LABEL
from builder.oci.platform import Platform
from layers.entries import FileEntry
from tests.cli.conftest import Place, base_layer, make_place, reference, write_base
from tests.cli.running import Running, nothing_left, wait_until_gone
from tests.cli.stalling import stalling_registry
from tests.project.projects import lock, write_project
from tests.standin import TAG

INTERRUPTED = "interrupted\n"

both = pytest.mark.parametrize("stop", [Running.ctrl_c, Running.cancel], ids=["ctrl-c", "cancel"])

# A build backend that waits while there is something to wait for.
BACKEND = """\
import os, pathlib, time, zipfile

def build_wheel(directory, config=None, metadata=None):
    if "MARK" in os.environ:
        pathlib.Path(os.environ["MARK"]).touch()
        time.sleep(60)
    name = "demo-1.0-py3-none-any.whl"
    with zipfile.ZipFile(pathlib.Path(directory, name), "w") as wheel:
        for member, text in {
            "demo/__init__.py": "",
            "demo-1.0.dist-info/METADATA": "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n",
            "demo-1.0.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n"
            "Tag: py3-none-any\\n",
            "demo-1.0.dist-info/RECORD": "demo/__init__.py,,\\ndemo-1.0.dist-info/METADATA,,\\n"
            "demo-1.0.dist-info/WHEEL,,\\ndemo-1.0.dist-info/RECORD,,\\n",
        }.items():
            wheel.writestr(zipfile.ZipInfo(member), text)
    return name
"""
BACKEND_TABLES = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[tool.builder]
cmd = ["python", "-m", "demo"]
"""
HEAVY_TABLES = """\
[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.builder]
cmd = ["python", "-m", "demo"]
source = ["src", "data"]
"""


@pytest.fixture(scope="session")
def heavy_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that takes a while to compile and to pack."""
    modules = {f"src/demo/module{n}.py": f"VALUE = {n}\n" for n in range(300)}
    project = write_project(
        tmp_path_factory.mktemp("heavy") / "project", modules, tables=HEAVY_TABLES
    )
    (project / "data").mkdir()
    (project / "data/blob").write_bytes(os.urandom(1 << 20) * 24)
    lock(project)
    return project


@pytest.fixture(scope="session")
def heavy_reference(
    heavy_project: Path,
    base: str,
    uv_cache: Path,
    bytecode: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """What it is when nobody interrupts."""
    place = make_place(tmp_path_factory.mktemp("whole"), base, heavy_project)
    caches = {"UV_CACHE_DIR": str(uv_cache), "PYTHONPYCACHEPREFIX": str(bytecode)}
    environ = {**place.environ, **caches, "UV_OFFLINE": "1"}
    return reference(replace(place, environ=environ).build())


@pytest.fixture
def heavy(tmp_path: Path, base: str, heavy_project: Path) -> Place:
    return make_place(tmp_path, base, heavy_project)


@both
def test_while_the_base_is_pulled(
    place: Place, tmp_path: Path, stop: Callable[[Running], None]
) -> None:
    """From a server that has stopped talking, too."""
    large = [FileEntry.of("large", os.urandom(3 << 20))]
    write_base(tmp_path / "large", base_layer(), large)
    with stalling_registry(tmp_path / "large") as registry:
        place = place.on_base(f"{registry.host}/large")
        with nothing_left(place), Running(place, ["--no-load"]) as running:
            running.until(registry.stalled.is_set)
            stop(running)
            assert running.ended(130).endswith(f" ({Platform.host()})\n{INTERRUPTED}")
        registry.released.set()
        interrupted = reference(place.build())
        shutil.rmtree(place.store)
        assert reference(place.build()) == interrupted


@both
def test_while_uv_builds_the_project(
    tmp_path: Path, base: str, stop: Callable[[Running], None]
) -> None:
    project = write_project(tmp_path / "original", {"backend.py": BACKEND}, tables=BACKEND_TABLES)
    lock(project)
    place = make_place(tmp_path, base, project)
    mark = tmp_path / "mark"
    with nothing_left(place), Running(place, ["--no-load"], MARK=str(mark)) as running:
        running.until(mark.exists)
        stop(running)
        said = running.ended(130)
        assert said.endswith(f"\n{INTERRUPTED}")
        assert "\nproject " not in said
    interrupted = reference(place.build())
    shutil.rmtree(place.store)
    assert reference(place.build()) == interrupted


@both
@pytest.mark.parametrize("kind", [".staging-", ".ingest-"], ids=["compile", "pack"])
def test_while_it_compiles_and_packs(
    heavy: Place, heavy_reference: str, kind: str, stop: Callable[[Running], None]
) -> None:
    """The line tells that a step is over, and so that the next one is under way."""
    with nothing_left(heavy), Running(heavy, ["--no-load"]) as running:
        running.until_line("dependencies")
        running.until(lambda: any(name.startswith(kind) for name in heavy.leftovers()))
        stop(running)
        said = running.ended(130)
        assert said.endswith(f"\n{INTERRUPTED}")
        assert "Traceback" not in said
    assert reference(heavy.build()) == heavy_reference


@pytest.mark.parametrize("kind", [".staging-", ".ingest-"])
def test_killed(heavy: Place, heavy_reference: str, kind: str) -> None:
    """What is left is in nobody's way, and is swept a day later."""
    with Running(heavy, ["--no-load"]) as running:
        running.until_line("base")
        running.until(lambda: any(name.startswith(kind) for name in heavy.leftovers()))
        running.kill()
        running.ended(-9)
    wait_until_gone(heavy)
    left = heavy.leftovers()
    assert left
    assert reference(heavy.build()) == heavy_reference
    assert heavy.leftovers() == left
    for name in left:
        os.utime(heavy.store / name, (0, time.time() - 25 * 3600))
    heavy.build("--dry-run")
    assert heavy.leftovers() == []


def test_told_twice(heavy: Place) -> None:
    """Wrappers repeat the signal; cleaning up goes on."""
    with nothing_left(heavy), Running(heavy, ["--no-load"]) as running:
        running.until_line("dependencies")
        for _ in range(20):
            running.ctrl_c()
            time.sleep(0.001)
        assert running.ended(130).count("interrupted") == 1


UNHEARD = """
import os, signal, sys, time
import builder.cli

class Loud:
    def __del__(self):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass

def command(*_):
    Loud()
    time.sleep(20)

builder.cli._command = lambda name: command
sys.argv = ["builder", "build"]
builder.cli.run()
"""


def test_while_python_takes_an_object_apart() -> None:
    """What is raised then is dropped, so it is raised again."""
    done = subprocess.run(
        [sys.executable, "-c", UNHEARD], capture_output=True, text=True, check=False, timeout=15
    )
    assert done.returncode == 130
    assert done.stderr.endswith(INTERRUPTED)


def _shim(directory: Path) -> dict[str, str]:
    """A podman that says when it begins to pull."""
    podman = shutil.which("podman")
    shim = directory / "bin" / "podman"
    shim.parent.mkdir()
    shim.write_text(
        f'#!/bin/sh\ncase "$1" in pull) : > {directory}/mark;; esac\nexec {podman} "$@"\n'
    )
    shim.chmod(0o755)
    return {"PATH": f"{shim.parent}:{os.environ['PATH']}"}


def _podman(*arguments: str) -> list[str]:
    done = subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True)
    return done.stdout.split()


@pytest.mark.engine
@both
def test_while_podman_loads(
    heavy: Place, heavy_reference: str, tmp_path: Path, stop: Callable[[Running], None]
) -> None:
    tag = "localhost/builder-cli-load:1"
    with nothing_left(heavy), Running(heavy, ["--tag", tag], **_shim(tmp_path)) as running:
        running.until((tmp_path / "mark").exists)
        time.sleep(0.05)
        stop(running)
        assert running.ended(130).endswith(f" in all\n{INTERRUPTED}")
    assert _podman("images", "--quiet", "--filter", f"reference={tag}") == []
    try:
        digest = heavy_reference.partition("@")[2]
        assert reference(heavy.build("--load", "--tag", tag)) == f"{tag}@{digest}"
        assert _podman("image", "inspect", "--format", "{{.Digest}}", tag) == [digest]
    finally:
        subprocess.run(["podman", "rmi", "--force", tag], check=False, capture_output=True)


@pytest.mark.engine
@both
def test_while_the_image_is_asked_for_its_health(
    place: Place, standin: Path, stop: Callable[[Running], None]
) -> None:
    place = place.on_base(f"oci:{standin}:{TAG}")
    place.replace('["python", "-m", "demo"]', '["sleep", "600"]')
    tag = "localhost/builder-cli-asked:1"
    arguments = ["--tag", tag, "--test"]
    ours = ("ps", "--all", "--quiet", "--filter", f"label={LABEL}={tag}")
    try:
        with nothing_left(place), Running(place, arguments) as running:
            running.until(lambda: bool(_podman(*ours, "--filter", "status=running")))
            time.sleep(0.2)
            stop(running)
            assert running.ended(130).endswith(f"  loaded as {tag}\n{INTERRUPTED}")
            assert _podman(*ours) == []
    finally:
        subprocess.run(["podman", "rmi", "--force", tag], check=False, capture_output=True)
