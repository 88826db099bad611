"""Configuration files of packages that the root has in an older version."""

from hashlib import md5
from pathlib import Path

import pytest

from builder.debian.database.database import database
from builder.debian.root import Root
from builder.debian.unpack.unpack import unpack
from layers.entries import FileEntry
from tests.debian.debs import file
from tests.debian.roots import a_deb, a_root, status
from tests.debian.unpack.laid import INFO, by_path, shown, shown_entry

CONF = "etc/foo.conf"


def sum_of(data: bytes) -> str:
    return md5(data, usedforsecurity=False).hexdigest()


def root_with(content: bytes, *, recorded: bytes, flag: str = "", owner: str = "foo") -> Root:
    return a_root(
        files={
            CONF: content,
            "var/lib/dpkg/status": status(
                f"{owner} 1", Conffiles=f"\n /{CONF} {sum_of(recorded)}{flag}"
            ),
            f"{INFO}/{owner}.list": f"/.\n/etc\n/{CONF}\n".encode(),
            f"{INFO}/{owner}.conffiles": f"/{CONF}\n".encode(),
        }
    )


@pytest.mark.parametrize("flag", ["", " obsolete"])
def test_what_nobody_changed_becomes_new(flag: str, tmp_path: Path) -> None:
    root = root_with(b"old", recorded=b"old", flag=flag)
    new = a_deb(tmp_path, "foo", [file(CONF, b"new")], conffiles=[f"/{CONF}"], Version="2")
    unpacked = unpack([new], root, docs=True)
    assert shown(by_path(unpacked)) == {CONF: "new"}
    [said] = [e for e in database([new], unpacked, root, requested=()) if e.path.endswith("status")]
    assert f"Conffiles:\n /{CONF} {sum_of(b'new')}\n" in shown_entry(said)


def test_what_was_changed_stays_and_the_new_sum_is_known(tmp_path: Path) -> None:
    root = root_with(b"mine", recorded=b"old")
    new = a_deb(tmp_path, "foo", [file(CONF, b"new")], conffiles=[f"/{CONF}"], Version="2")
    unpacked = unpack([new], root, docs=True)
    assert by_path(unpacked) == {}
    [said] = [e for e in database([new], unpacked, root, requested=()) if e.path.endswith("status")]
    assert f"Conffiles:\n /{CONF} {sum_of(b'new')}\n" in shown_entry(said)


def test_the_mode_of_the_file_stays(tmp_path: Path) -> None:
    root = root_with(b"old", recorded=b"old")
    new = a_deb(
        tmp_path, "foo", [file(CONF, b"new", mode=0o600)], conffiles=[f"/{CONF}"], Version="2"
    )
    entry = by_path(unpack([new], root, docs=True))[CONF]
    assert isinstance(entry, FileEntry)
    assert entry.mode == root.files.files[CONF] == 0o644


def test_a_file_whose_content_is_not_known_stays(tmp_path: Path) -> None:
    root = root_with(b"old", recorded=b"old")
    unread = {path: data for path, data in root.contents.items() if path != CONF}
    new = a_deb(tmp_path, "foo", [file(CONF, b"new")], conffiles=[f"/{CONF}"], Version="2")
    assert by_path(unpack([new], Root(files=root.files, contents=unread), docs=True)) == {}


def test_it_may_come_from_another_package(tmp_path: Path) -> None:
    root = root_with(b"old", recorded=b"old", owner="old-foo")
    new = a_deb(
        tmp_path, "foo", [file(CONF, b"new")], conffiles=[f"/{CONF}"], Replaces="old-foo (<< 2)"
    )
    unpacked = unpack([new], root, docs=True)
    assert shown(by_path(unpacked)) == {CONF: "new"}
    assert unpacked.relisted == {f"{INFO}/old-foo.list": ("/.", "/etc")}
    [said] = [e for e in database([new], unpacked, root, requested=()) if e.path.endswith("status")]
    assert f" /{CONF} {sum_of(b'new')}\n" in shown_entry(said)
    assert f" /{CONF} {sum_of(b'old')} obsolete\n" in shown_entry(said)


def test_a_file_that_was_no_configuration_of_a_package_stays(tmp_path: Path) -> None:
    root = a_root(files={CONF: b"mine", "var/lib/dpkg/status": status("foo 1")})
    new = a_deb(tmp_path, "foo", [file(CONF, b"new")], conffiles=[f"/{CONF}"], Version="2")
    assert by_path(unpack([new], root, docs=True)) == {}
