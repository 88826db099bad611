"""Who waits for whom: real processes, and what happens when they are killed."""

import errno
import fcntl
import gc
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import StoreError
from builder.events import Caution, Event, Notice, ignore
from builder.store.bound import keep_bound
from builder.store.layout import Layout, Store
from builder.store.presence import Presence
from builder.store.prune import Limits, prune
from tests.images import blob_path
from tests.nobody import as_nobody
from tests.store.building import Building, Pruning
from tests.store.stores import blob, blobs, image, names, used


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A store that no process uses."""
    layout = Layout(tmp_path / "store")
    image(layout, "app", b"layer")
    blob(layout, b"of nobody")
    return layout.root


@pytest.fixture
def build(root: Path) -> Iterator[Building]:
    with Building(root) as building:
        yield building


def told(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def test_builds_are_at_work_side_by_side(root: Path, build: Building) -> None:
    with Building(root) as other:
        assert build.process.poll() is None
        other.end()


def test_pruning_waits_for_builds_and_says_for_whom(root: Path, build: Building) -> None:
    events: list[Event] = []

    def listen(event: Event) -> None:
        events.append(event)
        assert len(blobs(Layout(root))) == 4
        build.end()

    removal = prune(root, Limits(), listen)
    assert told(events) == [f"waiting for process {build.process.pid} to use {root} no more"]
    assert len(removal.blobs) == 1
    assert len(blobs(Layout(root))) == 3


def test_several_builds_are_named(root: Path, build: Building) -> None:
    with Building(root) as other, pytest.raises(StoreError) as caught:
        prune(root, Limits(), ignore, wait=False)
    pids = sorted([build.process.pid, other.process.pid])
    assert caught.value.message == f"{root} is in use by processes {pids[0]}, {pids[1]}"


def test_who_does_not_want_to_wait_is_refused(root: Path, build: Building) -> None:
    before = blobs(Layout(root))
    with pytest.raises(StoreError) as caught:
        prune(root, Limits(max_size=0), ignore, wait=False)
    assert caught.value.message == f"{root} is in use by process {build.process.pid}"
    assert caught.value.hint
    assert (names(Layout(root)), blobs(Layout(root))) == (["app"], before)
    build.end()
    prune(root, Limits(max_size=0), ignore, wait=False)
    assert blobs(Layout(root)) == set()


def test_a_killed_build_is_not_waited_for(root: Path, build: Building) -> None:
    build.kill()
    prune(root, Limits(), ignore, wait=False)


def test_a_killed_prune_is_not_waited_for(root: Path) -> None:
    with Pruning(root) as pruning:
        pruning.kill()
        Store(root, refuse)


def refuse(event: Event) -> None:
    raise AssertionError(event)


def test_a_build_waits_for_a_prune_and_says_so(root: Path) -> None:
    with Pruning(root) as pruning, Building(root, awaited=False) as build:
        assert build.says() == f"waiting for process {pruning.process.pid} to prune {root}"
        pruning.end()
        assert build.says() == "in"


def test_a_build_that_comes_later_lets_a_waiting_prune_go_first(
    root: Path, build: Building
) -> None:
    with Pruning(root, awaited=False) as pruning:
        assert pruning.says().startswith("waiting for process")
        with Building(root, awaited=False) as later:
            assert later.says() == f"waiting for process {pruning.process.pid} to prune {root}"
            build.end()
            assert pruning.says() == "in"
            pruning.end()
            assert later.says() == "in"


def test_a_build_that_a_build_runs_gets_past_a_prune_that_waits_for_both(
    root: Path, build: Building, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("builder.store.presence._MANNERS_SECONDS", 0)
    events: list[Event] = []
    with Pruning(root, awaited=False) as pruning:
        assert pruning.says().startswith("waiting for process")
        Store(root, events.append)
        assert told(events) == [f"waiting for process {pruning.process.pid} to prune {root}"]
    assert build.process.poll() is None


def test_two_prunes_wait_for_each_other(root: Path) -> None:
    with Pruning(root) as first, Pruning(root, awaited=False) as second:
        assert second.says() == f"waiting for process {first.process.pid} to prune {root} no more"
        first.end()
        assert second.says() == "in"
        second.end()


def test_a_process_may_prune_what_it_uses_itself(root: Path) -> None:
    store = Store(root)
    assert len(prune(root, Limits(), ignore, wait=False).blobs) == 1
    with Building(root):  # shared again
        assert store.has(blob(store, b"layer"))
        with pytest.raises(StoreError):
            prune(root, Limits(), ignore, wait=False)
    del store


def test_a_store_that_is_used_no_more_is_free(root: Path) -> None:
    gc.collect()  # what other tests left
    before = len(list(Path("/proc/self/fd").iterdir()))
    stores = [Store(root) for _ in range(50)]
    assert len(list(Path("/proc/self/fd").iterdir())) == before + 1
    with Pruning(root, awaited=False) as pruning:
        assert pruning.says() == f"waiting for process {os.getpid()} to use {root} no more"
        stores.clear()
        gc.collect()
        assert pruning.says() == "in"
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_the_bound_is_not_kept_while_others_are_at_work(root: Path, build: Building) -> None:
    store = Store(root)
    keep_bound(store, {"BUILDER_STORE_MAX_SIZE": "1B"}, refuse)
    assert names(store) == ["app"]
    with pytest.raises(StoreError, match=f"{os.getpid()}"):
        from_outside(root)
    build.end()
    used(blob_path(store, store.index().manifests[0]), 1_000_000_000)
    events: list[Event] = []
    keep_bound(store, {"BUILDER_STORE_MAX_SIZE": "1B"}, events.append)
    assert len(events) == 1
    assert names(store) == []
    with pytest.raises(StoreError, match=f"{os.getpid()}"):
        from_outside(root)


def from_outside(root: Path) -> None:
    """Whether another process finds this one in the store."""
    code = (
        "import sys; from pathlib import Path; from builder.events import ignore\n"
        "from builder.store.prune import Limits, prune\n"
        "prune(Path(sys.argv[1]), Limits(), ignore, wait=False)"
    )
    argv = [sys.executable, "-c", code, str(root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode:
        raise StoreError(done.stderr)


def test_threads_come_in_together(root: Path) -> None:
    stores: list[Store] = []
    threads = [threading.Thread(target=lambda: stores.append(Store(root))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({id(store.presence) for store in stores}) == 1


@pytest.mark.parametrize(
    ("code", "refused"),
    [
        (errno.ENOLCK, fcntl.LOCK_SH | fcntl.LOCK_EX | fcntl.LOCK_UN),
        (errno.EOPNOTSUPP, fcntl.LOCK_SH | fcntl.LOCK_EX | fcntl.LOCK_UN),
        (errno.EBADF, fcntl.LOCK_EX),
    ],
)
def test_a_file_system_without_locks_is_used_all_the_same(
    code: int, refused: int, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(_: int, how: int) -> None:
        if how & refused:
            raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", flock)
    store = Store(root, refuse)
    store.tag("more", store.index().manifests[0])
    (root / ".ingest-of-somebody").mkdir()
    keep_bound(store, {"BUILDER_STORE_MAX_SIZE": "1B"}, refuse)
    events: list[Event] = []
    assert len(prune(root, Limits(), events.append).blobs) == 1
    [event] = events
    assert event == Caution(
        f"{root}: its file system has no locks: nobody knows who uses it",
        "make sure that no build runs meanwhile",
    )
    # Whose it is nobody knows; a day later it is nobody's.
    assert (root / ".ingest-of-somebody").exists()


def test_another_failure_is_told(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(fcntl, "flock", flock)
    with pytest.raises(OSError, match="Input/output error"):
        Store(root)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a store to another user")
def test_a_store_of_another_user_is_used_and_waited_for(tmp_path: Path, root: Path) -> None:
    with as_nobody(tmp_path):
        store = Store(root)
        assert names(store) == ["app"]
        with pytest.raises(StoreError, match=f"in use by process {os.getpid()}"):
            prune_from_root(root)


def prune_from_root(root: Path) -> None:
    os.seteuid(0)
    try:
        from_outside(root)
    finally:
        os.seteuid(65534)


def test_an_output_is_no_store_and_is_not_held(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "output")
    with Pruning(layout.root) as pruning:
        layout.put(b"blob")
        layout.tag("app", blob(layout, b"blob"))
        pruning.end()


def test_a_directory_that_vanished_is_no_reason_to_fail_here(tmp_path: Path) -> None:
    presence = Presence.of(tmp_path / "nowhere")
    presence.enter(refuse)
    with presence.alone_at_once() as is_alone:
        assert not is_alone
