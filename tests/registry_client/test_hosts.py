from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from builder.errors import SettingsError
from builder.oci.reference import Reference
from builder.registry.hosts import Endpoint, Hosts, mirror_endpoint
from builder.settings import RegistrySettings
from builder.transport import Tls

HTTPS, EITHER = ("https",), ("https", "http")
UNVERIFIED = Tls(verify=False)
Reading = Callable[..., Hosts]


@pytest.fixture
def reading(tmp_path: Path) -> Reading:
    """What is configured on a machine that has nothing but the files given."""

    def read(files: dict[str, str] | None = None, **settings: Any) -> Hosts:
        for name, text in (files or {}).items():
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_text(text)
        chosen = RegistrySettings(**settings)
        return Hosts.read(chosen, {"HOME": str(tmp_path / "home")}, etc=tmp_path / "etc")

    return read


def pull(hosts: Hosts, name: str) -> list[str]:
    return [str(endpoint) for endpoint in hosts.pull_endpoints(Reference.parse(name))]


def push(hosts: Hosts, name: str) -> Endpoint:
    return hosts.push_endpoint(Reference.parse(name))


@pytest.mark.parametrize(
    ("name", "schemes", "host", "repository"),
    [
        ("python:3.12", HTTPS, "registry-1.docker.io", "library/python"),
        ("docker.io/team/app", HTTPS, "registry-1.docker.io", "team/app"),
        ("ghcr.io/team/app@sha256:" + 64 * "0", HTTPS, "ghcr.io", "team/app"),
        ("r.test:5000/app", HTTPS, "r.test:5000", "app"),
        ("localhost/app", EITHER, "localhost", "app"),
        ("localhost:5000/app", EITHER, "localhost:5000", "app"),
        ("127.0.0.1:5000/app", EITHER, "127.0.0.1:5000", "app"),
        ("127.1.2.3/app", EITHER, "127.1.2.3", "app"),
        ("[::1]:5000/app", EITHER, "[::1]:5000", "app"),
        ("[::1]/app", EITHER, "[::1]", "app"),
        ("[2001:db8::1]:5000/app", HTTPS, "[2001:db8::1]:5000", "app"),
        ("127.0.0.1.example.com/app", HTTPS, "127.0.0.1.example.com", "app"),
        ("localhost.example.com/app", HTTPS, "localhost.example.com", "app"),
    ],
)
def test_an_image_lies_where_its_name_says(
    reading: Reading, name: str, schemes: tuple[str, ...], host: str, repository: str
) -> None:
    hosts = reading()
    endpoint = Endpoint(schemes=schemes, host=host, repository=repository)
    assert push(hosts, name) == endpoint
    assert hosts.pull_endpoints(Reference.parse(name)) == (endpoint,)
    assert endpoint.url("tags/list") == f"https://{host}/v2/{repository}/tags/list"


def test_nothing_is_read_for_a_user_without_a_home(tmp_path: Path) -> None:
    assert pull(Hosts.read(RegistrySettings(), {}, etc=tmp_path), "r.test/a") == [
        "https://r.test/a"
    ]


@pytest.mark.parametrize(
    ("address", "url", "schemes"),
    [
        ("http://10.0.0.1:5000", "http://10.0.0.1:5000/v2/library/python/tags", ("http",)),
        ("https://mirror.test/", "https://mirror.test/v2/library/python/tags", HTTPS),
        ("http://127.0.0.1:5/hub/", "http://127.0.0.1:5/v2/hub/library/python/tags", ("http",)),
        ("mirror.test/proxy/hub", "https://mirror.test/v2/proxy/hub/library/python/tags", HTTPS),
        ("localhost:5000", "https://localhost:5000/v2/library/python/tags", EITHER),
        ("https://localhost:5000", "https://localhost:5000/v2/library/python/tags", HTTPS),
        ("docker.io", "https://registry-1.docker.io/v2/library/python/tags", HTTPS),
    ],
)
def test_a_mirror_takes_the_place_of_the_registry(
    reading: Reading, address: str, url: str, schemes: tuple[str, ...]
) -> None:
    endpoint = mirror_endpoint(address, "library/python")
    assert endpoint.url("tags") == url
    assert endpoint.schemes == schemes
    assert reading().mirror(address, "library/python") == endpoint


@pytest.mark.parametrize("address", ["", "http://", "ftp://x", "https://me:pw@host", "https://h?x"])
def test_what_is_no_mirror_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="not the address of a mirror") as caught:
        mirror_endpoint(address, "x")
    assert "http://127.0.0.1:5000/prefix" in (caught.value.hint or "")


@pytest.mark.parametrize(
    "address",
    [
        "https://me:hunter2@mirror.test",
        "me:hunter2@mirror.test/prefix",
        "https://me:hun/ter2@mirror.test?token=hunter2",
        "https://me:hunter2@also:hunter2@mirror.test/",
    ],
)
def test_a_mirrors_password_is_not_shown(address: str) -> None:
    with pytest.raises(SettingsError) as caught:
        mirror_endpoint(address, "x")
    assert caught.value.message == (
        "not the address of a mirror: 'mirror.test' with credentials before it; "
        "credentials are not taken in an address"
    )


def test_a_mirrors_query_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        mirror_endpoint("https://mirror.test?token=hunter2", "x")
    assert caught.value.message == "not the address of a mirror: 'https://mirror.test'"


MIRRORED = """
[[registry]]
prefix = "r.test/foo"
location = "inner.test/bar"
[[registry.mirror]]
location = "a.test/for-foo"
[[registry.mirror]]
location = "b.test"
insecure = true
pull-from-mirror = "digest-only"
"""


def test_mirrors_come_before_the_origin(reading: Reading) -> None:
    hosts = reading({"home/.config/containers/registries.conf": MIRRORED})
    assert pull(hosts, "r.test/foo/app:1") == [
        "https://a.test/for-foo/app",
        "https://inner.test/bar/app",
    ]
    digest = f"sha256:{64 * '0'}"
    endpoints = hosts.pull_endpoints(Reference.parse(f"r.test/foo/app@{digest}"))
    assert [endpoint.host for endpoint in endpoints] == ["a.test", "b.test", "inner.test"]
    assert [endpoint.tls.verify for endpoint in endpoints] == [True, False, True]
    assert endpoints[1].schemes == EITHER
    assert pull(hosts, "r.test/other") == ["https://r.test/other"]


def test_a_push_goes_where_the_name_says(reading: Reading) -> None:
    hosts = reading({"etc/containers/registries.conf": MIRRORED})
    assert str(push(hosts, "r.test/foo/app")) == "https://r.test/foo/app"


def test_what_is_blocked_is_neither_pulled_nor_pushed(reading: Reading) -> None:
    file = "etc/containers/registries.conf.d/no.conf"
    hosts = reading({file: '[[registry]]\nlocation = "docker.io/team"\nblocked = true\n'})
    assert pull(hosts, "python") == ["https://registry-1.docker.io/library/python"]
    for ask in (pull, push):
        with pytest.raises(SettingsError) as caught:
            ask(hosts, "team/app")
        assert caught.value.message.startswith("docker.io/team/app is blocked: ")
        assert caught.value.message.endswith(f"/{file} says so of docker.io/team")


@pytest.mark.parametrize("location", ["inner/bar", "inner.test:x", "inner.test/BAR", "i.test/a:1"])
def test_a_location_that_leads_nowhere_is_refused(reading: Reading, location: str) -> None:
    text = f'[[registry]]\nprefix = "r.test"\nlocation = "{location}"\n'
    hosts = reading({"etc/containers/registries.conf": text})
    with pytest.raises(SettingsError) as caught:
        pull(hosts, "r.test/app")
    assert "/registries.conf: registry r.test leads to " in caught.value.message
    assert caught.value.hint


def test_a_location_may_be_docker_hub(reading: Reading) -> None:
    text = '[[registry]]\nprefix = "r.test"\nlocation = "docker.io"\n'
    hosts = reading({"etc/containers/registries.conf": text})
    assert pull(hosts, "r.test/python") == ["https://registry-1.docker.io/library/python"]


def test_the_file_that_is_named_counts(reading: Reading, tmp_path: Path) -> None:
    files = {
        "etc/containers/registries.conf": MIRRORED,
        "mine.conf": '[[registry]]\nprefix = "r.test"\nlocation = "mine.test"\n',
        "theirs.conf": '[[registry]]\nprefix = "r.test"\nlocation = "theirs.test"\n',
    }
    hosts = reading(files, conf=str(tmp_path / "mine.conf"))
    assert pull(hosts, "r.test/foo/app") == ["https://mine.test/foo/app"]
    environ = {"CONTAINERS_REGISTRIES_CONF": str(tmp_path / "theirs.conf")}
    theirs = Hosts.read(RegistrySettings(), environ, etc=tmp_path / "etc")
    assert pull(theirs, "r.test/foo/app") == ["https://theirs.test/foo/app"]
    both = Hosts.read(RegistrySettings(conf=str(tmp_path / "mine.conf")), environ, etc=tmp_path)
    assert pull(both, "r.test/foo/app") == ["https://mine.test/foo/app"]


def test_xdg_config_home_counts(tmp_path: Path) -> None:
    (tmp_path / "xdg/containers").mkdir(parents=True)
    (tmp_path / "xdg/containers/registries.conf").write_text(MIRRORED)
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "xdg")}
    hosts = Hosts.read(RegistrySettings(), environ, etc=tmp_path / "etc")
    assert len(pull(hosts, "r.test/foo/app")) == 2


def test_dockers_mirrors_are_for_docker_hub_and_come_last(reading: Reading) -> None:
    hosts = reading(
        {
            "etc/docker/daemon.json": '{"registry-mirrors": ["http://m.test:5000", "n.test/p"]}',
            "etc/containers/registries.conf": (
                '[[registry]]\nlocation = "docker.io"\n[[registry.mirror]]\nlocation = "a.test"\n'
                '[[registry]]\nprefix = "docker.io/moved"\nlocation = "moved.test"\n'
            ),
        }
    )
    assert pull(hosts, "python") == [
        "https://a.test/library/python",
        "http://m.test:5000/library/python",
        "https://n.test/p/library/python",
        "https://registry-1.docker.io/library/python",
    ]
    assert pull(hosts, "r.test/app") == ["https://r.test/app"]
    assert pull(hosts, "moved/app") == ["https://moved.test/app"]


def test_insecure_by_every_way(reading: Reading) -> None:
    hosts = reading(
        {
            "home/.config/docker/daemon.json": '{"insecure-registries": ["rootless.test"]}',
            "etc/docker/daemon.json": '{"insecure-registries": ["10.0.0.0/8"]}',
            "etc/containers/registries.conf": '[[registry]]\nlocation = "c.test"\ninsecure=true\n',
        },
        insecure=("named.test:5000",),
    )
    for host in ("rootless.test", "10.1.1.1:5000", "c.test", "named.test:5000"):
        endpoint = Endpoint(schemes=EITHER, host=host, repository="app", tls=UNVERIFIED)
        assert push(hosts, f"{host}/app") == endpoint
        assert hosts.pull_endpoints(Reference.parse(f"{host}/app")) == (endpoint,)
        assert hosts.mirror(host, "app") == endpoint
        by_https = hosts.mirror(f"https://{host}", "app")
        assert (by_https.schemes, by_https.tls) == (HTTPS, UNVERIFIED)
    for host in ("named.test", "other.test:5000", "11.1.1.1"):
        assert push(hosts, f"{host}/app").tls == Tls()


def test_certificates_go_with_their_host(reading: Reading, tmp_path: Path) -> None:
    certs = tmp_path / "certs"
    files = {
        f"certs/{host}/{name}": ""
        for host in ("r.test:5000", "localhost:5000", "docker.io", "bad.test")
        for name in ("ca.crt", "me.cert", "me.key")
    }
    hosts = reading(files, certs=str(certs), insecure=("bad.test",))

    def kept(host: str, *, verify: bool = True) -> Tls:
        pair = (certs / host / "me.cert", certs / host / "me.key")
        return Tls(authorities=(certs / host / "ca.crt",), certificates=(pair,), verify=verify)

    assert push(hosts, "r.test:5000/app").tls == kept("r.test:5000")
    assert push(hosts, "r.test/app").tls == Tls()
    assert push(hosts, "team/app").tls == kept("docker.io")
    assert hosts.mirror("https://r.test:5000/x", "app").tls == kept("r.test:5000")
    here = push(hosts, "localhost:5000/app")
    assert (here.schemes, here.tls) == (HTTPS, kept("localhost:5000"))
    assert push(hosts, "bad.test/app").tls == kept("bad.test", verify=False)
