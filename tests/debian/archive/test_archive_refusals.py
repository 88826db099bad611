"""What archives may do wrong, and that nothing of it is believed or kept."""

import gzip
import lzma
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from builder import parallel
from builder.debian.archive.archive import DEB
from builder.errors import ArchiveError, exit_code
from builder.events import Event
from builder.oci.descriptor import Descriptor
from builder.store.layout import Store
from builder.transport import HttpTransport
from layers.digest import Digest
from tests.debian.archives import LocalArchive, make_key
from tests.debian.asking import BYTES, HELLO, INDEX, POOL, ask, hello, is_empty


def test_a_suite_that_is_gone(archive: LocalArchive, store: Store, events: list[Event]) -> None:
    with pytest.raises(ArchiveError) as caught:
        ask([archive.source("buster")], store, events).index()
    host = archive.source().host
    assert caught.value.message == (
        f"{host} has no suite buster: neither InRelease nor Release is at "
        f"{host}/debian/dists/buster/"
    )


def test_without_sources_there_is_nothing_to_ask(store: Store, events: list[Event]) -> None:
    with pytest.raises(ArchiveError, match="no source of packages for amd64"):
        ask([], store, events).index()


def test_what_cannot_be_trusted_is_refused(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    stranger = archive.source(keyring=bytes(make_key().extract_certificate()))
    with pytest.raises(ArchiveError, match="signed by no key"):
        ask([stranger], store, events).index()
    archive.valid_until = datetime.now(UTC) - timedelta(seconds=1)
    archive.publish()
    with pytest.raises(ArchiveError, match="expired at"):
        ask(archive, store, events).index()
    assert (
        hello(ask([archive.source(check_valid_until=False)], store, events).index()).name == "hello"
    )
    archive.valid_until, archive.date = None, datetime.now(UTC) + timedelta(hours=1)
    archive.publish()
    with pytest.raises(ArchiveError, match=r"is of .*, and it is .* now"):
        ask(archive, store, events).index()


@pytest.mark.parametrize("body", [b"", b"garbage", lzma.compress(b"Package: evil")])
def test_an_index_that_is_not_what_the_release_says_is_refused(
    archive: LocalArchive, store: Store, events: list[Event], body: bytes
) -> None:
    archive.by_hash = False
    archive.publish()
    path = archive.root / f"{INDEX}.xz"
    size = len(path.read_bytes())
    path.write_bytes(body)
    with pytest.raises(ArchiveError, match=f"wanted {size} bytes .*, got {len(body)} ") as caught:
        ask(archive, store, events).index()
    assert f"{archive.source().host}/debian/{INDEX}.xz: " in caught.value.message
    assert exit_code(caught.value) == 3
    assert is_empty(store)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (lzma.compress(bytes(1 << 26)), "more than the 300 bytes"),
        (lzma.compress(b"x" * 99), "wanted 300 bytes of that digest, got 99 bytes"),
        (lzma.compress(b"x" * 99)[:-20], "cannot be unpacked: it ends too early"),
        (b"", "cannot be unpacked: it is empty"),
        (gzip.compress(b"x"), "cannot be unpacked: Input format not supported"),
    ],
    ids=["bomb", "other", "cut", "empty", "gzip"],
)
def test_an_index_that_does_not_unpack_to_what_the_release_says_is_refused(
    archive: LocalArchive, store: Store, events: list[Event], body: bytes, message: str
) -> None:
    archive.by_hash = False
    listed = f"\n {Digest.of(b'').hex} 300 main/binary-amd64/Packages"
    packed = f"\n {Digest.of(body).hex} {len(body)} main/binary-amd64/Packages.xz"
    archive.fields["bookworm"] = {"SHA256": listed + packed}
    archive.publish()
    (archive.root / f"{INDEX}.xz").write_bytes(body)
    with pytest.raises(ArchiveError, match=message) as caught:
        ask(archive, store, events).index()
    assert f"{archive.source().host}/debian/{INDEX}.xz" in caught.value.message
    assert is_empty(store)


def test_an_index_that_is_listed_and_not_there(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    archive.by_hash = False
    archive.publish()
    (archive.root / f"{INDEX}.xz").unlink()
    with pytest.raises(ArchiveError, match=r"lists main/binary-amd64/Packages\.xz, and it is"):
        ask(archive, store, events).index()


def test_an_index_of_absurd_length_is_not_even_asked_for(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    line = f"\n {Digest.of(b'').hex} {1 << 40} main/binary-amd64/Packages"
    archive.fields["bookworm"] = {"SHA256": line}
    archive.publish()
    with pytest.raises(ArchiveError, match="is longer than 1024 MiB"):
        ask(archive, store, events).index()
    assert archive.paths() == ["dists/bookworm/InRelease"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (BYTES[:-1], f"wanted {len(BYTES)} bytes of that digest, got {len(BYTES) - 1} bytes"),
        (BYTES + b"x", f"more than the {len(BYTES)} bytes"),
        (bytes(len(BYTES)), f"wanted {len(BYTES)} bytes of that digest, got {len(BYTES)} bytes th"),
    ],
    ids=["truncated", "longer", "changed"],
)
def test_a_package_that_is_not_the_one_pinned_is_refused(
    archive: LocalArchive, store: Store, events: list[Event], body: bytes, message: str
) -> None:
    asked = ask(archive, store, events)
    pin = hello(asked.index())
    (archive.root / POOL).write_bytes(body)
    with pytest.raises(ArchiveError, match=message) as caught:
        asked.fetch([pin])
    place = f"{archive.source().host}/debian/{POOL}"
    assert caught.value.message.startswith(f"package hello 1:2-3 amd64 at {place}: blob sha256:")
    assert not store.has(Descriptor(media_type=DEB, digest=pin.digest, size=pin.size))
    assert not list(store.root.glob(".ingest-*"))


def test_a_package_is_looked_for_wherever_its_suite_is(
    archive: LocalArchive, store: Store, events: list[Event], tmp_path: Path
) -> None:
    asked = ask(archive, store, events)
    pin = hello(asked.index())
    other = LocalArchive(tmp_path / "other")
    with other.serving():
        both = [other.source(), archive.source("trixie"), archive.source()]
        ask(both, store, events).fetch([pin])
        assert other.paths() == [POOL]
        with asked.open(pin) as stream:
            assert stream.read() == BYTES


def test_a_package_that_is_gone_says_where_it_was_looked_for(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    asked = ask(archive, store, events)
    pin = hello(asked.index())
    (archive.root / POOL).unlink()
    with pytest.raises(ArchiveError) as caught:
        asked.fetch([pin])
    host = archive.source().host
    assert caught.value.message == (
        f"package hello 1:2-3 amd64 of bookworm is gone: it is not at {host}/debian/{POOL}"
    )
    assert "builder lock --upgrade" in (caught.value.hint or "")
    assert "apt-snapshot" in (caught.value.hint or "")
    with pytest.raises(ArchiveError, match="is from the suite bookworm, and no source has that"):
        ask([archive.source("trixie")], store, events).fetch([pin])


def test_ctrl_c_leaves_nothing_half_written(
    archive: LocalArchive, store: Store, events: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add({**HELLO, "Package": "two"}, b"two")
    archive.publish()
    # A thread that waits on a connection which another closes notices after this time only.
    impatient = partial(HttpTransport, read_seconds=0.3)
    asked = replace(ask(archive, store, events), connect=impatient)
    index = asked.index()
    pins = [package.pin for name in ("hello", "two") for package in index.versions(name)]

    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", interrupt)
    with pytest.raises(KeyboardInterrupt):
        asked.fetch([pin for pin in pins if pin])
    monkeypatch.undo()
    for thread in threading.enumerate():
        if thread.name.startswith("worker"):
            thread.join()
    assert not list(store.root.glob(".ingest-*"))
    asked.fetch([pin for pin in pins if pin])
