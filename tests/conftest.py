"""What all tests share: the engines' environ, the stand-in base, a registry, an ordinary user."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import pytest

from tests.machine import NoRootlessUserError, RootlessUser, engine_environ, find_rootless_user
from tests.registry import Registry
from tests.standin import serve_standin, standin_layout

_ENGINES = ("podman", "buildah", "skopeo", "umoci")


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("engine"):
        _require(*_ENGINES)


def _require(*tools: str) -> None:
    missing = [tool for tool in tools if shutil.which(tool) is None]
    if missing:
        _cannot_run(f"not installed: {', '.join(missing)} (.ci/setup installs what is missing)")


def _cannot_run(reason: str) -> NoReturn:
    """A skipped test proves nothing, so where the whole suite must run it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session", autouse=True)
def engine_environment() -> Iterator[None]:
    """Every engine that a test starts, by whatever way, finds what this machine needs."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in engine_environ().items():
            patch.setenv(name, value)
        yield


@pytest.fixture(scope="session")
def standin() -> Path:
    """The OCI layout of the stand-in for python:3.12-slim-bookworm, tagged 3.12-slim-bookworm."""
    _require("mmdebstrap")
    return standin_layout()


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    """A real registry, open to everyone, that all tests of the session share."""
    _require("docker-registry")
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="session")
def registry_with_base(registry: Registry, standin: Path) -> Registry:
    """The shared registry, holding the stand-in as library/python:3.12-slim-bookworm."""
    _require("skopeo")
    assert standin.is_dir()
    serve_standin(registry.url)
    return registry


@pytest.fixture(scope="session")
def rootless_user() -> RootlessUser:
    """An ordinary user who can run rootless containers."""
    try:
        return find_rootless_user()
    except NoRootlessUserError as error:
        _cannot_run(str(error))
