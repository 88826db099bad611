"""This machine's own sources, and those of them that are Debian's."""

import os
from pathlib import Path

import pytest

from builder.debian.archive.host_sources import for_suite, host_root
from builder.debian.archive.sources import AptSource, read_sources
from builder.errors import PackageError
from tests.debian.archives import make_key


def debian_key(*releases: str) -> bytes:
    keys = (
        f"Debian Archive Automatic Signing Key ({number}/{name}) <ftpmaster@debian.org>"
        for number, name in enumerate(releases, 12)
    )
    return b"".join(bytes(make_key(user).extract_certificate()) for user in keys)


BOTH = debian_key("bookworm", "trixie")
STRANGE = bytes(make_key("Somebody (1/bookworm) <x@example.org>").extract_certificate())


def source(suite: str, *, keyring: bytes = BOTH, uri: str = "http://a.example/debian") -> AptSource:
    return AptSource(uri=uri, suite=suite, components=("main",), keyring=keyring)


HOST = (
    source("nodistro", uri="http://c.example/node"),
    source("bookworm"),
    source("bookworm-updates"),
    source("bookworm-backports"),
    source("bookworm-security", uri="http://a.example/debian-security"),
    source("bookworm", keyring=STRANGE, uri="http://b.example/docker"),
    source("./", uri="http://d.example/flat"),
)


def test_only_debians_own_archives_of_a_release_are_taken() -> None:
    assert for_suite(HOST, "bookworm") == (HOST[1], HOST[2], HOST[4])
    assert for_suite([source("bookworm/updates"), *HOST], "bookworm")[0].suite == "bookworm/updates"


def test_the_next_release_is_in_the_same_archives() -> None:
    found = for_suite(HOST, "trixie")
    assert [(each.uri, each.suite) for each in found] == [
        ("http://a.example/debian", "trixie"),
        ("http://a.example/debian", "trixie-updates"),
        ("http://a.example/debian-security", "trixie-security"),
    ]


def test_a_release_that_no_key_knows_is_refused() -> None:
    with pytest.raises(PackageError) as caught:
        for_suite(HOST, "forky")
    assert caught.value.message == (
        "no apt source of this machine is for Debian forky; there are some for bookworm"
    )
    assert "apt-sources" in (caught.value.hint or "")


def test_a_machine_that_is_not_debian_has_none() -> None:
    ubuntu = source("jammy", keyring=STRANGE, uri="http://u.example/ubuntu")
    with pytest.raises(PackageError, match="there are none for Debian"):
        for_suite([ubuntu], "bookworm")


def test_the_hosts_files_are_read_as_they_are(tmp_path: Path) -> None:
    apt = tmp_path / "etc" / "apt"
    parts = apt / "sources.list.d"
    parts.mkdir(parents=True)
    keyrings = tmp_path / "usr" / "share" / "keyrings"
    keyrings.mkdir(parents=True)
    (keyrings / "k.gpg").write_bytes(STRANGE)
    (keyrings / "long.gpg").write_bytes(bytes((1 << 20) + 1))
    os.mkfifo(parts / "pipe.list")
    (tmp_path / "real.list").write_text("deb [signed-by=/usr/share/keyrings/k.gpg] http://a x main")
    (parts / "a.list").symlink_to(tmp_path / "real.list")
    (parts / "b.list").symlink_to("nowhere")
    root = host_root(tmp_path)
    assert sorted(root.contents) == ["etc/apt/sources.list.d/a.list", "usr/share/keyrings/k.gpg"]
    (found,) = read_sources(root)
    assert (found.uri, found.suite, found.keyring) == ("http://a", "x", STRANGE)


def test_the_hosts_keyrings_are_read_wherever_sources_name_them(tmp_path: Path) -> None:
    parts = tmp_path / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    (tmp_path / "opt/keys").mkdir(parents=True)
    (tmp_path / "opt/keys/x.gpg").write_bytes(STRANGE)
    (tmp_path / "opt/keys/other.gpg").write_bytes(BOTH)
    (parts / "a.list").write_text("deb [signed-by=/opt/../opt/keys/x.gpg] http://a x main")
    (parts / "b.list").write_text("deb [signed-by=/opt/keys/none.gpg] http://b x main")
    root = host_root(tmp_path)
    assert "opt/keys/other.gpg" not in root.contents
    found, missing = read_sources(root)
    assert (found.keyring, found.unread) == (STRANGE, ())
    assert missing.unread == ("there is no keyring /opt/keys/none.gpg that can be read",)


def test_a_machine_without_apt_has_no_sources(tmp_path: Path) -> None:
    assert read_sources(host_root(tmp_path)) == ()
