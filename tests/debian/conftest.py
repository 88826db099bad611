"""What tests of archives start from."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.events import Event
from builder.store.layout import Store
from tests.debian.archives import LocalArchive
from tests.debian.asking import BYTES, HELLO


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[LocalArchive]:
    archive = LocalArchive(tmp_path / "archive")
    archive.add(HELLO, BYTES)
    archive.publish()
    with archive.serving():
        yield archive


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def events() -> list[Event]:
    return []
