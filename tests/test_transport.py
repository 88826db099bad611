import shutil
import socket
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from builder.errors import TransportError
from builder.transport import Headers, HttpTransport, Request
from layers.entries import BytesContent
from tests.registry_client.fake import Answer, FaultyServer, closed_port, faulty_server


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with faulty_server() as running:
        yield running


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport(connect_seconds=0.5, read_seconds=0.5) as opened:
        yield opened


def get(transport: HttpTransport, url: str) -> bytes:
    with transport.send(Request(url=url)) as response:
        return response.read(1 << 20)


def failure(transport: HttpTransport, url: str) -> TransportError:
    with pytest.raises(TransportError) as caught:
        get(transport, url)
    return caught.value


def test_the_library_is_not_imported_before_a_connection_is_wanted() -> None:
    code = "import sys, builder.base.find; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_header_names_have_no_case() -> None:
    headers = Headers({"Content-Type": "x"})
    assert headers["content-TYPE"] == headers.get("Content-type") == "x"
    assert headers.get("other") is None
    assert dict(headers) == {"content-type": "x"}


def test_a_body_is_read_in_pieces_and_to_a_limit(
    server: FaultyServer, transport: HttpTransport
) -> None:
    server.on("/x", Answer(body=bytes(range(256)) * 1000))
    with transport.send(Request(url=f"{server.url}/x")) as response:
        assert response.status == 200
        assert response.read(10) == bytes(range(10))
        assert response.body.read(5) == bytes(range(10, 15))
        assert len(response.body.read()) == 256_000 - 15
        assert response.body.read(1) == b""


def test_an_encoded_body_is_left_as_it_is(server: FaultyServer, transport: HttpTransport) -> None:
    server.on("/x", Answer(body=b"\x1f\x8bwhatever", headers={"Content-Encoding": "gzip"}))
    assert get(transport, f"{server.url}/x") == b"\x1f\x8bwhatever"


def test_any_status_is_an_answer(server: FaultyServer, transport: HttpTransport) -> None:
    with transport.send(Request(url=f"{server.url}/nothing")) as response:
        assert response.status == 404


def test_a_redirect_to_another_host_gets_no_authorization(
    server: FaultyServer, transport: HttpTransport
) -> None:
    with faulty_server() as other:
        server.on("/x", Answer(status=307, headers={"Location": "/y"}))
        server.on("/y", Answer(status=302, headers={"Location": f"{other.url}/z"}))
        other.on("/z", Answer(body=b"here"))
        request = Request(url=f"{server.url}/x", headers={"Authorization": "Bearer t"})
        with transport.send(request) as response:
            assert response.read(100) == b"here"
        assert [a.headers.get("authorization") for a in server.asked] == ["Bearer t", "Bearer t"]
        assert "authorization" not in other.asked[0].headers


def test_redirects_in_a_circle_are_refused(server: FaultyServer, transport: HttpTransport) -> None:
    server.on("/x", Answer(status=302, headers={"Location": "/x"}))
    assert failure(transport, f"{server.url}/x").message == (
        "127.0.0.1 redirected more than 5 times"
    )
    assert len(server.asked) == 6


@pytest.mark.parametrize("body", [b"data", BytesContent(b"data")])
def test_a_body_can_be_sent(
    server: FaultyServer, transport: HttpTransport, body: bytes | BytesContent
) -> None:
    server.on("/x", Answer(status=201))
    request = Request(
        url=f"{server.url}/x", method="PUT", headers={"Content-Length": "4"}, body=body
    )
    for _ in range(2):
        with transport.send(request) as response:
            assert response.status == 201
    assert [(a.method, a.body) for a in server.asked] == [("PUT", b"data")] * 2


def test_nobody_listens(transport: HttpTransport) -> None:
    host = closed_port()
    error = failure(transport, f"http://{host}/health")
    assert error.message == f"cannot reach {host}: connection refused"
    assert error.transient
    assert error.unreached
    assert (error.hint or "").startswith("check the name and the network")


@pytest.mark.parametrize("number", [socket.EAI_NONAME, socket.EAI_AGAIN])
def test_a_name_that_cannot_be_resolved(
    transport: HttpTransport, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise socket.gaierror(number, "nobody knows it")

    monkeypatch.setattr(socket, "getaddrinfo", fail)
    error = failure(transport, "http://127.0.0.1:1/")
    assert error.message == (
        "cannot reach 127.0.0.1:1: its name cannot be resolved (nobody knows it)"
    )
    assert error.transient == (number == socket.EAI_AGAIN)
    assert error.unreached


def test_a_server_that_never_answers(transport: HttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        error = failure(transport, f"http://{host}/")
    assert error.message == f"{host} stopped answering: time-out"
    assert not error.transient
    assert not error.unreached


def test_a_server_that_takes_no_connection(transport: HttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
        address = full.getsockname()
        waiting = [socket.socket() for _ in range(4)]
        for connection in waiting:
            connection.settimeout(0)
            connection.connect_ex(address)
        error = failure(transport, f"http://127.0.0.1:{address[1]}/")
        for connection in waiting:
            connection.close()
    assert "it did not take the connection in time" in error.message
    assert error.unreached


def test_a_server_that_takes_a_connection_and_says_nothing_of_tls(
    transport: HttpTransport,
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = failure(transport, f"https://127.0.0.1:{silent.getsockname()[1]}/")
    assert "it did not take the connection in time" in error.message
    assert not error.unreached


def test_a_redirect_to_nobody(server: FaultyServer, transport: HttpTransport) -> None:
    away = Answer(status=302, headers={"Location": f"http://{closed_port()}/"})
    server.on("/x", away)
    for _ in range(2):  # the second time, the connection is there already
        assert not failure(transport, f"{server.url}/x").unreached


def test_a_server_that_hangs_up(transport: HttpTransport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_hang_up, args=(server,))
        thread.start()
        host = f"127.0.0.1:{server.getsockname()[1]}"
        error = failure(transport, f"http://{host}/")
        thread.join()
    assert error.message.startswith(f"cannot reach {host}: ")
    assert error.transient
    assert not error.unreached


def _hang_up(listening: socket.socket) -> None:
    connection, _ = listening.accept()
    connection.close()


def test_a_body_that_breaks_off(server: FaultyServer, transport: HttpTransport) -> None:
    server.on("/x", Answer(body=b"half", promised=4))
    error = failure(transport, f"{server.url}/x")
    assert error.transient
    assert server.host in error.message


def test_plain_http_where_tls_was_wanted(server: FaultyServer, transport: HttpTransport) -> None:
    error = failure(transport, f"https://{server.host}/")
    assert error.message.startswith(f"{server.host}: no TLS connection: ")
    assert "http://" in (error.hint or "")
    assert not error.unreached


@pytest.mark.parametrize("url", ["ftp://host/x", "http://[::1/", "nothing"])
def test_what_is_no_url(transport: HttpTransport, url: str) -> None:
    with pytest.raises(TransportError):
        get(transport, url)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("ftp://me:hunter2@host.test/x?key=hunter2", "host.test"),
        ("ftp://host.test?key=hunter2@x", "host.test"),
        ("http://me:hunter2@host.test:port/", "host.test:port"),
        ("?key=hunter2", "an address without a host"),
    ],
)
def test_an_address_is_shown_by_its_host_alone(
    transport: HttpTransport, url: str, shown: str
) -> None:
    assert (
        failure(transport, url).message == f"cannot ask {shown}: no http address that can be read"
    )


@pytest.mark.parametrize("host", ["a..test", f"{'a' * 64}.test"])
def test_a_name_that_cannot_be_one_is_no_bug(
    server: FaultyServer, transport: HttpTransport, host: str
) -> None:
    wanted = f"cannot ask {host}: no http address that can be read"
    assert failure(transport, f"http://{host}/").message == wanted
    server.on("/x", Answer(status=302, headers={"Location": f"http://{host}/"}))
    assert failure(transport, f"{server.url}/x").message == wanted


@pytest.mark.parametrize("location", ["http://[::1/", "http://[x]/", "//[::1/"])
def test_a_redirect_to_no_address(
    server: FaultyServer, transport: HttpTransport, location: str
) -> None:
    server.on("/x", Answer(status=302, headers={"Location": location}))
    error = failure(transport, f"{server.url}/x")
    assert error.message == (f"{server.host} redirects to what is no http address that can be read")


def test_a_proxy_is_not_asked_for_this_machine(
    server: FaultyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "http_proxy"):
        monkeypatch.setenv(name, f"http://{closed_port()}")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    server.on("/x", Answer(body=b"direct"))
    with HttpTransport() as transport:
        assert get(transport, f"{server.url}/x") == b"direct"
        error = failure(transport, "http://registry.test/")
    assert "the proxy that HTTPS_PROXY or HTTP_PROXY names" in (error.hint or "")


def test_a_missing_certificate_file_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    with pytest.raises(TransportError, match="cannot set up HTTP") as caught:
        HttpTransport()
    assert "SSL_CERT_FILE" in (caught.value.hint or "")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl makes the certificate")
def test_an_own_authority_is_trusted_by_ssl_cert_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair = tmp_path / "pair.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost"]
    names = ["-addext", "subjectAltName=DNS:localhost"]
    files = ["-keyout", str(pair), "-out", str(tmp_path / "c.pem")]
    subprocess.run([*request, *names, *files], check=True, capture_output=True)
    pair.write_bytes(pair.read_bytes() + (tmp_path / "c.pem").read_bytes())
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        url = f"https://localhost:{listening.getsockname()[1]}/"
        thread = threading.Thread(target=_serve_tls, args=(listening, context))
        thread.start()
        with HttpTransport() as stranger:
            error = failure(stranger, url)
        assert "its TLS certificate is not trusted: " in error.message
        assert not error.transient
        assert not error.unreached
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "c.pem"))
        with HttpTransport() as trusting:
            assert get(trusting, url) == b"safe"
        thread.join()


def _serve_tls(listening: socket.socket, context: ssl.SSLContext) -> None:
    for _ in range(2):
        connection, _ = listening.accept()
        with closing(connection):
            try:
                with context.wrap_socket(connection, server_side=True) as tls:
                    tls.recv(4096)
                    tls.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsafe")
            except ssl.SSLError:
                continue
