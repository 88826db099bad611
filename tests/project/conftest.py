"""uv as these tests run it: with a cache of their own and, but for marked tests, offline.

And one installed application, which nobody changes.
"""

from pathlib import Path

import pytest

from builder.project.relocate import skeleton
from layers.entries import Entry
from tests.project.projects import (
    PLACE,
    Staged,
    compiler,
    contents,
    install_project,
    relocate,
    write_application,
)


@pytest.fixture(scope="session")
def uv_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache on the same disk as the projects, so that staged files are links into it."""
    return tmp_path_factory.mktemp("uv-cache")


@pytest.fixture(autouse=True)
def offline(
    request: pytest.FixtureRequest, uv_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is not marked ``index`` could not reach an index by mistake."""
    if request.node.get_closest_marker("index") is None:
        monkeypatch.setenv("UV_OFFLINE", "1")
        monkeypatch.setenv("UV_CACHE_DIR", str(uv_cache))
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)


@pytest.fixture(scope="session")
def staging(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("staging")


@pytest.fixture(scope="session")
def staged(tmp_path_factory: pytest.TempPathFactory, staging: Path, uv_cache: Path) -> Staged:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_OFFLINE", "1")
        patch.setenv("UV_CACHE_DIR", str(uv_cache))
        return install_project(write_application(tmp_path_factory.mktemp("project")), staging)


@pytest.fixture(scope="session")
def third_party(staged: Staged) -> list[Entry]:
    return relocate(staged.third_party, PLACE)


@pytest.fixture(scope="session")
def own(staged: Staged) -> list[Entry]:
    return relocate(staged.own, PLACE)


@pytest.fixture(scope="session")
def bytecode(staging: Path, third_party: list[Entry], own: list[Entry]) -> list[Entry]:
    return compiler(staging / "bytecode").bytecode([*third_party, *own]).entries


@pytest.fixture(scope="session")
def files(third_party: list[Entry], own: list[Entry], bytecode: list[Entry]) -> dict[str, bytes]:
    return contents([*third_party, *own, *skeleton(PLACE), *bytecode])
