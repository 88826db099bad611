"""Packages that several archives may have: one that is broken does not hide one that is not."""

from pathlib import Path

import pytest

from builder.debian.package import Pin
from builder.errors import ArchiveError, TransportError
from builder.events import Event
from builder.store.layout import Store
from tests.debian.archives import LocalArchive
from tests.debian.asking import BYTES, HELLO, POOL, ask, hello, notices
from tests.registry_client.fake import Answer, closed_port


@pytest.fixture
def pin(archive: LocalArchive, tmp_path: Path) -> Pin:
    pin = hello(ask(archive, Store(tmp_path / "other"), []).index())
    archive.paths()
    return pin


BROKEN = [
    Answer(status=403),
    Answer(status=400),
    Answer(body=b"<html>sign in to the wireless network</html>"),
    Answer(body=bytes(len(BYTES))),
    Answer(status=503, headers={"Retry-After": "3600"}),
]


@pytest.mark.parametrize("answer", BROKEN, ids=["403", "400", "html", "changed", "busy"])
def test_a_broken_mirror_is_passed_over(
    archive: LocalArchive,
    store: Store,
    tmp_path: Path,
    pin: Pin,
    answer: Answer,
) -> None:
    events: list[Event] = []
    other = LocalArchive(tmp_path / "broken", instead={POOL: [answer]})
    with other.serving():
        asked = ask([other.source(), archive.source()], store, events)
        asked.fetch([pin])
    with asked.open(pin) as deb:
        assert deb.read() == BYTES
    assert other.paths() == [POOL]
    assert notices(events)[-1].endswith(
        f"; asking for {archive.source().host}/debian/{POOL} instead"
    )


def test_a_mirror_that_is_gone_is_asked_last_from_then_on(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    names = [f"p{number}" for number in range(9)]
    for name in names:
        archive.add({**HELLO, "Package": name}, name.encode())
    archive.publish()
    index = ask(archive, store, events).index()
    pins = [package.pin for name in names for package in index.versions(name)]
    events.clear()
    gone = archive.source(uri=f"http://{closed_port()}/debian")
    ask([gone, archive.source()], store, events).fetch([pin for pin in pins if pin])
    elsewhere = [text for text in notices(events) if text.endswith("instead")]
    assert 1 <= len(elsewhere) <= 4, "once for each thread at most"


def test_when_no_mirror_is_left_the_first_failure_is_told(
    archive: LocalArchive, store: Store, events: list[Event], tmp_path: Path, pin: Pin
) -> None:
    refusing = LocalArchive(tmp_path / "refusing", instead={POOL: [Answer(status=403)]})
    (archive.root / POOL).write_bytes(b"something else")
    with refusing.serving():
        sources = [refusing.source(), archive.source()]
        with pytest.raises(ArchiveError, match="403 Forbidden"):
            ask(sources, store, events).fetch([pin])
        with pytest.raises(ArchiveError, match="wanted 19000 bytes"):
            ask(sources[::-1], store, events).fetch([pin])
    gone = archive.source(uri=f"http://{closed_port()}/debian")
    with pytest.raises(TransportError, match="connection refused"):
        ask([gone, archive.source()], store, events).fetch([pin])
    (archive.root / POOL).unlink()
    with pytest.raises(TransportError, match="connection refused"):
        ask([archive.source(), gone], store, events).fetch([pin])


def test_a_server_that_asks_for_hours_is_not_waited_for(
    archive: LocalArchive, store: Store, events: list[Event], pin: Pin
) -> None:
    archive.instead = {POOL: [Answer(status=503, headers={"Retry-After": "3600"})]}
    with pytest.raises(ArchiveError, match="503") as caught:
        ask(archive, store, events).fetch([pin])
    assert caught.value.hint == "it asks to wait for 3600 s; try again then, or use a mirror"
    assert archive.paths() == [POOL]
