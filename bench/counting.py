"""A relay in front of a registry that counts what clients send; the bytes pass through the kernel
alone, so the relay takes next to no time of what is measured.
"""

import os
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

_PIECE = 1 << 20


@dataclass(slots=True)
class Counter:
    """A running relay.

    Attributes:
        host: where it listens.
        sent: bytes that came from clients, heads of requests among them.
    """

    host: str = ""
    sent: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int) -> None:
        """Count."""
        with self._lock:
            self.sent += number


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@contextmanager
def counting(host: str) -> Iterator[Counter]:
    """Relay to ``host`` (``NAME:PORT``) for as long as the block lasts."""
    counter = Counter()
    name, _, port = host.rpartition(":")

    class Relay(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with socket.create_connection((name, int(port))) as behind:
                client: socket.socket = self.request
                answers = threading.Thread(target=_pass, args=(behind, client, Counter()))
                answers.start()
                _pass(client, behind, counter)
                answers.join()

    with _Server(("127.0.0.1", 0), Relay) as server:
        counter.host = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield counter
        finally:
            server.shutdown()
            thread.join()


def _pass(source: socket.socket, target: socket.socket, counter: Counter) -> None:
    """Hand on what comes until nothing does, and say so to the other side."""
    reading, writing = os.pipe()
    try:
        with suppress(OSError):  # either side may go away without a word
            while moved := os.splice(source.fileno(), writing, _PIECE):
                counter.add(moved)
                while moved:
                    moved -= os.splice(reading, target.fileno(), moved)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)
    finally:
        os.close(reading)
        os.close(writing)
