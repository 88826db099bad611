"""Requests that go straight to their server, by the standard library."""

import shutil
import socket
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

import builder
from builder.errors import TransportError
from builder.transport import HttpTransport, Request, Response
from builder.transport.address import origin_of
from layers.entries import Content
from tests.cache import REPOSITORY
from tests.registry_client.certificates import Certificates
from tests.registry_client.fake import Answer, FaultyServer, faulty_server
from tests.test_transport_tls import serving

_ASKS = """\
import sys
from builder.transport import HttpTransport, Request
with HttpTransport() as transport, transport.send(Request(url=sys.argv[1])) as answer:
    print(answer.status, 'httpx2' in sys.modules)
"""
_OK = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe"


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport(connect_seconds=1, read_seconds=1) as opened:
        yield opened


@contextmanager
def talking(*says: bytes, gone: threading.Semaphore | None = None) -> Iterator[str]:
    """A server that says one thing on each connection, after a first look at what is asked.

    Args:
        says: what it says.
        gone: told of each connection that it closed.
    """

    def serve() -> None:
        for said in says:
            connection, _ = listening.accept()
            with connection:
                connection.recv(1 << 16)
                connection.sendall(said)
            if gone:
                gone.release()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def get(transport: HttpTransport, url: str, *, verifies: bool = True) -> bytes:
    with transport.send(Request(url=url, verifies=verifies)) as response:
        return response.read(100)


def put(transport: HttpTransport, url: str, body: Content, size: int) -> Response:
    headers = {"Content-Length": str(size)}
    return transport.send(Request(url=url, method="PUT", headers=headers, body=body))


def test_who_asks_says_so(server: FaultyServer, transport: HttpTransport) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert builder.__version__ == project["version"]
    get(transport, f"{server.url}/x")
    [asked] = server.asked
    assert asked.headers["user-agent"] == f"image-builder/{project['version']}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["host"] == server.host


def test_the_large_library_is_for_proxies(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    command = [sys.executable, "-c", _ASKS, f"{server.url}/x"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert said == "404 False\n"


class Broken:
    """Content on a disk that fails in the middle."""

    def open(self) -> BinaryIO:
        raise OSError(5, "Input/output error")


def test_what_cannot_be_read_is_no_fault_of_the_server_s(
    server: FaultyServer, transport: HttpTransport
) -> None:
    with pytest.raises(OSError, match="Input/output error"):
        put(transport, f"{server.url}/x", Broken(), 100)
    assert get(transport, f"{server.url}/y")


def test_a_connection_that_was_closed_is_not_used_again(transport: HttpTransport) -> None:
    gone = threading.Semaphore(0)
    with talking(_OK, _OK, gone=gone) as url:
        assert get(transport, url) == b"safe"
        assert gone.acquire(timeout=10)
        assert get(transport, url) == b"safe"


def test_an_answer_that_is_no_http(transport: HttpTransport) -> None:
    with talking(b"SSH-2.0-OpenSSH_9.2\r\n") as url, pytest.raises(TransportError) as caught:
        get(transport, url)
    assert caught.value.message.startswith(f"cannot reach {url.partition('//')[2]}: ")


def test_fields_that_come_twice_are_joined(transport: HttpTransport) -> None:
    head = b"HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nwww-authenticate: Bearer\r\n"
    with (
        talking(head + b"Content-Length: 0\r\n\r\n") as url,
        transport.send(Request(url=url)) as response,
    ):
        assert response.headers["WWW-Authenticate"] == "Basic, Bearer"


def test_a_redirect_may_be_written_as_people_write_names(
    server: FaultyServer, transport: HttpTransport
) -> None:
    server.on("/x", Answer(status=307, headers={"Location": "/a b?c=d%20e#f"}))
    get(transport, f"{server.url}/x")
    assert server.paths() == ["/x", "/a%20b?c=d%20e"]


def test_a_redirect_may_be_written_in_utf_8(server: FaultyServer, transport: HttpTransport) -> None:
    as_sent = "/b\xfc?q=\u20ac".encode().decode("latin-1")  # the test's server writes Latin-1
    server.on("/x", Answer(status=307, headers={"Location": as_sent}))
    get(transport, f"{server.url}/x")
    assert server.paths() == ["/x", "/b%C3%BC?q=%E2%82%AC"]


def test_a_header_in_latin_1_stays_what_it_is(transport: HttpTransport) -> None:
    head = b"HTTP/1.1 200 OK\r\nX: b\xfc\r\nX: \xe2\x82\xac\r\nContent-Length: 0\r\n\r\n"
    with talking(head) as url, transport.send(Request(url=url)) as response:
        assert response.headers["x"] == "b\xfc, \u20ac"


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_what_is_said_in_the_meantime_is_no_answer(transport: HttpTransport, status: str) -> None:
    meantime = f"HTTP/1.1 {status}\r\nLink: </style.css>\r\n\r\n".encode()
    with talking(meantime * 2 + _OK) as url, transport.send(Request(url=url)) as response:
        assert (response.status, response.read(100)) == (200, b"safe")
        assert "link" not in response.headers


def test_a_change_of_protocol_is_an_answer(transport: HttpTransport) -> None:
    """Nobody asked for it, and no HTTP comes after it."""
    said = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: other\r\n\r\n"
    with talking(said) as url, transport.send(Request(url=url)) as response:
        assert response.status == 101


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_who_only_asks_whether_tls_is_spoken_needs_no_authorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("no certificates")
    monkeypatch.setenv("SSL_CERT_FILE", str(junk))
    certificates = Certificates.make(tmp_path / "tls")
    with (
        serving(certificates.server_context(wants_client=False)) as site,
        HttpTransport(host=site.host) as transport,
    ):
        assert get(transport, site.url, verifies=False) == b"safe"
        with pytest.raises(TransportError, match="cannot set up HTTP from this environment"):
            get(transport, site.url)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificates")
def test_what_nobody_verified_is_not_kept_for_what_matters(tmp_path: Path) -> None:
    certificates = Certificates.make(tmp_path)
    with (
        serving(certificates.server_context(wants_client=False)) as site,
        HttpTransport(host=site.host) as transport,
    ):
        assert get(transport, site.url, verifies=False) == b"safe"
        with pytest.raises(TransportError, match="its TLS certificate is not trusted"):
            get(transport, site.url)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://HOST.test/x", ("http", "host.test", 80)),
        ("https://host.test:5000", ("https", "host.test", 5000)),
        ("http://[::1]:80/", ("http", "::1", 80)),
        ("https://me@host.test/", None),
        ("https://höst.test/", None),
        ("https://host..test/", None),
        ("http://host:port/", None),
        ("ftp://host/", None),
        ("/path", None),
    ],
)
def test_addresses_that_are_plain_to_read(url: str, origin: tuple[str, str, int] | None) -> None:
    assert origin_of(url) == origin
