"""uv as these tests run it: with a cache of their own and, but for marked tests, offline."""

from pathlib import Path

import pytest


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
