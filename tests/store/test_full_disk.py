"""Disks that are full, closed or read-only."""

import gc
import io
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from builder.errors import StoreError
from builder.oci.descriptor import Descriptor
from builder.store.layout import Layout, Store
from layers.digest import Digest
from tests.images import blob_path
from tests.nobody import as_nobody

LARGE = b"x" * (2 << 20)
FREE_SPACE = "free some space, or name another place in BUILDER_STORE"
ANOTHER = "name a directory you may write in BUILDER_STORE"


def pointer(data: bytes) -> Descriptor:
    return Descriptor(media_type="text/plain", digest=Digest.of(data), size=len(data))


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of one megabyte."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)]
    done = subprocess.run(mount, check=False, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()}")
    yield disk
    gc.collect()  # a store is in use as long as its object lives, and pytest keeps it in cycles
    subprocess.run(["umount", disk], check=True)


def refusal(act: Callable[[], object]) -> tuple[str, str | None]:
    with pytest.raises(StoreError) as caught:
        act()
    return caught.value.message, caught.value.hint


def test_a_full_disk_is_told_and_nothing_half_written_stays(small_disk: Path) -> None:
    root = small_disk / "store"
    store = Store(root)
    store.put(b"before")
    before = sorted(root.rglob("*"))
    blob = f"cannot write a blob in {root}: No space left on device"
    assert refusal(lambda: store.add(io.BytesIO(LARGE), pointer(LARGE))) == (blob, FREE_SPACE)
    assert refusal(lambda: write_large(store)) == (blob, FREE_SPACE)
    assert refusal(lambda: store.put(LARGE)) == (
        f"cannot write {Digest.of(LARGE).hex} in {root}: No space left on device",
        FREE_SPACE,
    )
    message, hint = refusal(lambda: store.remember("kind", "key", {"a": LARGE.decode()}))
    assert message.startswith("cannot write ")
    assert message.endswith(f".json in {root}: No space left on device")
    assert hint == FREE_SPACE
    assert sorted(p for p in root.rglob("*") if "facts" not in p.parts) == before
    assert store.read(pointer(b"before")) == b"before"


def write_large(store: Store) -> None:
    with store.ingest() as path:
        path.write_bytes(LARGE)


def test_an_index_outlives_a_full_disk(small_disk: Path) -> None:
    layout = Layout(small_disk / "store")
    layout.tag("app", pointer(b"x"))
    before = layout.index()
    (small_disk / "ballast").write_bytes(b"x" * 900_000)
    big = Descriptor(
        media_type="text/plain",
        digest=Digest.of(b"x"),
        size=1,
        annotations={"much": "y" * 500_000},
    )
    assert refusal(lambda: layout.tag("app", big)) == (
        f"cannot write index.json in {layout.root}: No space left on device",
        FREE_SPACE,
    )
    assert layout.index() == before
    assert not list(layout.root.glob(".ingest-*"))


def test_a_read_only_disk_is_told(small_disk: Path) -> None:
    root = small_disk / "store"
    store = Store(root)
    store.put(b"before")
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    assert Store(root).read(pointer(b"before")) == b"before"
    told = f"in {root}: Read-only file system"
    adding = refusal(lambda: store.add(io.BytesIO(b"x"), pointer(b"x")))
    assert adding == (f"cannot write a blob {told}", ANOTHER)
    tagging = refusal(lambda: store.tag("app", pointer(b"x")))
    assert tagging == (f"cannot write index.json {told}", ANOTHER)
    other = small_disk / "other"
    assert refusal(lambda: Store(other)) == (
        f"cannot open a store in {other}: Read-only file system",
        ANOTHER,
    )


def test_a_closed_directory_is_told(tmp_path: Path) -> None:
    root = tmp_path / "store"
    store = Store(root)
    store.put(b"before")
    for path in (root, root / "blobs", root / "blobs" / "sha256"):
        path.chmod(0o555)
    told = f"in {root}: Permission denied"
    with as_nobody(tmp_path):
        assert Store(root).read(pointer(b"before")) == b"before"
        adding = refusal(lambda: store.add(io.BytesIO(b"x"), pointer(b"x")))
        assert adding == (f"cannot write a blob {told}", ANOTHER)
        assert refusal(lambda: store.put(b"x")) == (
            f"cannot write {Digest.of(b'x').hex} {told}",
            ANOTHER,
        )
        assert refusal(lambda: Store(root / "below")) == (
            f"cannot open a store in {root / 'below'}: Permission denied",
            ANOTHER,
        )
    for path in (root, root / "blobs", root / "blobs" / "sha256"):
        path.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can close its own file to nobody")
def test_a_closed_blob_is_told(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    store.put(b"data")
    blob_path(store, pointer(b"data")).chmod(0o600)
    with as_nobody(tmp_path):
        message, hint = refusal(lambda: store.open(pointer(b"data")))
    assert message == (
        f"store {store.root}: blob {Digest.of(b'data')} cannot be read: Permission denied"
    )
    assert hint == "see what is wrong with the store, and mend it: python -m builder cache verify"
