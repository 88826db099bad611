"""Release files that are older than one that was seen before."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from builder.debian.archive.last_release import KIND
from builder.errors import ArchiveError
from builder.events import Event
from builder.store.layout import Store
from tests.debian.archives import LocalArchive
from tests.debian.asking import HELLO, INDEX, ask, hello, notices

NEWER = {**HELLO, "Version": "1:3-1"}


def _go_back(archive: LocalArchive, **newer: datetime) -> None:
    """Publish a newer suite in place of that of three days ago, which ``_replay`` brings back."""
    archive.date = datetime.now(UTC) - timedelta(days=3)
    archive.publish()
    shutil.copytree(archive.root / "dists", archive.root / "older")
    archive.add(NEWER, b"newer")
    archive.date = datetime.now(UTC) - timedelta(minutes=5)
    archive.valid_until = newer.get("valid_until")
    archive.publish()


def _replay(archive: LocalArchive) -> None:
    shutil.rmtree(archive.root / "dists")
    shutil.copytree(archive.root / "older", archive.root / "dists")


def test_the_newer_one_stays(archive: LocalArchive, store: Store, events: list[Event]) -> None:
    _go_back(archive)
    assert hello(ask(archive, store, events).index()).version == "1:3-1"
    _replay(archive)
    events.clear()
    assert hello(ask(archive, store, events).index()).version == "1:3-1"
    assert "is older than that of" in notices(events)[-1]
    assert hello(ask(archive, Store(store.root.parent / "x"), events).index()).version == "1:2-3"


def test_a_newer_one_takes_the_place_of_an_older_one(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    _go_back(archive)
    newer = archive.root / "newer"
    shutil.move(archive.root / "dists", newer)
    shutil.copytree(archive.root / "older", archive.root / "dists")
    assert hello(ask(archive, store, events).index()).version == "1:2-3"
    shutil.rmtree(archive.root / "dists")
    shutil.move(newer, archive.root / "dists")
    assert hello(ask(archive, store, events).index()).version == "1:3-1"
    assert not [text for text in notices(events) if "older" in text]


def test_one_of_the_same_time_counts_at_once(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    assert hello(ask(archive, store, events).index()).version == "1:2-3"
    archive.add(NEWER, b"newer")
    archive.publish()
    assert hello(ask(archive, store, events).index()).version == "1:3-1"


def test_what_the_newer_one_lists_has_to_be_there(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    _go_back(archive)
    ask(archive, store, events).index()
    _replay(archive)
    for path in (store.root / "blobs/sha256").iterdir():
        path.unlink()
    way_out = f"if the archive went back in time for good, remove {store.root}/facts/{KIND}"
    for message in (r"wanted \d+ bytes", "its Release file lists"):
        with pytest.raises(ArchiveError, match=message) as caught:
            ask(archive, store, events).index()
        assert (caught.value.hint or "").endswith(f"(apt-mirror); {way_out}")
        (archive.root / f"{INDEX}.xz").unlink(missing_ok=True)


def test_a_newer_one_that_has_expired_is_not_replaced_by_an_older_one(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    until = datetime.now(UTC) + timedelta(days=1)
    _go_back(archive, valid_until=until)
    asked = ask(archive, store, events)
    asked.index()
    _replay(archive)
    later = replace(asked, now=lambda: until + timedelta(hours=1))
    with pytest.raises(ArchiveError, match="expired at"):
        later.index()


def test_a_snapshot_is_of_its_own_time(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    _go_back(archive)
    source = archive.source(moment=datetime.now(UTC))
    assert hello(ask([source], store, events).index()).version == "1:3-1"
    _replay(archive)
    assert hello(ask([source], store, events).index()).version == "1:2-3"


@pytest.mark.parametrize(
    "damage",
    ["", "[]", "{}", '{"date": 1, "text": ""}', '{"date": "2999-01-01T00:00:00", "text": ""}'],
)
def test_a_damaged_memory_is_none(
    archive: LocalArchive, store: Store, events: list[Event], damage: str
) -> None:
    ask(archive, store, events).index()
    (fact,) = (store.root / "facts" / KIND).iterdir()
    fact.write_text(damage)
    assert hello(ask(archive, store, events).index()).version == "1:2-3"
    assert "Codename: bookworm" in fact.read_text()
