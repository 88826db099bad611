"""``cache``: what it says, where, and with which exit code."""

import json
import os
import re
import signal
import sys
from pathlib import Path
from subprocess import PIPE, CompletedProcess, Popen

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import parse_manifest
from builder.store.layout import Layout, Store
from tests.cli.conftest import Place
from tests.command import builder
from tests.images import blob_path
from tests.store.building import Building, Pruning
from tests.store.stores import blob, blobs, damage, fact_path, image, names, used

LONG_AGO = 1_000_000_000


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """A store with two images, one of them old, a fact, and what nobody needs."""
    root = tmp_path / "store"
    store = Store(root)
    old = image(store, "localhost/app:old", b"old" * 1000)
    image(store, "localhost/app:new", b"new" * 1000)
    segment = blob(store, b"segment" * 100)
    store.remember("segment", "key", {"digest": str(segment.digest), "size": segment.size})
    blob(store, b"lost" * 100)
    used(blob_path(store, old), LONG_AGO)
    return Layout(root)


def cache(layout: Layout, *arguments: str, code: int = 0, **environ: str) -> CompletedProcess[str]:
    return builder(
        "cache", *arguments, env={"BUILDER_STORE": str(layout.root), **environ}, code=code
    )


def test_info_says_what_takes_the_room(layout: Layout) -> None:
    done = cache(layout, "info")
    assert done.stderr == ""
    told = re.sub(r"used \d+ (seconds?|days) ago", r"used N \1 ago", done.stdout)
    told = told.replace("seconds", "second").replace(str(layout.root), "STORE")
    assert told == (
        "STORE: 8.3 kB\n"
        "\n"
        "                   files    size\n"
        "bases                  0     0 B\n"
        "images                 6  7.1 kB  used N second ago\n"
        "segments               1   700 B  used N second ago\n"
        "earlier builds         0     0 B\n"
        "system packages        0     0 B\n"
        "facts                  1    98 B  used N second ago\n"
        "leftovers              0     0 B\n"
        "needed by nothing      1   400 B  used N second ago\n"
        "\n"
        "localhost/app:old    3.6 kB  used N days ago\n"
        "localhost/app:new    3.6 kB  used N second ago\n"
    )


def test_info_as_json_tells_all(layout: Layout) -> None:
    done = cache(layout, "info", "--json", BUILDER_STORE_MAX_SIZE="1GB")
    told = json.loads(done.stdout)
    assert told["store"] == str(layout.root)
    assert told["max_size"] == 1_000_000_000
    assert told["size"] == sum(kind["size"] for kind in told["kinds"].values())
    assert told["kinds"]["segments"]["files"] == 1
    assert told["kinds"]["leftovers"] == {"files": 0, "size": 0, "last_used": None}
    old, new = told["images"]
    assert old["names"] == ["localhost/app:old"]
    assert old["last_used"] == "2001-09-09T01:46:40+00:00"
    assert old["complete"]
    assert new["size"] == sum(
        blob_path(layout, part).stat().st_size for part in _parts(layout, "localhost/app:new")
    )


def _parts(layout: Layout, name: str) -> list[Descriptor]:
    [found] = [m for m in layout.index().manifests if name in m.annotations.values()]
    manifest = parse_manifest(layout.read(found)).value
    return [found, manifest.config, *manifest.layers]


def test_the_bound_is_shown(layout: Layout) -> None:
    told = cache(layout, "info", BUILDER_STORE_MAX_SIZE="5 GB").stdout
    assert told.startswith(f"{layout.root}: 8.3 kB of 5.0 GB that it may hold\n")
    done = cache(layout, "info", BUILDER_STORE_MAX_SIZE="much", code=2)
    assert done.stderr == (
        "error: BUILDER_STORE_MAX_SIZE is 'much'; expected a size\n"
        "hint: such as 5GB, 500MB or 2GiB\n"
    )


def test_prune_without_limits_removes_what_nothing_needs(layout: Layout) -> None:
    done = cache(layout, "prune")
    assert done.stdout == ""
    assert done.stderr == ("400 B removed: 0 images, 0 facts, 1 blob, 0 leftovers; 7.9 kB stay\n")
    assert names(layout) == ["localhost/app:new", "localhost/app:old"]


def test_prune_prints_the_names_of_the_images_that_went(layout: Layout) -> None:
    [old] = [m for m in layout.index().manifests if "app:old" in str(m.annotations)]
    for options, did in ((["--dry-run"], "would be removed"), ([], "removed")):
        done = cache(layout, "prune", "--older-than", "7d", *options)
        assert done.stdout == f"localhost/app:old@{old.digest}\n"
        assert f" {did}: 1 image, 0 facts, 4 blobs, 0 leftovers; " in done.stderr
    assert names(layout) == ["localhost/app:new"]


def test_prune_as_json_tells_all(layout: Layout) -> None:
    before = blobs(layout)
    (layout.root / ".ingest-a").write_bytes(b"half")
    told = json.loads(cache(layout, "prune", "--max-size", "0", "--json").stdout)
    assert len(told.pop("images")) == 2
    assert {name.removeprefix("sha256:") for name in told.pop("blobs")} == before
    assert told.pop("freed") > 8000
    assert told == {
        "store": str(layout.root),
        "dry_run": False,
        "facts": 1,
        "leftovers": [str(layout.root / ".ingest-a")],
        "size": 0,
    }
    assert blobs(layout) == set()


@pytest.mark.parametrize(
    ("option", "value", "kind"),
    [("--max-size", "much", "a size"), ("--older-than", "long", "an age")],
)
def test_what_is_no_limit_is_told(option: str, value: str, kind: str, layout: Layout) -> None:
    done = cache(layout, "prune", option, value, code=2)
    assert done.stderr.startswith(f"error: {option} is {value!r}; expected {kind}\nhint: such as ")
    assert len(blobs(layout)) == 8


def test_a_store_in_use_is_not_pruned_by_who_does_not_wait(layout: Layout) -> None:
    with Building(layout.root) as build:
        done = cache(layout, "prune", "--max-size", "0", "--no-wait", code=1)
        assert done.stderr == (
            f"error: {layout.root} is in use by process {build.process.pid}\n"
            "hint: try again when they are done, or let this wait: without --no-wait\n"
        )
        assert len(blobs(layout)) == 8
        assert cache(layout, "info").stdout
        assert cache(layout, "verify", "--no-wait").stdout == ""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_who_waits_for_builds_can_be_interrupted(number: int, layout: Layout) -> None:
    environ = {**os.environ, "BUILDER_STORE": str(layout.root)}
    argv = [sys.executable, "-m", "builder", "cache", "prune", "--max-size", "0"]
    with Building(layout.root) as build:
        waiting = Popen(argv, env=environ, stdout=PIPE, stderr=PIPE, text=True)
        assert waiting.stderr
        line = waiting.stderr.readline()
        assert line == f"waiting for process {build.process.pid} to use {layout.root} no more\n"
        waiting.send_signal(number)
        assert waiting.communicate(timeout=60) == ("", "interrupted\n")
        assert waiting.returncode == 130
    assert len(blobs(layout)) == 8


def test_a_build_that_waits_for_a_prune_can_be_interrupted(
    place: Place,
) -> None:
    layout = Layout(place.store)
    argv = [sys.executable, "-m", "builder", "build", str(place.project), "--no-load"]
    with Pruning(layout.root) as pruning:
        environ = {**os.environ, **place.environ}
        waiting = Popen(argv, env=environ, cwd=place.out, stdout=PIPE, stderr=PIPE, text=True)
        assert waiting.stderr
        line = waiting.stderr.readline()
        assert line == f"waiting for process {pruning.process.pid} to prune {layout.root}\n"
        waiting.send_signal(signal.SIGINT)
        assert waiting.communicate(timeout=60) == ("", "interrupted\n")
        assert waiting.returncode == 130
    assert "all is sound" in cache(layout, "verify").stderr


def test_verify_of_a_sound_store_says_so(layout: Layout) -> None:
    done = cache(layout, "verify")
    assert done.stdout == ""
    assert done.stderr == ("reading 8 blobs, 8.2 kB\n8 blobs read, 8.2 kB: all is sound\n")


def test_verify_removes_what_is_damaged_and_fails(layout: Layout) -> None:
    bad = blob(layout, b"old" * 1000)
    damage(layout, bad)
    broken = fact_path(Store(layout.root), "segment", "key")
    broken.write_bytes(b"{")
    found = (
        f"incomplete image localhost/app:old\nunreadable fact {broken}\ndamaged blob {bad.digest}\n"
    )
    dry = cache(layout, "verify", "--dry-run", code=1)
    assert dry.stdout == found
    assert dry.stderr.endswith("3 faults found; nothing was removed\n")
    assert json.loads(cache(layout, "verify", "--dry-run", "--json", code=1).stdout) == {
        "store": str(layout.root),
        "dry_run": True,
        "checked": 8,
        "size": 8212,
        "index_error": None,
        "incomplete": ["localhost/app:old"],
        "unreadable": [str(broken)],
        "damaged": [str(bad.digest)],
    }
    done = cache(layout, "verify", code=1)
    assert done.stdout == found
    assert done.stderr.endswith(
        "3 faults found; what is faulty was removed, and builds make it again\n"
    )
    assert names(layout) == ["localhost/app:new"]
    assert "all is sound" in cache(layout, "verify").stderr


@pytest.mark.parametrize("action", ["info", "prune", "verify"])
def test_a_store_that_is_not_there_is_empty_and_not_made(action: str, tmp_path: Path) -> None:
    root = tmp_path / "nowhere"
    done = builder("cache", action, "--json", env={"BUILDER_STORE": str(root)})
    assert done.stderr.startswith(f"there is no store at {root} yet\n")
    told = json.loads(done.stdout)
    assert (told["store"], told["size"]) == (str(root), 0)
    assert not root.exists()


def test_an_action_is_wanted(tmp_path: Path) -> None:
    done = builder("cache", env={"BUILDER_STORE": str(tmp_path)}, code=2)
    assert "the following arguments are required: ACTION" in done.stderr


def test_a_build_keeps_the_store_within_its_bound(place: Place) -> None:
    place.build()
    layout = Layout(place.store)
    old = image(layout, "localhost/old:1", b"old" * 100_000)
    used(blob_path(layout, old), LONG_AGO)
    bound = sum((layout.root / "blobs" / "sha256" / name).stat().st_size for name in blobs(layout))
    done = place.build(BUILDER_STORE_MAX_SIZE=f"{bound - 100_000}B")
    assert "removed from the store" in done.stderr
    assert "localhost/old:1" not in names(layout)
    assert not layout.has(old)
    assert len(names(layout)) == 1
    assert "all is sound" in cache(layout, "verify").stderr
    refused = place.refused(code=2, BUILDER_STORE_MAX_SIZE="much")
    assert refused.startswith("error: BUILDER_STORE_MAX_SIZE is 'much'; expected a size")


def test_a_build_after_each_prune_gives_the_same_image(place: Place) -> None:
    first = place.build().stdout
    layout = Layout(place.store)
    for kind in sorted(path.name for path in (layout.root / "facts").iterdir()):
        for path in (layout.root / "facts" / kind).iterdir():
            used(path, LONG_AGO)
        cache(layout, "prune", "--older-than", "7d")
        assert place.build().stdout == first
    for name in sorted(blobs(layout)):
        # A blob may be gone though a fact tells of it: somebody removed it by hand.
        (layout.root / "blobs" / "sha256" / name).unlink(missing_ok=True)
        assert place.build().stdout == first
    cache(layout, "prune", "--max-size", "0")
    assert place.build().stdout == first
    assert "all is sound" in cache(layout, "verify").stderr
