import itertools
from collections.abc import Sequence
from pathlib import Path

import pytest

from builder.debian.root import Root
from builder.debian.unpack.unpack import unpack
from layers.entries import (
    DirEntry,
    FileEntry,
    HardLinkEntry,
    Owner,
    WhiteoutEntry,
)
from tests.debian.debs import Member, directory, file, hard_link, symlink
from tests.debian.roots import a_deb, a_root
from tests.debian.unpack.laid import MERGED, USR, by_path, laid, refusal, shown


def test_what_is_packed_below_lib_goes_to_usr_lib(tmp_path: Path) -> None:
    deb = a_deb(
        tmp_path,
        "libfoo",
        [
            file("lib/x86_64-linux-gnu/libfoo.so.1.0", b"elf"),
            symlink("lib/x86_64-linux-gnu/libfoo.so.1", "libfoo.so.1.0"),
            hard_link("bin/a", "lib/x86_64-linux-gnu/libfoo.so.1.0"),
        ],
    )
    unpacked = unpack([deb], a_root(*USR, links=MERGED), docs=True)
    assert shown(by_path(unpacked)) == {
        "usr/bin/a": "elf",
        "usr/lib/x86_64-linux-gnu": "/",
        "usr/lib/x86_64-linux-gnu/libfoo.so.1": "-> libfoo.so.1.0",
        "usr/lib/x86_64-linux-gnu/libfoo.so.1.0": "= usr/bin/a",
    }
    assert unpacked.listed == {
        "libfoo": (
            *("/.", "/lib", "/lib/x86_64-linux-gnu", "/lib/x86_64-linux-gnu/libfoo.so.1.0"),
            *("/lib/x86_64-linux-gnu/libfoo.so.1", "/bin", "/bin/a"),
        )
    }
    assert unpacked.files.resolve("lib/x86_64-linux-gnu/libfoo.so.1") == (
        "usr/lib/x86_64-linux-gnu/libfoo.so.1.0"
    )


def test_an_empty_root_gets_merged_usr_first(tmp_path: Path) -> None:
    libc = a_deb(tmp_path, "libc6", [file("lib64/ld.so", b"elf"), file("sbin/ldconfig", b"x")])
    assert shown(laid([libc], Root())) == {
        "bin": "-> usr/bin",
        "lib": "-> usr/lib",
        "lib64": "-> usr/lib64",
        "sbin": "-> usr/sbin",
        "usr": "/",
        "usr/bin": "/",
        "usr/lib": "/",
        "usr/lib64": "/",
        "usr/lib64/ld.so": "elf",
        "usr/sbin": "/",
        "usr/sbin/ldconfig": "x",
    }


def test_other_architectures_have_no_lib64(tmp_path: Path) -> None:
    deb = a_deb(tmp_path, "libc6", [file("lib/ld.so")], Architecture="arm64")
    assert "lib64" not in laid([deb], Root())


def test_links_that_a_package_ships_where_the_root_has_them_stay(tmp_path: Path) -> None:
    base = a_deb(tmp_path, "base-files", [symlink("lib", "usr/lib"), symlink("bin", "usr/bin")])
    assert laid([base], a_root(*USR, links=MERGED)) == {}
    assert sum(entry.path == "lib" for entry in unpack([base], Root(), docs=True).entries) == 1


def test_a_link_of_one_package_leads_the_files_of_another(tmp_path: Path) -> None:
    debs = [
        a_deb(tmp_path, "a", [file("usr/share/foo/x", b"a")]),
        a_deb(tmp_path, "b", [symlink("usr/share/foo", "bar"), file("usr/share/bar/y", b"b")]),
        a_deb(tmp_path, "c", [file("usr/share/foo/deep/z", b"c")]),
    ]
    wanted = {
        "usr": "/",
        "usr/share": "/",
        "usr/share/bar": "/",
        "usr/share/bar/deep": "/",
        "usr/share/bar/deep/z": "c",
        "usr/share/bar/x": "a",
        "usr/share/bar/y": "b",
        "usr/share/foo": "-> bar",
    }
    for order in itertools.permutations(debs):
        assert shown(laid(order, a_root("etc"))) == wanted


def test_a_link_to_nowhere_gives_way_to_a_directory(tmp_path: Path) -> None:
    debs = [
        a_deb(tmp_path, "a", [symlink("usr/foo", "bar")]),
        a_deb(tmp_path, "b", [file("usr/foo/x", b"b")]),
    ]
    for order in itertools.permutations(debs):
        found = shown(laid(order, a_root("etc")))
        assert found == {"usr": "/", "usr/foo": "/", "usr/foo/x": "b"}


def test_a_directory_of_the_root_is_not_replaced_by_a_link(tmp_path: Path) -> None:
    root = a_root("usr/share/foo", "usr/share/bar")
    deb = a_deb(tmp_path, "a", [symlink("usr/share/foo", "bar")])
    assert laid([deb], root) == {}


def test_a_link_of_the_root_is_replaced_by_another(tmp_path: Path) -> None:
    root = a_root("usr/lib", files={"usr/lib/x.1": b""}, links={"usr/lib/x": "x.1"})
    deb = a_deb(tmp_path, "a", [symlink("usr/lib/x", "x.2"), file("usr/lib/x.2", b"")])
    assert shown(laid([deb], root)) == {"usr/lib/x": "-> x.2", "usr/lib/x.2": ""}


def test_an_absolute_link_is_followed_inside_the_root_only(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = a_root("usr", links={"opt": str(outside)})
    found = laid([a_deb(tmp_path, "a", [file("opt/x", b"x")])], root)
    assert f"{outside}/x".lstrip("/") in found
    assert list(outside.iterdir()) == []


def test_a_directory_of_the_root_keeps_its_mode_and_owner(tmp_path: Path) -> None:
    root = a_root(DirEntry(path="var/mail", mode=0o2775, owner=Owner(0, 8)))
    deb = a_deb(tmp_path, "a", [directory("var/mail", mode=0o700), directory("var/lib/a")])
    assert list(laid([deb], root)) == ["var/lib", "var/lib/a"]


def test_an_unusual_directory_counts_whoever_comes_first(tmp_path: Path) -> None:
    debs = [
        a_deb(tmp_path, "a", [file("var/mail/x")]),
        a_deb(tmp_path, "b", [directory("var/mail", mode=0o2775)]),
    ]
    for order in itertools.permutations(debs):
        assert laid(order, a_root("etc"))["var/mail"] == DirEntry(path="var/mail", mode=0o2775)


def test_names_of_owners_count_where_the_root_knows_them(tmp_path: Path) -> None:
    accounts = {
        "etc/passwd": b"root:x:0:0::/root:/bin/sh\nmail:x:88:8::/:/bin/false\n",
        "etc/group": b"root:x:0:\nstaff:x:50:\n",
    }
    members = [
        Member(path="a", uid=8, gid=9, user="mail", group="mail"),
        Member(path="b", uid=8, gid=9, user="", group="staff"),
        Member(path="c", kind=b"5", uid=8, gid=9, user="nobody", group="staff"),
    ]
    found = laid([a_deb(tmp_path, "x", members)], a_root(files=accounts))
    assert [entry.owner for entry in found.values() if not isinstance(entry, WhiteoutEntry)] == [
        Owner(88, 9),
        Owner(8, 50),
        Owner(8, 50),
    ]


def test_setuid_survives_and_an_administrator_has_the_last_word(tmp_path: Path) -> None:
    root = a_root(
        files={
            "etc/group": b"crontab:x:101:\n",
            "var/lib/dpkg/statoverride": b"root crontab 2755 /usr/bin/crontab\n#5 #6 700 /srv\n",
            "etc/passwd": b"root:x:0:0:::\n",
        }
    )
    deb = a_deb(
        tmp_path,
        "x",
        [file("usr/bin/su", mode=0o4755), file("usr/bin/crontab", mode=0o755), directory("srv")],
    )
    found = laid([deb], root)
    assert found["usr/bin/crontab"].owner == Owner(0, 101)  # type: ignore[union-attr]
    assert {p: e.mode for p, e in found.items() if isinstance(e, FileEntry | DirEntry)} == {
        "srv": 0o700,
        "usr": 0o755,
        "usr/bin": 0o755,
        "usr/bin/crontab": 0o2755,
        "usr/bin/su": 0o4755,
    }
    assert found["srv"] == DirEntry(path="srv", mode=0o700, owner=Owner(5, 6))


def test_hard_links_share_one_file(tmp_path: Path) -> None:
    deb = a_deb(
        tmp_path,
        "perl",
        [
            file("usr/bin/perl", b"elf", mode=0o755),
            hard_link("usr/bin/perl5.36.0", "./usr/bin/perl"),
            hard_link("usr/bin/a", "usr/bin/perl"),
        ],
    )
    found = laid([deb], a_root("usr/bin"))
    assert shown(found) == {
        "usr/bin/a": "elf",
        "usr/bin/perl": "= usr/bin/a",
        "usr/bin/perl5.36.0": "= usr/bin/a",
    }
    assert {entry.mode for entry in found.values() if isinstance(entry, HardLinkEntry)} == {0o755}


def test_a_hard_link_stands_alone_when_its_file_is_left_out(tmp_path: Path) -> None:
    deb = a_deb(
        tmp_path, "x", [file("usr/share/man/x.1", b"text"), hard_link("x", "usr/share/man/x.1")]
    )
    found = laid([deb], a_root("usr/share/man"), docs=False)
    assert shown(found) == {"x": "text"}


def test_configuration_of_the_root_stays(tmp_path: Path) -> None:
    root = a_root(files={"etc/foo.conf": b"mine"})
    deb = a_deb(
        tmp_path,
        "foo",
        [file("etc/foo.conf", b"theirs"), file("etc/new.conf", b"new"), file("etc/no", b"x")],
        conffiles=["/etc/foo.conf", "/etc/new.conf"],
    )
    unpacked = unpack([deb], root, docs=True)
    assert shown(by_path(unpacked)) == {"etc/new.conf": "new", "etc/no": "x"}
    assert "/etc/foo.conf" in unpacked.listed["foo"]


def test_a_diverted_file_goes_where_the_diversion_says(tmp_path: Path) -> None:
    root = a_root(
        "usr/bin",
        files={
            "var/lib/dpkg/diversions": (
                b"/usr/bin/x\n/usr/bin/x.real\nwrapper\n/usr/bin/y\n/usr/bin/y.local\n:\n"
            )
        },
    )
    members = [file("usr/bin/x", b"theirs"), file("usr/bin/y", b"theirs")]
    unpacked = unpack([a_deb(tmp_path, "a", members)], root, docs=True)
    assert shown(by_path(unpacked)) == {"usr/bin/x.real": "theirs", "usr/bin/y.local": "theirs"}
    assert unpacked.listed["a"][-2:] == ("/usr/bin/x", "/usr/bin/y")
    assert list(laid([a_deb(tmp_path, "wrapper", [file("usr/bin/x")])], root)) == ["usr/bin/x"]


@pytest.mark.parametrize(
    ("members", "told"),
    [
        (
            [file("usr/share")],
            "a 1.0-1 amd64 has a file at /usr/share, where the base has a directory",
        ),
        ([file("lib")], "a 1.0-1 amd64 has a file at /lib, where the base has a directory"),
        (
            [directory("etc/file")],
            "a 1.0-1 amd64 has a directory at /etc/file, where the base has a file",
        ),
    ],
)
def test_what_stands_in_the_way_is_named(
    members: Sequence[Member], told: str, tmp_path: Path
) -> None:
    root = a_root("usr/share", "usr/lib", files={"etc/file": b""}, links={"lib": "usr/lib"})
    assert refusal([a_deb(tmp_path, "a", members)], root) == told


def test_a_file_of_one_package_is_no_directory_of_another(tmp_path: Path) -> None:
    debs = [a_deb(tmp_path, "aa", [file("x")]), a_deb(tmp_path, "bb", [file("x/y")])]
    assert refusal(debs, a_root("etc")) == (
        "bb 1.0-1 amd64 has a directory at /x, where aa 1.0-1 amd64 has a file"
    )


def test_a_package_is_unpacked_once(tmp_path: Path) -> None:
    debs = [a_deb(tmp_path, "aa"), a_deb(tmp_path, "aa", Version="2")]
    assert refusal(debs, Root()) == "aa is to be unpacked twice"


def test_a_link_that_leaves_the_root_from_where_it_really_stands_is_refused(
    tmp_path: Path,
) -> None:
    root = a_root("run", links={"var/spool/x": "/run"})
    deb = a_deb(tmp_path, "a", [symlink("var/spool/x/link", "../../../etc")])
    assert refusal([deb], root) == (
        "a 1.0-1 amd64: symbolic link run/link -> ../../../etc leaves the image root"
    )
