"""Images with a server that behaves as ``MODE`` says."""

import os
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from builder.destinations.podman import PodmanDestination
from builder.oci.reference import Reference
from builder.process import run
from builder.store.layout import Store
from layers.entries import Entry, FileEntry, WhiteoutEntry
from tests.images import make_image, make_layer, read_image
from tests.standin import TAG

_SERVER = b"""\
import http.server, os, signal, sys, threading, time
mode = os.environ.get("MODE", "healthy")
print("server starts, mode", mode, flush=True)
if mode == "crash":
    raise SystemExit("cannot find the flux compensator")
if mode == "mute":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    time.sleep(600)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(500 if mode == "broken" else 200)
        self.end_headers()
        self.wfile.write(b'{"status":"sick"}' if mode == "wrong" else b'{"status":"ok"}')
host = "127.0.0.1" if mode == "shy" else "0.0.0.0"
server = http.server.ThreadingHTTPServer((host, 8000), Handler)
def stop(*_):
    if mode == "sour":
        os._exit(7)
    sys.exit(0)
signal.signal(signal.SIGTERM, signal.SIG_IGN if mode == "deaf" else stop)
server.serve_forever()
"""
_PASSWD = b"root:x:0:0:root:/root:/bin/sh\napp:x:1001:1001::/app:/bin/sh\n"


@pytest.fixture(scope="session")
def make_served(
    standin: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., str]]:
    """Make an image with the server on top of the stand-in, load it, and give its name."""
    store = Store(tmp_path_factory.mktemp("health") / "store")
    base = read_image(Store(standin), TAG)
    names: list[str] = []

    def make(name: str, *, user: str = "1001:1001", more: Sequence[Entry] = ()) -> str:
        entries = [FileEntry.of("app/server.py", _SERVER), FileEntry.of("etc/passwd", _PASSWD)]
        layers = [*base.layers, make_layer(store, [*entries, *more])]
        settings = {**base.config.value.run, "User": user, "Cmd": ["python", "/app/server.py"]}
        reference = Reference.parse(f"builder-tests/{name}")
        podman = PodmanDestination(store=store, run=run)
        podman.put(make_image(layers, settings), [reference])
        names.append(reference.local)
        return reference.local

    yield make
    for name in names:
        subprocess.run(["podman", "rmi", name], check=False, capture_output=True)


@pytest.fixture(scope="session")
def served(make_served: Callable[..., str]) -> str:
    """The image as it should be: user 1001, with a name."""
    return make_served("served")


@pytest.fixture(scope="session")
def served_by_root(make_served: Callable[..., str]) -> str:
    return make_served("by-root", user="0:0")


@pytest.fixture(scope="session")
def served_without_whoami(make_served: Callable[..., str]) -> str:
    return make_served("no-whoami", more=[WhiteoutEntry(path="usr/bin/whoami")])


@pytest.fixture
def no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A firewall that refuses every change, as in a container without the right to."""
    for name in ("iptables", "ip6tables", "nft"):
        tool = tmp_path / name
        tool.write_text("#!/bin/sh\necho 'Permission denied (you must be root)' >&2\nexit 4\n")
        tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
