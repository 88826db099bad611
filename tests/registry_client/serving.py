"""A threading HTTP server on loopback that ends promptly, whatever its clients still hold open."""

import os
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no seconds: closing sends RST, not FIN
_TICK = 0.02


class Server(ThreadingHTTPServer):
    """Keeps its connections at hand, to cut them; speaks TLS when given a context."""

    daemon_threads = False  # they are waited for at the end: no socket is left to the collector

    def __init__(self, handler: type[BaseHTTPRequestHandler], tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self._tls = tls
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        self.ending = threading.Event()

    @property
    def host(self) -> str:
        """The address as references have it: ``127.0.0.1:PORT``."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The address as HTTP clients have it."""
        return f"{'https' if self._tls else 'http'}://{self.host}"

    def finish_request(self, request: Any, client_address: Any) -> None:
        # The handshake comes with the first read, in the connection's own thread: one that hangs
        # holds up nobody else.
        connection: socket.socket = request
        if self._tls:
            connection = self._tls.wrap_socket(
                request, server_side=True, do_handshake_on_connect=False
            )
        with self._lock:
            self._open.add(connection)
        try:
            super().finish_request(connection, client_address)
        except OSError:
            return  # the client is gone, or was sent away: nobody is left to tell
        finally:
            with self._lock:
                self._open.discard(connection)
            with suppress(OSError):
                connection.shutdown(socket.SHUT_WR)
            connection.close()

    def cut_all(self) -> None:
        """Wake every thread that waits for its client."""
        self.ending.set()
        with self._lock:
            for connection in self._open:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


class Handler(BaseHTTPRequestHandler):
    """What the servers of these tests share: HTTP/1.1, no log, whole bodies."""

    protocol_version = "HTTP/1.1"
    server: Server

    def log_message(self, *_: Any) -> None:
        """Say nothing: a test's output is its own."""

    def read_body(self, part: float = 1) -> bytes:
        """The request's body, or its first part: 0.3 is three tenths, of a known length."""
        if "chunked" in self.headers.get("Transfer-Encoding", "").lower():
            return self._read_chunks()
        return self.rfile.read(int(int(self.headers.get("Content-Length") or 0) * part))

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole answer; its length is that of ``body`` unless ``headers`` say another."""
        self.send_head(status, headers, body)
        if self.command != "HEAD":
            self.wfile.write(body)

    def send_head(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response_only(status)
        names = {name.lower() for name in headers}
        if "content-length" not in names and status != 204:
            headers = {**headers, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()

    def reset(self) -> None:
        """End the connection with RST, in the middle of whatever it was."""
        self.close_connection = True
        with suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
            # The descriptor itself: the streams around it would hold the socket open.
            os.close(self.connection.detach())

    def stall(self, seconds: float) -> None:
        """Do nothing for so long, or until the client hangs up or the server ends."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and not self.server.ending.wait(_TICK):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable:
                return

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := int(self.rfile.readline().partition(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        while self.rfile.readline().strip():
            continue
        return bytes(body)


@contextmanager
def running(server: Server) -> Iterator[None]:
    """Serve in a thread; at the end every connection is cut, and every thread is over."""
    thread = threading.Thread(target=server.serve_forever, args=(_TICK,), name="tests-server")
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.cut_all()
        server.server_close()
        thread.join()
