"""What takes the room, by kind."""

from pathlib import Path

import pytest

from builder.store.inventory import take_inventory
from builder.store.layout import Layout, Store
from builder.store.summary import Share, summarize
from tests.images import blob_path
from tests.store.stores import NAME, blob, fact_path, image, used


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def shares(store: Store) -> dict[str, Share]:
    found = take_inventory(Layout(store.root))
    summary = summarize(found)
    assert sum(share.size for share in summary) == found.size
    return {share.label: share for share in summary}


def test_each_file_is_of_one_kind(store: Store) -> None:
    base = image(store, None, b"low", b"lower")
    image(store, "app", b"own", base=base, annotations={NAME: "docker.io/library/python"})
    other = image(store, None, b"other base")
    store.remember("base", "other", {"manifest": other.to_json()})
    earlier = image(store, None, b"own", b"earlier")
    store.remember("built", "key", {"manifest": earlier.to_json()})
    segment = blob(store, b"segment")
    store.remember("segment", "key", {"digest": str(segment.digest), "size": 7})
    package = blob(store, b"package")
    store.remember("system-packages", "key", {"pins": [{"digest": str(package.digest)}]})
    blob(store, b"lost")
    (store.root / ".staging-a").mkdir()
    (store.root / ".staging-a" / "file").write_bytes(b"half")
    found = shares(store)
    assert {label: share.files for label, share in found.items()} == {
        "bases": 7,
        "images": 3,
        "segments": 1,
        "earlier builds": 3,
        "system packages": 1,
        "facts": 4,
        "leftovers": 1,
        "needed by nothing": 1,
    }
    assert found["leftovers"].size == found["needed by nothing"].size == 4


def test_the_last_use_is_that_of_who_needs_it(store: Store) -> None:
    for number in range(3):
        made = image(store, f"app:{number}", bytes([number]))
        used(blob_path(store, made), 1_000_000_000 + number)
    segment = blob(store, b"segment")
    store.remember("segment", "key", {"digest": str(segment.digest), "size": 7})
    used(fact_path(store, "segment", "key"), 900_000_000)
    found = shares(store)
    assert found["images"].used == 1_000_000_002
    assert found["segments"].used == found["facts"].used == 900_000_000
    assert found["bases"].used is None


def test_an_empty_store_has_nothing_of_any_kind(store: Store) -> None:
    assert {(share.files, share.size, share.used) for share in shares(store).values()} == {
        (0, 0, None)
    }
