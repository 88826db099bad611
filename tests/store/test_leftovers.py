"""What is begun and not finished."""

import errno
import os
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from builder.errors import StoreError
from builder.oci.descriptor import Descriptor
from builder.store.files import drop_unfinished
from builder.store.layout import Layout, Store
from layers.digest import Digest

DAY = 24 * 60 * 60


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def age(path: Path, seconds: int) -> None:
    then = path.stat().st_mtime - seconds
    os.utime(path, (then, then))


def hidden(root: Path) -> list[str]:
    return sorted(path.name for path in root.glob(".*"))


def test_what_a_killed_build_left_is_removed_a_day_later(store: Store) -> None:
    for name in (".ingest-a", ".staging-b", ".docker-c"):
        (store.root / name / "deep").mkdir(parents=True)
        (store.root / name / "deep" / "file").write_bytes(b"half")
    (store.root / ".ingest-d").write_bytes(b"half")
    (store.root / ".mine").mkdir()
    everything = hidden(store.root)
    for name in everything:
        age(store.root / name, DAY - 60)
    assert hidden(Layout(store.root).root) == everything
    for name in everything:
        age(store.root / name, 120)
    assert hidden(Layout(store.root).root) == [".mine"]


def test_a_link_that_was_left_is_removed_and_not_followed(store: Store, tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    precious.write_bytes(b"x")
    link = store.root / ".ingest-link"
    link.symlink_to(precious)
    os.utime(link, (1, 1), follow_symlinks=False)
    Layout(store.root)
    assert hidden(store.root) == []
    assert precious.read_bytes() == b"x"


def test_staging_is_gone_afterwards(store: Store) -> None:
    with store.staging() as staging:
        assert staging.parent == store.root.resolve()
        (staging / "venv").mkdir()
        (staging / "venv" / "file").write_bytes(b"x")
    assert hidden(store.root) == []
    with pytest.raises(ZeroDivisionError), store.staging():
        raise ZeroDivisionError
    assert hidden(store.root) == []


def test_what_this_process_is_at_work_on_can_be_dropped(store: Store) -> None:
    with store.ingest() as path:
        path.write_bytes(b"half")
        drop_unfinished()
        assert hidden(store.root) == []
    drop_unfinished()


def failing(name: Path | None) -> OSError:
    text = os.strerror(errno.ENOSPC)
    return OSError(errno.ENOSPC, text, str(name)) if name else OSError(errno.ENOSPC, text)


def test_an_error_names_the_store_when_it_happened_there(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    root = tmp_path / "link" / "store"
    store = Store(root)
    for place in (None, root / "x", root.resolve() / "x"):
        with pytest.raises(StoreError) as caught, store.staging():
            raise failing(place)
        assert caught.value.message == f"cannot stage a build in {root}: No space left on device"
        assert caught.value.hint == "free some space, or name another place in BUILDER_STORE"


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device", "/elsewhere"),
        OSError(errno.EIO, "Input/output error"),
        OSError("Unknown compression method"),
    ],
)
def test_what_is_not_the_stores_disk_is_not_told_as_if_it_were(
    error: OSError, store: Store
) -> None:
    for lend in (store.ingest, store.staging):
        with pytest.raises(OSError) as caught, lend():  # noqa: PT011 - the very same
            raise error
        assert caught.value is error
    assert hidden(store.root) == []


def test_a_source_that_cannot_be_read_is_not_the_stores_fault(store: Store) -> None:
    error = OSError(errno.EIO, "Input/output error")

    class Broken:
        def read(self, _: int) -> bytes:
            raise error

    pointer = Descriptor(media_type="text/plain", digest=Digest.of(b"x"), size=1)
    with pytest.raises(OSError, match="Input/output error") as caught:
        store.add(cast("BinaryIO", Broken()), pointer)
    assert caught.value is error
    assert hidden(store.root) == []
