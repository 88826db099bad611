"""A connection costs a handshake, so that it is used again wherever HTTP lets it."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from time import sleep

import pytest

from builder.errors import TransportError
from builder.transport import HttpTransport, Request
from layers.entries import BytesContent
from tests.registry_client.serving import Handler, Server, running

LONG = 1 << 20


@dataclass(slots=True)
class Site:
    """A server; its answers by path, and the client's port of every request."""

    url: str = ""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = field(default_factory=dict)
    asked: list[tuple[str, str, bytes, int]] = field(default_factory=list)
    seconds: float = 0

    @property
    def connections(self) -> int:
        return len({port for *_, port in self.asked})


@pytest.fixture
def site() -> Iterator[Site]:
    found = Site()

    class Answering(Handler):
        def do_GET(self) -> None:  # noqa: N802 - the names that the base class looks for
            port = self.client_address[1]
            found.asked.append((self.command, self.path, self.read_body(), port))
            sleep(found.seconds)
            self.answer(*found.answers.get(self.path, (404, {}, b"nothing here")))

        do_HEAD = do_GET  # noqa: N815
        do_PATCH = do_GET  # noqa: N815
        do_POST = do_GET  # noqa: N815
        do_PUT = do_GET  # noqa: N815

    server = Server(Answering, None)
    found.url = server.url
    with running(server):
        yield found


@pytest.fixture
def transport() -> Iterator[HttpTransport]:
    with HttpTransport(connect_seconds=1, read_seconds=1) as opened:
        yield opened


def test_what_is_not_read_does_not_cost_a_connection(site: Site, transport: HttpTransport) -> None:
    site.answers["/small"] = (200, {}, b"x" * 5000)
    site.answers["/blob"] = (200, {"Content-Length": str(LONG)}, b"x" * LONG)
    site.answers["/away"] = (302, {"Location": "/small"}, b"it is elsewhere")
    site.answers["/refused"] = (401, {}, b"who are you?")
    for method, path in [
        *(("HEAD", "/blob"), ("HEAD", "/none"), ("GET", "/small"), ("GET", "/away")),
        *(("GET", "/refused"), ("POST", "/refused"), ("GET", "/none"), ("GET", "/blob")),
    ]:
        with transport.send(Request(url=f"{site.url}{path}", method=method)):
            pass
    assert [path for _, path, _, _ in site.asked].count("/small") == 2
    assert site.connections == 1


def test_what_is_read_to_its_last_byte_does_not_either(
    site: Site, transport: HttpTransport
) -> None:
    site.answers["/blob"] = (200, {}, b"x" * LONG)
    for _ in range(2):
        with transport.send(Request(url=f"{site.url}/blob")) as response:
            left = LONG
            while left:
                left -= len(response.body.read(left))
    assert site.connections == 1


def test_a_long_rest_does(site: Site, transport: HttpTransport) -> None:
    site.answers["/blob"] = (200, {}, b"x" * LONG)
    for _ in range(2):
        with transport.send(Request(url=f"{site.url}/blob")) as response:
            assert response.body.read(10) == b"x" * 10
    assert site.connections == 2


@pytest.mark.parametrize("status", [307, 308])
@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH"])
@pytest.mark.parametrize("body", [b"data", BytesContent(b"data"), None])
def test_a_redirect_that_keeps_the_method_is_followed_with_the_body(
    site: Site,
    transport: HttpTransport,
    status: int,
    method: str,
    body: bytes | BytesContent | None,
) -> None:
    site.answers["/x"] = (status, {"Location": "/y"}, b"")
    site.answers["/y"] = (201, {}, b"")
    headers = {"Content-Length": "4"} if body else {}
    request = Request(url=f"{site.url}/x", method=method, headers=headers, body=body)
    with transport.send(request) as response:
        assert response.status == 201
    sent = b"data" if body else b""
    assert [asked[:3] for asked in site.asked] == [(method, "/x", sent), (method, "/y", sent)]
    assert site.connections == 1


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirect_that_would_make_another_request_is_an_answer(
    site: Site, transport: HttpTransport, status: int
) -> None:
    site.answers["/x"] = (status, {"Location": "/y"}, b"")
    request = Request(url=f"{site.url}/x", method="PUT", body=b"data")
    with transport.send(request) as response:
        assert response.status == status
        assert response.headers["location"] == "/y"
    assert len(site.asked) == 1


def test_a_server_may_take_its_time_with_what_was_put_there(site: Site) -> None:
    site.seconds = 0.4
    site.answers["/x"] = (201, {}, b"")
    with HttpTransport(read_seconds=0.1, commit_seconds=10) as patient:
        put = Request(url=f"{site.url}/x", method="PUT", body=b"data")
        with patient.send(put) as response:
            assert response.status == 201
        with pytest.raises(TransportError, match="time-out"):
            patient.send(Request(url=f"{site.url}/x"))
