import os
from pathlib import Path

import pytest

from builder.errors import SettingsError
from builder.registry.certs import CertDirectories
from builder.transport import Tls

HOST = "registry.test:5000"


@pytest.fixture
def places(tmp_path: Path) -> CertDirectories:
    named, own, etc = tmp_path / "named", tmp_path / "own", tmp_path / "etc"
    named.mkdir()
    return CertDirectories.of(str(named), own, etc)


def test_a_directory_that_was_named_has_to_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="there is no such directory"):
        CertDirectories.of(str(tmp_path / "none"), None, tmp_path)


def put(directory: Path, *names: str) -> Path:
    directory.mkdir(parents=True)
    for name in names:
        (directory / name).write_text("not looked into before it is used")
    return directory


def test_a_directory_holds_authorities_and_pairs(tmp_path: Path, places: CertDirectories) -> None:
    names = ("b.crt", "a.crt", "me.cert", "me.key", "also.me.key", "also.me.cert", "readme.txt")
    kept = put(tmp_path / "named" / HOST, *names)
    (kept / "gone.crt").symlink_to(tmp_path / "nothing")
    assert places.find(HOST) == Tls(
        authorities=(kept / "a.crt", kept / "b.crt"),
        certificates=(
            (kept / "also.me.cert", kept / "also.me.key"),
            (kept / "me.cert", kept / "me.key"),
        ),
    )


def test_the_first_place_that_has_the_host_counts(tmp_path: Path, places: CertDirectories) -> None:
    assert places.find(HOST) is None
    in_order = [
        *(tmp_path / "named", tmp_path / "own/certs.d"),
        *(tmp_path / "etc/containers/certs.d", tmp_path / "etc/docker/certs.d"),
    ]
    for place in reversed(in_order):
        kept = put(place / HOST, "ca.crt")
        assert places.find(HOST) == Tls(authorities=(kept / "ca.crt",))
    assert places.find("registry.test") is None


def test_an_empty_directory_is_one_nevertheless(tmp_path: Path, places: CertDirectories) -> None:
    put(tmp_path / "own/certs.d" / HOST)
    put(tmp_path / "etc/docker/certs.d" / HOST, "ca.crt")
    assert places.find(HOST) == Tls()


def test_without_a_home_and_a_setting_the_systems_are_left(tmp_path: Path) -> None:
    assert CertDirectories.of(None, None, tmp_path).places == (
        tmp_path / "containers/certs.d",
        tmp_path / "docker/certs.d",
    )


@pytest.mark.parametrize(("there", "missing"), [("me.cert", "me.key"), ("me.key", "me.cert")])
def test_half_a_pair_is_refused(
    tmp_path: Path, places: CertDirectories, there: str, missing: str
) -> None:
    kept = put(tmp_path / "named" / HOST, there, "other.cert", "other.key")
    with pytest.raises(SettingsError) as caught:
        places.find(HOST)
    assert caught.value.message.startswith(f"{kept} has {there} without {missing}; expected both")
    assert ".crt" in (caught.value.hint or "")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_of_another_users_is_passed_over(
    tmp_path: Path, places: CertDirectories
) -> None:
    put(tmp_path / "named" / HOST).chmod(0)
    kept = put(tmp_path / "own/certs.d" / HOST, "ca.crt")
    assert places.find(HOST) == Tls(authorities=(kept / "ca.crt",))


def test_a_directory_that_cannot_be_read_is_named(tmp_path: Path, places: CertDirectories) -> None:
    (tmp_path / "named" / HOST).symlink_to(HOST)
    with pytest.raises(SettingsError, match=f"cannot read {tmp_path}/named/{HOST}: Too many"):
        places.find(HOST)
