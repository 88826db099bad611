"""A registry that stops in the middle of a blob until it is told to go on."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from builder.store.layout import Layout


class StallingRegistry:
    """Serves one image under any name."""

    def __init__(self, layout: Path) -> None:
        self.layout = Layout(layout)
        self.stalled = threading.Event()
        self.released = threading.Event()
        self.host = ""

    def blob(self, path: str) -> bytes:
        """A manifest or blob by the last part of a path."""
        [named] = self.layout.index().manifests
        digest = path.rpartition("/")[2]
        name = digest.removeprefix("sha256:") if ":" in digest else named.digest.hex
        return (self.layout.root / "blobs" / "sha256" / name).read_bytes()


@contextmanager
def stalling_registry(layout: Path) -> Iterator[StallingRegistry]:
    """Run one on a loopback port; blobs over a megabyte stall at their half."""
    registry = StallingRegistry(layout)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            data = registry.blob(self.path)
            self.send_response(200)
            if "/manifests/" in self.path:
                self.send_header("Content-Type", "application/vnd.oci.image.manifest.v1+json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            half = len(data) // 2 if len(data) > 1 << 20 else len(data)
            self.wfile.write(data[:half])
            if data[half:] and not registry.released.is_set():
                registry.stalled.set()
                registry.released.wait()
            try:
                self.wfile.write(data[half:])
            except OSError:
                self.close_connection = True  # whoever asked has gone

        def log_message(self, *_: Any) -> None:
            """Keep quiet."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        registry.host = f"127.0.0.1:{http.server_address[1]}"
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield registry
        finally:
            registry.released.set()
            http.shutdown()
            thread.join()
