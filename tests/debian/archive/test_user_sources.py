"""Whose signature counts for the archives that settings name."""

from pathlib import Path

import pytest

from builder.debian.archive import user_sources
from builder.debian.archive.sources import AptSource
from builder.debian.archive.user_sources import base_sources, release_sources
from builder.debian.root import Root
from builder.errors import PackageError, SettingsError
from builder.settings import AptSourceSettings, Settings
from tests.debian.archive.test_host_sources import debian_key
from tests.debian.archives import make_key
from tests.debian.roots import a_root

DEBIAN = debian_key("bookworm", "trixie")
VENDOR, GLOBAL = (
    bytes(make_key(f"{name} <x@example.org>").extract_certificate()) for name in ("V", "G")
)
LINES = {
    "debian": "deb [signed-by=/usr/share/keyrings/d.gpg] http://deb.example/debian {} main\n",
    "vendor": "deb [signed-by=/etc/apt/keyrings/v.gpg] http://vendor.example/x/ bookworm main\n",
}


def root(*lines: str, **more: bytes) -> Root:
    files = {
        "etc/apt/sources.list": "".join(lines).encode(),
        "usr/share/keyrings/d.gpg": DEBIAN,
        "etc/apt/keyrings/v.gpg": VENDOR,
        **more,
    }
    return a_root(files=files)


BASE = root(LINES["debian"].format("bookworm"), LINES["vendor"])


def asked(uri: str, *suites: str, keyring: str | None = None) -> Settings:
    source = AptSourceSettings(uri=uri, suites=suites, keyring=keyring)
    return Settings(apt_sources=(source,))


def one(uri: str, suite: str, base: Root = BASE) -> AptSource:
    (found,) = base_sources(asked(uri, suite), base, project=Path("/"))
    return found


@pytest.mark.parametrize("suite", ["bookworm", "bookworm-backports", "bookworm/updates", "trixie"])
def test_a_mirror_of_debian_is_checked_with_debians_keys_and_no_vendors(suite: str) -> None:
    found = one("http://mirror.example/debian", suite)
    assert found.keyring == DEBIAN
    assert found.signed_by == "/etc/apt/trusted.gpg.d or /usr/share/keyrings/d.gpg"


def test_an_archive_that_the_base_knows_is_checked_with_its_own_keys() -> None:
    assert one("https://user:secret@Vendor.example/x", "stable").keyring == VENDOR


def test_keys_for_every_source_count_always() -> None:
    base = root(LINES["vendor"], **{"etc/apt/trusted.gpg.d/g.gpg": GLOBAL})
    assert one("http://mirror.example/debian", "bookworm", base).keyring == GLOBAL
    assert one("http://vendor.example/x", "bookworm", base).keyring == GLOBAL + VENDOR


def test_of_a_source_that_insists_on_a_key_no_other_counts() -> None:
    first, second = (make_key(name).extract_certificate() for name in ("a", "b"))
    line = f"deb [signed-by=/etc/apt/keyrings/two.gpg,{second.fingerprint}] http://v.example x y\n"
    base = root(line, **{"etc/apt/keyrings/two.gpg": bytes(first) + bytes(second)})
    assert one("http://v.example", "x", base).keyring == bytes(second)


@pytest.mark.parametrize("suite", ["sid", "stable", "forky", "./"])
def test_without_a_key_a_keyring_is_asked_for(suite: str) -> None:
    with pytest.raises(PackageError, match="nothing says whose signature counts") as caught:
        one("http://u:secret@mirror.example/debian", suite)
    assert "mirror.example/debian" in caught.value.message
    assert "secret" not in caught.value.message
    assert "keyring" in (caught.value.hint or "")


def test_a_vendors_key_alone_does_not_count_for_debian() -> None:
    with pytest.raises(PackageError, match="no key is for every source"):
        one("http://mirror.example/debian", "bookworm", root(LINES["vendor"]))


def test_a_key_that_the_base_names_and_nobody_read_is_told() -> None:
    base = root("deb [signed-by=/opt/x.gpg] http://v.example/x bookworm main\n")
    with pytest.raises(PackageError, match=r"there is no keyring /opt/x\.gpg that can be read"):
        one("http://v.example/x", "bookworm", base)


def test_a_keyring_of_the_settings_is_the_only_one(tmp_path: Path) -> None:
    (tmp_path / "k.gpg").write_bytes(GLOBAL)
    settings = asked("http://deb.example/debian", "bookworm", keyring="k.gpg")
    broken = root("no source\n")
    (found,) = base_sources(settings, broken, project=tmp_path)
    assert found.keyring == GLOBAL
    with pytest.raises(SettingsError, match=r"cannot read the keyring .*gone\.gpg"):
        base_sources(asked("http://x", "x", keyring="gone.gpg"), BASE, project=tmp_path)


def test_for_a_base_of_packages_this_machines_keys_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(user_sources, "host_root", lambda: BASE)
    project = Path("/")
    settings = asked("http://mirror.example/debian", "bookworm", "bookworm-updates")
    found = release_sources(settings, "bookworm", project=project)
    assert [source.keyring for source in found] == [DEBIAN, DEBIAN]
    (own,) = release_sources(Settings(), "bookworm", project=project)
    assert (own.uri, own.keyring) == ("http://deb.example/debian", DEBIAN)


def test_sources_of_another_release_are_refused(tmp_path: Path) -> None:
    (tmp_path / "k.gpg").write_bytes(DEBIAN)
    settings = asked("http://deb.example/debian", "bookworm", keyring="k.gpg")
    with pytest.raises(PackageError, match="names no archive of trixie, only of bookworm"):
        release_sources(settings, "trixie", project=tmp_path)
