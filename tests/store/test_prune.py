"""What goes when a store is made smaller, and what stays."""

import json
from pathlib import Path

import pytest

from builder.errors import DocumentError, StoreError
from builder.events import Caution, Event, Notice, ignore
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.store.bound import keep_bound
from builder.store.inventory import take_inventory
from builder.store.layout import Layout, Store
from builder.store.prune import Limits, Removal, prune
from layers.digest import Digest
from tests.images import blob_path
from tests.store.stores import (
    NAME,
    blob,
    blobs,
    fact_path,
    facts,
    hexes,
    image,
    names,
    read_all,
    used,
)

KILO = b"k" * 1000


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def pruned(store: Store, *, size: int | None = None, age: int | None = None) -> Removal:
    return prune(store.root, Limits(max_size=size, max_age=age), ignore)


def test_what_nothing_needs_goes(store: Store) -> None:
    image(store, "app", b"layer")
    needed = blobs(store)
    lost = blob(store, b"lost")
    removal = pruned(store)
    assert [file.path.name for file in removal.blobs] == [lost.digest.hex]
    assert removal.freed == lost.size
    assert removal.stays == take_inventory(store).size
    assert blobs(store) == needed
    assert read_all(store) == 1


def test_what_a_usable_fact_needs_stays(store: Store) -> None:
    built = image(store, None, b"layer")
    store.remember("built", "key", {"manifest": built.to_json()})
    segment = blob(store, b"segment")
    pointer = {"digest": str(segment.digest), "size": segment.size}
    store.remember("segment", "key", {**pointer, "tar_size": 1})
    before = blobs(store)
    assert pruned(store).freed == 0
    assert blobs(store) == before
    assert len(facts(store)) == 2


def test_what_a_text_tells_the_digest_of_stays(store: Store) -> None:
    packages = blob(store, b"Package: a")
    store.remember("apt-release", "key", {"text": f"SHA256:\n {packages.digest.hex} 10 Packages"})
    pruned(store)
    assert store.has(packages)


@pytest.mark.parametrize("wrapped", [False, True])
def test_a_fact_whose_blob_is_gone_goes(wrapped: bool, store: Store) -> None:  # noqa: FBT001
    gone = {"digest": str(Digest.of(b"gone")), "size": 4}
    store.remember("kind", "key", {"layer": gone} if wrapped else gone)
    # What may be fetched is in a list, as packages are.
    store.remember("kind", "other", {"pins": [gone]})
    pruned(store)
    assert facts(store) == [fact_path(store, "kind", "other")]


def test_a_fact_that_cannot_be_read_goes(store: Store) -> None:
    store.remember("kind", "key", {})
    fact_path(store, "kind", "key").write_bytes(b"{")
    assert len(pruned(store).facts) == 1
    assert facts(store) == []


def test_what_killed_builds_left_goes_at_once(store: Store) -> None:
    (store.root / ".staging-a" / "deep").mkdir(parents=True)
    (store.root / ".staging-a" / "deep" / "file").write_bytes(b"half")
    (store.root / ".ingest-b").write_bytes(b"other")
    (store.root / ".mine").mkdir()
    removal = pruned(store)
    assert [left.path.name for left in removal.leftovers] == [".ingest-b", ".staging-a"]
    assert removal.freed == 9
    assert [path.name for path in store.root.glob(".*")] == [".mine"]


def test_what_is_not_named_as_a_blob_is_left_alone(store: Store) -> None:
    stranger = store.root / "blobs" / "sha256" / "README"
    stranger.write_bytes(b"mine")
    other = store.root / "blobs" / "sha512"
    other.mkdir()
    pruned(store, size=0)
    assert stranger.exists()
    assert other.exists()


def test_an_incomplete_image_loses_its_name(store: Store) -> None:
    whole = image(store, "whole", b"layer")
    broken = image(store, "broken", b"layer", b"other")
    blob_path(store, blob(store, b"other")).unlink()
    removal = pruned(store)
    assert [i.names for i in removal.images] == [("broken",)]
    assert names(store) == ["whole"]
    assert read_all(store) == 1
    assert store.has(whole)
    assert not store.has(broken)


def test_layers_of_a_published_base_may_be_elsewhere(store: Store) -> None:
    base = image(store, None, b"low", b"lower")
    published = {NAME: "docker.io/library/python:3.12"}
    image(store, "app", b"own", base=base, annotations=published)
    image(store, "local", b"own", base=base)
    blob_path(store, blob(store, b"low")).unlink()
    pruned(store)
    assert names(store) == ["app"]
    # The base's documents say which layers are meant; without them, only the lowest may be.
    blob_path(store, base).unlink()
    pruned(store)
    assert names(store) == ["app"]
    blob_path(store, blob(store, b"own")).unlink()
    pruned(store)
    assert names(store) == []


def test_the_base_of_a_named_image_stays(store: Store) -> None:
    base = image(store, None, b"low")
    image(store, "app", b"own", base=base)
    pruned(store)
    assert store.has(base)
    assert read_all(store) == 1


def test_what_was_not_used_for_long_goes_with_all_its_names(store: Store) -> None:
    now = int(store.root.stat().st_mtime)
    old = image(store, "old:1", b"shared", b"old")
    store.tag("old:2", old)
    new = image(store, "new", b"shared", b"new")
    store.remember("built", "old", {"manifest": old.to_json()})
    used(blob_path(store, old), now - 7200)
    used(fact_path(store, "built", "old"), now - 7200)
    removal = pruned(store, age=3600)
    assert [i.names for i in removal.images] == [("old:1", "old:2")]
    assert names(store) == ["new"]
    assert read_all(store) == 1
    assert facts(store) == []
    assert hexes([new, blob(store, b"shared")]) <= blobs(store)
    assert hexes([old]).isdisjoint(blobs(store))


def test_what_was_used_last_stays_as_long_as_there_is_room(store: Store) -> None:
    for number in range(4):
        made = image(store, f"app:{number}", KILO + bytes([number]))
        used(blob_path(store, made), 1_000_000_000 + (number * 7 % 4))
    # In order of use: 0, 3, 2, 1.
    size = take_inventory(store).size
    assert pruned(store, size=size).freed == 0
    pruned(store, size=size - 1)
    assert names(store) == ["app:1", "app:2", "app:3"]
    pruned(store, size=2999)
    assert names(store) == ["app:1"]
    assert take_inventory(store).size <= 2999
    pruned(store, size=0)
    assert (names(store), blobs(store), facts(store)) == ([], set(), [])


def test_a_shared_layer_is_counted_once_and_stays_for_whoever_is_left(store: Store) -> None:
    for number in range(3):
        made = image(store, f"app:{number}", KILO, bytes([number]))
        used(blob_path(store, made), 1_000_000_000 + number)
    own = 1 + sum(
        path.stat().st_size
        for path in (store.root / "blobs" / "sha256").iterdir()
        if path.stat().st_size not in {1, 1000}
    )
    pruned(store, size=1000 + own * 2 // 3 + 10)
    assert names(store) == ["app:1", "app:2"]
    assert read_all(store) == 2


def test_facts_go_by_their_last_use_too(store: Store) -> None:
    for number in range(3):
        segment = blob(store, KILO + bytes([number]))
        store.remember("segment", str(number), {"digest": str(segment.digest), "size": 1001})
        used(fact_path(store, "segment", str(number)), 1_000_000_000 + number)
    pruned(store, size=2300)
    assert facts(store) == sorted(fact_path(store, "segment", key) for key in "12")
    assert len(blobs(store)) == 2


def test_what_is_not_used_stays_when_it_is_part_of_what_is(store: Store) -> None:
    made = image(store, "app", KILO, b"own")
    layer = blob(store, KILO)
    store.remember("contents", "key", {"layers": [layer.to_json()]})
    store.remember("lock", "key", {"a": 1})
    other = blob(store, KILO + b"other")
    store.remember("segment", "key", {"digest": str(other.digest), "size": other.size})
    for age, kind in enumerate(("contents", "lock", "segment")):
        used(fact_path(store, kind, "key"), 1_000_000_000 - age)
    size = take_inventory(store).size
    pruned(store, size=size - 1)
    assert facts(store) == [fact_path(store, "contents", "key"), fact_path(store, "lock", "key")]
    assert store.has(made)
    assert not store.has(other)


def test_a_dry_run_says_the_same_and_removes_nothing(store: Store) -> None:
    image(store, "app", b"layer")
    blob(store, b"lost")
    (store.root / ".ingest-a").mkdir()
    before = sorted(store.root.rglob("*"))
    told = prune(store.root, Limits(max_size=0), ignore, dry_run=True)
    assert sorted(store.root.rglob("*")) == before
    assert prune(store.root, Limits(max_size=0), ignore) == told


def test_what_others_wrote_into_the_index_stays(store: Store) -> None:
    image(store, "app", b"layer")
    gone = Descriptor(media_type=media_types.MANIFEST, digest=Digest.of(b"gone"), size=4)
    path = store.root / "index.json"
    index = json.loads(path.read_bytes())
    index["annotations"] = {"by": "somebody"}
    index["manifests"][0]["annotations"]["also"] = "theirs"
    index["manifests"].append(gone.to_json())
    path.write_text(json.dumps(index))
    pruned(store)
    after = json.loads(path.read_bytes())
    assert after["annotations"] == {"by": "somebody"}
    assert [entry["annotations"]["also"] for entry in after["manifests"]] == ["theirs"]


def test_an_index_of_images_is_an_image(store: Store) -> None:
    one, two = image(store, None, b"one"), image(store, None, b"two")
    raw = json.dumps({"schemaVersion": 2, "manifests": [one.to_json(), two.to_json()]}).encode()
    store.tag("both", blob(store, raw, media_types.INDEX))
    before = blobs(store)
    pruned(store)
    assert (names(store), blobs(store)) == (["both"], before)
    blob_path(store, blob(store, b"two")).unlink()
    pruned(store)
    assert names(store) == []


def test_an_index_that_cannot_be_read_is_no_reason_to_remove_everything(store: Store) -> None:
    image(store, "app", b"layer")
    (store.root / "index.json").write_bytes(b"{")
    before = blobs(store)
    with pytest.raises(DocumentError):
        pruned(store, size=0)
    assert blobs(store) == before


def test_what_is_no_store_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError, match="is not an OCI image layout"):
        prune(tmp_path, Limits(max_size=0), ignore)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def bound(store: Store, size: str) -> list[Event]:
    events: list[Event] = []
    keep_bound(store, {"BUILDER_STORE_MAX_SIZE": size}, events.append)
    return events


def test_a_store_is_kept_within_its_bound(store: Store) -> None:
    for number in range(10):
        made = image(store, f"app:{number}", KILO + bytes([number]))
        used(blob_path(store, made), 1_000_000_000 + number)
    of_now = Store(store.root)
    assert bound(of_now, "") == []
    assert bound(of_now, "1MB") == []
    assert len(names(store)) == 10
    [event] = bound(of_now, "8kB")
    assert isinstance(event, Notice)
    assert event.text.endswith("stay; it may hold 8.0 kB")
    # A tenth is left free, so that the next build has room.
    assert 5000 < take_inventory(store).size <= 7200
    assert names(store)[-1] == "app:9"
    assert read_all(store) == len(names(store))


def test_what_this_process_used_stays_though_it_is_too_much(store: Store) -> None:
    old = image(store, "old", KILO)
    store.remember("kind", "old", {"a": KILO.decode()})
    again = Store(store.root)
    image(again, "new", KILO + b"n")
    used(blob_path(again, old), 1_000_000_000)
    again.remember("kind", "new", {"a": 1})
    [event] = bound(again, "500B")
    assert isinstance(event, Caution)
    assert "it may hold 500 B" in event.text
    assert event.hint == "give BUILDER_STORE_MAX_SIZE more"
    assert names(store) == ["new"]
    assert facts(store) == [fact_path(store, "kind", "new")]
    assert read_all(store) == 1


def test_a_bound_that_cannot_be_kept_does_not_undo_the_build(store: Store) -> None:
    image(store, "app", KILO)
    (store.root / "index.json").write_bytes(b"{")
    [event] = bound(store, "500B")
    assert isinstance(event, Caution)
    assert event.text.startswith(f"the store was not made smaller: {store.root}: index.json")


def test_a_layout_is_looked_at_without_being_marked(store: Store) -> None:
    made = image(store, "app", b"layer")
    used(blob_path(store, made), 1_000_000_000)
    take_inventory(Layout(store.root))
    pruned(store)
    assert blob_path(store, made).stat().st_mtime == 1_000_000_000
