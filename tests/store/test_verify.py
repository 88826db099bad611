"""Finding what is damaged, and removing it."""

import json
from pathlib import Path

import pytest

from builder.errors import StoreError
from builder.events import Event, Notice, ignore
from builder.store.layout import Layout, Store
from builder.store.verify import Findings, verify
from tests.images import blob_path
from tests.store.building import Building
from tests.store.stores import blob, blobs, damage, fact_path, facts, image, names, read_all


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    image(store, "one", b"shared", b"one")
    image(store, "two", b"shared", b"two")
    store.remember("kind", "key", {"a": 1})
    return store


def damaged(findings: Findings) -> list[str]:
    return [file.path.name for file in findings.damaged]


def test_a_sound_store_is_read_and_left_alone(store: Store) -> None:
    before = {path: path.stat() for path in store.root.rglob("*") if path.is_file()}
    events: list[Event] = []
    findings = verify(store.root, events.append)
    assert findings == Findings(
        checked=7, size=sum(blob_path_size(store, name) for name in blobs(store))
    )
    assert findings.is_sound
    assert [event.text for event in events if isinstance(event, Notice)] == [
        f"reading 7 blobs, {findings.size / 1000:.1f} kB"
    ]
    after = {path: path.stat() for path in store.root.rglob("*") if path.is_file()}
    assert {p: s.st_mtime_ns for p, s in after.items()} == {
        p: s.st_mtime_ns for p, s in before.items()
    }


def blob_path_size(layout: Layout, name: str) -> int:
    return (layout.root / "blobs" / "sha256" / name).stat().st_size


@pytest.mark.parametrize("length", ["same", "shorter", "longer", "empty"])
def test_a_damaged_blob_goes_and_with_it_the_names_of_its_images(length: str, store: Store) -> None:
    bad = blob(Layout(store.root), b"one")
    change = {"same": b"enO", "shorter": b"on", "longer": b"one!", "empty": b""}
    blob_path(store, bad).write_bytes(change[length])
    findings = verify(store.root, ignore)
    assert damaged(findings) == [bad.digest.hex]
    assert findings.incomplete_names == ("one",)
    assert names(store) == ["two"]
    assert read_all(store) == 1
    assert not blob_path(store, bad).exists()
    assert verify(store.root, ignore).is_sound


def test_every_blob_is_looked_at(store: Store) -> None:
    for name in sorted(blobs(store)):
        path = store.root / "blobs" / "sha256" / name
        sound = path.read_bytes()
        path.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
        findings = verify(store.root, ignore, dry_run=True)
        assert damaged(findings) == [name]
        assert findings.incomplete
        path.write_bytes(sound)
    assert verify(store.root, ignore).is_sound


def test_a_dry_run_removes_nothing(store: Store) -> None:
    damage(store, blob(store, b"shared"))
    fact_path(store, "kind", "key").write_bytes(b"[]")
    before = sorted(store.root.rglob("*"))
    findings = verify(store.root, ignore, dry_run=True)
    assert findings.incomplete_names == ("one", "two")
    assert [fact.path for fact in findings.unreadable] == facts(store)
    assert sorted(store.root.rglob("*")) == before
    assert names(store) == ["one", "two"]


def test_a_blob_that_is_missing_is_found(store: Store) -> None:
    blob_path(store, blob(store, b"two")).unlink()
    findings = verify(store.root, ignore)
    assert (damaged(findings), findings.incomplete_names) == ([], ("two",))
    assert names(store) == ["one"]


@pytest.mark.parametrize("raw", [b"", b"{", b"[1]", b"\xff", b"[" * 100_000])
def test_a_fact_that_cannot_be_read_goes(raw: bytes, store: Store) -> None:
    path = fact_path(store, "kind", "key")
    path.write_bytes(raw)
    assert [fact.path for fact in verify(store.root, ignore).unreadable] == [path]
    assert facts(store) == []


def test_an_index_that_cannot_be_read_begins_anew(store: Store) -> None:
    (store.root / "index.json").write_bytes(b"{}}")
    dry = verify(store.root, ignore, dry_run=True)
    assert dry.index_error
    assert dry.index_error.startswith(f"{store.root}: index.json: ")
    assert (store.root / "index.json").read_bytes() == b"{}}"
    before = blobs(store)
    assert verify(store.root, ignore).index_error == dry.index_error
    assert names(store) == []
    assert blobs(store) == before


def test_what_was_mended_meanwhile_is_not_removed(tmp_path: Path) -> None:
    """Between reading and removing, builds may put things right."""
    layout = Layout(tmp_path / "store")
    image(layout, "one", b"shared", b"one")
    bad = blob(layout, b"one")
    damage(layout, bad)
    build = Building(layout.root)
    waited = []

    def listen(event: Event) -> None:
        if isinstance(event, Notice) and event.text.startswith("waiting"):
            waited.append(event.text)
            layout.put(b"one")
            build.end()

    findings = verify(layout.root, listen)
    assert waited
    assert findings.is_sound
    assert findings.checked == 4
    assert read_all(layout) == 1


def test_an_unnamed_image_is_told_by_its_digest(store: Store) -> None:
    path = store.root / "index.json"
    index = json.loads(path.read_bytes())
    gone = index["manifests"][0] | {"annotations": {}}
    index["manifests"] = [gone]
    path.write_text(json.dumps(index))
    (store.root / "blobs" / "sha256" / gone["digest"].removeprefix("sha256:")).unlink()
    assert verify(store.root, ignore).incomplete_names == (gone["digest"],)


def test_a_store_that_is_empty_is_sound(tmp_path: Path) -> None:
    assert verify(Layout(tmp_path / "new").root, ignore) == Findings(checked=0, size=0)


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="is not an OCI image layout"):
        verify(tmp_path, ignore)
