"""When something was used last."""

import os
import time
from pathlib import Path

import pytest

from builder.store.layout import Layout, Store
from tests.images import blob_path
from tests.nobody import as_nobody
from tests.store.stores import blob, fact_path, used

LONG_AGO = 1_000_000_000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    store.remember("kind", "key", {"a": 1})
    used(fact_path(store, "kind", "key"), LONG_AGO)
    used(blob_path(store, blob(store, b"data")), LONG_AGO)
    return Store(store.root)


def is_fresh(path: Path) -> bool:
    return path.stat().st_mtime > LONG_AGO + 1


def test_a_fact_that_is_asked_for_counts_as_used(store: Store) -> None:
    store.fact("kind", "other")
    assert not is_fresh(fact_path(store, "kind", "key"))
    store.fact("kind", "key")
    assert is_fresh(fact_path(store, "kind", "key"))


def test_a_blob_that_is_opened_or_put_again_counts_as_used(store: Store) -> None:
    data = blob(Layout(store.root), b"data")
    path = blob_path(store, data)
    assert store.has(data)
    assert not is_fresh(path)
    store.read(data)
    assert is_fresh(path)
    used(path, LONG_AGO)
    Store(store.root).put(b"data")
    assert is_fresh(path)


def test_looking_at_a_layout_marks_nothing(store: Store) -> None:
    data = blob(Layout(store.root), b"data")
    Layout(store.root).read(data)
    assert not is_fresh(blob_path(store, data))


def test_a_process_marks_a_file_once(store: Store) -> None:
    path = fact_path(store, "kind", "key")
    store.fact("kind", "key")
    used(path, LONG_AGO)
    store.fact("kind", "key")
    assert not is_fresh(path)


def test_what_was_used_a_moment_ago_is_left_as_it_is(store: Store) -> None:
    path = fact_path(store, "kind", "key")
    moment = int(time.time()) - 60
    used(path, moment)
    store.fact("kind", "key")
    assert path.stat().st_mtime == moment


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can keep a file from itself")
def test_what_may_not_be_marked_is_read_all_the_same(tmp_path: Path, store: Store) -> None:
    with as_nobody(tmp_path):
        other = Store(store.root)
        assert other.fact("kind", "key") == {"a": 1}
    assert not is_fresh(fact_path(store, "kind", "key"))
