import shutil
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import TransportError
from builder.transport import HttpTransport, Request, Tls
from layers.entries import BytesContent
from tests.registry_client.certificates import Certificates
from tests.registry_client.fake import faulty_server
from tests.registry_client.serving import Handler, Server, running

pytestmark = pytest.mark.skipif(
    shutil.which("openssl") is None, reason="openssl makes the certificates"
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One request, and what its connection showed of who sent it."""

    path: str
    body: bytes
    authorization: str | None
    has_certificate: bool


@dataclass(slots=True)
class Site:
    """A server with TLS; where it redirects to, by path."""

    host: str = ""
    redirects: dict[str, str] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"https://{self.host}"


@contextmanager
def serving(context: ssl.SSLContext) -> Iterator[Site]:
    site = Site()

    class Answering(Handler):
        def do_GET(self) -> None:  # noqa: N802 - the names that the base class looks for
            assert isinstance(self.connection, ssl.SSLSocket)
            shown = bool(self.connection.getpeercert())
            authorization = self.headers.get("Authorization")
            site.seen.append(Seen(self.path, self.read_body(), authorization, shown))
            if to := site.redirects.get(self.path):
                self.answer(307, {"Location": to}, b"elsewhere")
            else:
                self.answer(200, {}, b"safe")

        do_POST = do_GET  # noqa: N815
        do_PUT = do_GET  # noqa: N815
        do_HEAD = do_GET  # noqa: N815

    server = Server(Answering, context)
    site.host = server.host
    with running(server):
        yield site


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def strangers(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.make(tmp_path_factory.mktemp("strangers"))


@pytest.fixture
def site(certificates: Certificates) -> Iterator[Site]:
    with serving(certificates.server_context(wants_client=False)) as running_site:
        yield running_site


@pytest.fixture
def strict(certificates: Certificates) -> Iterator[Site]:
    with serving(certificates.server_context(wants_client=True)) as running_site:
        yield running_site


def trusting(certificates: Certificates) -> Tls:
    return Tls(authorities=(certificates.authority.certificate,))


def known(certificates: Certificates) -> Tls:
    pair = (certificates.client.certificate, certificates.client.key)
    return Tls(authorities=(certificates.authority.certificate,), certificates=(pair,))


def get(transport: HttpTransport, url: str, **headers: str) -> bytes:
    with transport.send(Request(url=url, headers=headers)) as response:
        return response.read(100)


def failure(url: str, tls: Tls | None = None, host: str | None = None) -> TransportError:
    with (
        HttpTransport(tls=tls, host=host, connect_seconds=1, read_seconds=1) as transport,
        pytest.raises(TransportError) as caught,
    ):
        get(transport, url)
    return caught.value


def test_an_authority_is_trusted_beside_others(site: Site, certificates: Certificates) -> None:
    error = failure(site.url)
    assert error.message.startswith(f"{site.host}: its TLS certificate is not trusted: ")
    assert f"certs.d/{site.host}" in (error.hint or "")
    assert not error.transient
    assert not error.plain_http
    with HttpTransport(tls=trusting(certificates), host=site.host) as transport:
        assert get(transport, site.url) == b"safe"


def test_an_authority_does_not_take_the_place_of_the_environments(
    site: Site,
    certificates: Certificates,
    strangers: Certificates,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificates.authority.certificate))
    with (
        serving(strangers.server_context(wants_client=False)) as other,
        HttpTransport(tls=trusting(strangers), host=other.host) as transport,
    ):
        assert get(transport, site.url) == get(transport, other.url) == b"safe"


def test_a_client_shows_its_certificate(strict: Site, certificates: Certificates) -> None:
    with HttpTransport(tls=known(certificates), host=strict.host) as transport:
        assert get(transport, strict.url) == b"safe"
    assert strict.seen[0].has_certificate


def test_of_several_certificates_of_a_kind_the_first_is_shown(
    strict: Site, certificates: Certificates, strangers: Certificates
) -> None:
    mine, other = known(certificates).certificates, known(strangers).certificates
    authorities = (certificates.authority.certificate,)
    with HttpTransport(
        tls=Tls(authorities=authorities, certificates=(*mine, *other)), host=strict.host
    ) as transport:
        assert get(transport, strict.url) == b"safe"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_certificate_that_does_not_let_in(
    certificates: Certificates, strangers: Certificates, version: ssl.TLSVersion
) -> None:
    context = certificates.server_context(wants_client=True)
    context.maximum_version = version
    tls = Tls(
        authorities=trusting(certificates).authorities, certificates=known(strangers).certificates
    )
    with serving(context) as strict:
        error = failure(strict.url, tls, strict.host)
    assert error.message.startswith(
        f"{strict.host} does not let this client in by its TLS certificate: "
    )
    assert f"certs.d/{strict.host} " in (error.hint or "")


def test_a_certificate_that_is_missing(strict: Site, certificates: Certificates) -> None:
    error = failure(strict.url, trusting(certificates), strict.host)
    assert error.message == (
        f"{strict.host} does not let this client in by its TLS certificate: "
        "tlsv13 alert certificate required"
    )
    assert not error.transient
    assert not error.plain_http
    assert strict.seen == []


def test_an_unverified_host_is_taken_as_it_is(site: Site) -> None:
    with HttpTransport(tls=Tls(verify=False), host=site.host) as transport:
        assert get(transport, site.url) == b"safe"


@pytest.mark.parametrize("host", [None, "127.0.0.1", "127.0.0.1:1", "other.test"])
def test_nobody_but_the_host_is_left_unverified(site: Site, host: str | None) -> None:
    assert (
        "its TLS certificate is not trusted" in failure(site.url, Tls(verify=False), host).message
    )


def test_another_host_is_shown_nothing(strict: Site, certificates: Certificates) -> None:
    asking = certificates.server_context(wants_client=False)
    asking.verify_mode = ssl.CERT_OPTIONAL
    with serving(asking) as other:
        strict.redirects["/blob"] = f"{other.url}/away"
        with HttpTransport(tls=known(certificates), host=strict.host) as transport:
            for _ in range(2):
                assert get(transport, f"{strict.url}/blob", Authorization="Bearer t") == b"safe"
    assert [(seen.authorization, seen.has_certificate) for seen in strict.seen] == [
        ("Bearer t", True)
    ] * 2
    assert [(seen.authorization, seen.has_certificate) for seen in other.seen] == [
        (None, False)
    ] * 2


def test_another_host_is_verified(
    site: Site, certificates: Certificates, strangers: Certificates
) -> None:
    with serving(strangers.server_context(wants_client=False)) as other:
        site.redirects["/blob"] = f"{other.url}/away"
        tls = Tls(authorities=trusting(certificates).authorities, verify=False)
        error = failure(f"{site.url}/blob", tls, site.host)
    assert "its TLS certificate is not trusted" in error.message
    assert len(site.seen) == 1
    assert other.seen == []


def test_an_upload_follows_to_another_host_with_its_body(
    site: Site, certificates: Certificates
) -> None:
    with serving(certificates.server_context(wants_client=False)) as other:
        site.redirects["/upload"] = f"{other.url}/there"
        request = Request(
            url=f"{site.url}/upload",
            method="PUT",
            headers={"Content-Length": "4", "Authorization": "Basic x"},
            body=BytesContent(b"data"),
        )
        with (
            HttpTransport(tls=trusting(certificates), host=site.host) as transport,
            transport.send(request) as response,
        ):
            assert response.status == 200
    assert other.seen == [Seen("/there", b"data", None, has_certificate=False)]


@pytest.mark.parametrize(
    ("location", "host"),
    [
        ("http://127.0.0.1:1/x", "127.0.0.1"),
        ("HTTP://me:hunter2@127.0.0.1:1/x", "127.0.0.1"),
        (" http://127.0.0.1:1", "127.0.0.1"),
        ("http://b\xfccher.test/x", "b\xfccher.test"),
        ("http://localhost./x", "localhost."),
        ("http:/x", "no host"),
    ],
)
def test_nobody_follows_from_https_to_plain_http(
    site: Site, certificates: Certificates, location: str, host: str
) -> None:
    """However odd the address is; and what else is in it may be secret."""
    site.redirects["/blob"] = location
    error = failure(f"{site.url}/blob", trusting(certificates), site.host)
    assert error.message == (f"{site.host} redirects from https to plain http, to {host}; refused")


def test_plain_http_is_told_apart(certificates: Certificates) -> None:
    with faulty_server() as plain:
        error = failure(f"https://{plain.host}/", Tls(verify=False), plain.host)
        assert error.plain_http
        assert error.message.startswith(f"{plain.host}: no TLS connection: ")
        assert "insecure-registries" in (error.hint or "")
    context = certificates.server_context(wants_client=False)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # the server's key is of another kind
    with serving(context) as choosy:
        error = failure(choosy.url, trusting(certificates), choosy.host)
    assert error.message.startswith(f"{choosy.host}: no TLS connection: ")
    assert not error.plain_http


def test_files_that_cannot_be_used_are_named(tmp_path: Path, certificates: Certificates) -> None:
    junk, none, locked = tmp_path / "junk.pem", tmp_path / "none.pem", tmp_path / "locked.key"
    junk.write_text("no certificate")
    mine, other = certificates.client, certificates.server
    locked.write_text(
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    authority = "as a certificate authority: "
    client = "as a client certificate: "
    for tls, message in [
        (Tls(authorities=(junk,)), f"{junk} {authority}no certificate or crl found"),
        (Tls(authorities=(none,)), f"{none} {authority}No such file or directory"),
        (Tls(certificates=((none, mine.key),)), f"{none} {client}No such file or directory"),
        (Tls(certificates=((mine.certificate, none),)), f"{none} {client}No such file"),
        (Tls(certificates=((mine.certificate, junk),)), f"{mine.certificate} {client}"),
        (Tls(certificates=((mine.certificate, locked),)), f"{mine.certificate} {client}"),
        (
            Tls(certificates=((mine.certificate, other.key),)),
            f"{mine.certificate} {client}key values mismatch",
        ),
    ]:
        with pytest.raises(TransportError) as caught:
            HttpTransport(tls=tls, host="r.test")
        assert caught.value.message.startswith(f"cannot use {message}")
        assert "PEM" in (caught.value.hint or "")


@contextmanager
def tunnelling(to: str) -> Iterator[str]:
    """A proxy that takes every host for ``to``."""
    address, _, port = to.partition(":")

    class Tunnel(Handler):
        def do_CONNECT(self) -> None:  # noqa: N802 - the name that the base class looks for
            self.send_response_only(200)
            self.end_headers()
            with socket.create_connection((address, int(port))) as there:
                back = threading.Thread(target=pump, args=(there, self.connection))
                back.start()
                pump(self.connection, there)
                back.join()
            self.close_connection = True

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(data)
        with suppress(OSError):
            target.shutdown(socket.SHUT_WR)

    server = Server(Tunnel, None)
    with running(server):
        yield server.url


def test_a_proxy_of_the_environments_lies_between(
    strict: Site, certificates: Certificates, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    pair = (certificates.client.certificate, certificates.client.key)
    tls = Tls(certificates=(pair,), verify=False)  # the name is not in the certificate
    with tunnelling(strict.host) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        with HttpTransport(tls=tls, host="registry.test") as transport:
            assert get(transport, "https://registry.test/x") == b"safe"
    assert strict.seen[0].has_certificate
