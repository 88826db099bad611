"""What nobody wants any more ends soon, and nobody waits for it."""

import contextlib
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from builder.base.base import AptRequest, BaseRequest
from builder.base.find import find_base
from builder.errors import BaseError, TransportError
from builder.events import Event
from builder.oci.platform import Platform
from builder.parallel import LinkedEvent, background, in_parallel
from builder.process import Completed
from builder.settings import AptSourceSettings, Settings
from builder.store.layout import Store
from tests.debian.archives import LocalArchive, make_key
from tests.debian.asking import ask

_LONG = 30


@dataclass
class Trickling:
    """A server whose answers never end: a byte now and then, until the other side has enough."""

    listener: socket.socket
    suites: tuple[str, ...] = ("bookworm",)
    asked: threading.Event = field(default_factory=threading.Event)
    left: threading.Event = field(default_factory=threading.Event)
    closing: threading.Event = field(default_factory=threading.Event)

    @property
    def uri(self) -> str:
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}/debian"

    def serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self.listener.accept()
                threading.Thread(target=self.answer, args=(connection,), daemon=True).start()

    def answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\n")
            self.asked.set()
            while not self.closing.wait(0.01):
                connection.sendall(b"x")
            return
        self.left.set()


@pytest.fixture
def trickling() -> Iterator[Trickling]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server = Trickling(listener)
        threading.Thread(target=server.serve, daemon=True).start()
        yield server
        server.closing.set()
        listener.shutdown(socket.SHUT_RDWR)


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "worker"]


def ended() -> bool:
    for thread in workers():
        thread.join(_LONG)
    return not workers()


@pytest.mark.parametrize("suites", [("bookworm",), ("bookworm", "bookworm-updates")])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, None])
def test_when_there_is_no_python_the_archives_are_left_alone(
    trickling: Trickling, tmp_path: Path, suites: tuple[str, ...], failure: type | None
) -> None:
    (tmp_path / "key").write_bytes(bytes(make_key().extract_certificate()))
    sources = AptSourceSettings(uri=trickling.uri, suites=suites, keyring="key")
    apt = AptRequest(settings=Settings(apt_sources=(sources,)), project=tmp_path, python=(3, 12))
    platform = replace(
        Platform.host(), architecture={"amd64": "arm64"}.get(Platform.host().architecture, "amd64")
    )

    def run(*_: object, **__: object) -> Completed:
        assert trickling.asked.wait(_LONG)
        if failure:
            raise failure
        return Completed(argv=(), code=1, stdout="", stderr="no network")

    request = BaseRequest(source="apt:bookworm", platform=platform, apt=apt)
    with pytest.raises(failure or BaseError):
        find_base(request, store=Store(tmp_path / "store"), run=run)
    assert ended()
    assert trickling.left.wait(_LONG)


def test_an_archive_that_is_given_up_begins_nothing(
    archive: LocalArchive, store: Store, events: list[Event]
) -> None:
    asked = ask(archive, store, events)
    asked.stop.set()
    with pytest.raises(TransportError, match="stopped"):
        asked.index()
    assert archive.paths() == []


def test_an_event_may_hang_on_another() -> None:
    above = threading.Event()
    one, two = LinkedEvent(above), LinkedEvent(above)
    one.set()
    assert (one.is_set(), two.is_set(), above.is_set()) == (True, False, False)
    above.set()
    assert two.is_set()


def test_results_come_in_the_order_of_the_items() -> None:
    stop = threading.Event()
    assert in_parallel(lambda n: n * n, range(50), stop=stop) == [n * n for n in range(50)]
    assert in_parallel(str, [], stop=stop) == []
    assert not stop.is_set()


def test_after_a_failure_nothing_is_begun_any_more() -> None:
    begun: list[int] = []
    stop = threading.Event()

    def operation(number: int) -> None:
        begun.append(number)
        if number == 0:
            raise ValueError(number)
        assert stop.wait(_LONG)

    with pytest.raises(ValueError, match="0"):
        in_parallel(operation, range(50), stop=stop)
    assert ended()
    assert len(begun) < 50


def test_in_the_background_an_error_waits_for_who_asks() -> None:
    assert background(lambda: 7).result(_LONG) == 7
    with pytest.raises(ZeroDivisionError):
        background(lambda: 1 // 0).result(_LONG)


_PROGRAM = """
import signal, threading
from builder.parallel import background, in_parallel

def interrupt(number):
    if number == 3:
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
    threading.Event().wait()

"""
_BACKGROUND = "background(threading.Event().wait)"
_CTRL_C = "in_parallel(interrupt, range(8), stop=threading.Event())"


@pytest.mark.parametrize("leave", [_BACKGROUND, _CTRL_C])
def test_a_program_ends_without_its_workers(leave: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM + leave],
        check=False,
        capture_output=True,
        text=True,
        timeout=_LONG,
    )
    interrupted = leave == _CTRL_C
    assert (done.returncode != 0, "KeyboardInterrupt" in done.stderr) == (interrupted, interrupted)
