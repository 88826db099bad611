import pytest

from builder.errors import SettingsError
from builder.registry.hosts import mirror_endpoint, registry_endpoint


@pytest.mark.parametrize(
    ("registry", "server"),
    [
        ("docker.io", "https://registry-1.docker.io"),
        ("ghcr.io", "https://ghcr.io"),
        ("registry.test:5000", "https://registry.test:5000"),
        ("localhost", "http://localhost"),
        ("localhost:5000", "http://localhost:5000"),
        ("127.0.0.1:5000", "http://127.0.0.1:5000"),
        ("[::1]:5000", "http://[::1]:5000"),
        ("[::1]", "http://[::1]"),
        ("[2001:db8::1]:5000", "https://[2001:db8::1]:5000"),
        ("127.0.0.1.example.com", "https://127.0.0.1.example.com"),
    ],
)
def test_a_registry_has_a_server(registry: str, server: str) -> None:
    assert str(registry_endpoint(registry)) == server


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("http://10.0.0.1:5000", "http://10.0.0.1:5000/v2/library/python/tags"),
        ("https://mirror.test/", "https://mirror.test/v2/library/python/tags"),
        ("http://127.0.0.1:5000/hub/", "http://127.0.0.1:5000/v2/hub/library/python/tags"),
        ("mirror.test/proxy/hub", "https://mirror.test/v2/proxy/hub/library/python/tags"),
        ("localhost:5000", "http://localhost:5000/v2/library/python/tags"),
        ("https://localhost:5000", "https://localhost:5000/v2/library/python/tags"),
    ],
)
def test_a_mirror_takes_the_place_of_the_registry(address: str, url: str) -> None:
    assert mirror_endpoint(address).url("library/python", "tags") == url


@pytest.mark.parametrize("address", ["", "http://", "ftp://x", "https://me:pw@host", "https://h?x"])
def test_what_is_no_mirror_is_refused(address: str) -> None:
    with pytest.raises(SettingsError, match="not the address of a mirror") as caught:
        mirror_endpoint(address)
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
        mirror_endpoint(address)
    assert caught.value.message == (
        "not the address of a mirror: 'mirror.test' with credentials before it; "
        "credentials are not taken in an address"
    )


def test_a_mirrors_query_is_not_shown() -> None:
    with pytest.raises(SettingsError) as caught:
        mirror_endpoint("https://mirror.test?token=hunter2")
    assert caught.value.message == "not the address of a mirror: 'https://mirror.test'"
