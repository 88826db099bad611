"""Files that two packages ship."""

from pathlib import Path

import pytest

from builder.debian.root import Root
from builder.debian.unpack.unpack import unpack
from tests.debian.debs import file
from tests.debian.roots import a_deb, a_root, status
from tests.debian.unpack.laid import INFO, MERGED, USR, by_path, laid, refusal, shown


def test_one_file_in_two_packages_is_refused(tmp_path: Path) -> None:
    one, two = (a_deb(tmp_path, name, [file("usr/bin/x", name.encode())]) for name in ("aa", "bb"))
    assert refusal([one, two], Root()) == (
        "/usr/bin/x is in both bb (1.0-1) and aa (1.0-1), and neither replaces the other"
    )


def test_one_file_under_two_names_is_refused(tmp_path: Path) -> None:
    one = a_deb(tmp_path, "aa", [file("bin/x", b"a")])
    two = a_deb(tmp_path, "bb", [file("usr/bin/x", b"b")])
    assert "/usr/bin/x is in both" in refusal([one, two], a_root(*USR, links=MERGED))


@pytest.mark.parametrize("replaces", ["aa", "aa (<< 2)", "x, aa (= 1.0-1) "])
def test_the_file_of_the_package_that_replaces_the_other_counts(
    replaces: str, tmp_path: Path
) -> None:
    one = a_deb(tmp_path, "aa", [file("x", b"a"), file("y", b"a")])
    two = a_deb(tmp_path, "bb", [file("x", b"b")], Replaces=replaces)
    for debs in ([one, two], [two, one]):
        unpacked = unpack(debs, a_root("etc"), docs=True)
        assert shown(by_path(unpacked)) == {"x": "b", "y": "a"}
        assert unpacked.listed == {"aa": ("/.", "/y"), "bb": ("/.", "/x")}


@pytest.mark.parametrize("replaces", ["aa (<< 1.0-1)", "aab", "x"])
def test_a_package_that_replaces_another_version_does_not(replaces: str, tmp_path: Path) -> None:
    one = a_deb(tmp_path, "aa", [file("x", b"a")])
    two = a_deb(tmp_path, "bb", [file("x", b"b")], Replaces=replaces)
    assert "neither replaces the other" in refusal([one, two], Root())


def test_a_file_of_an_installed_package_is_refused_or_replaced(tmp_path: Path) -> None:
    root = a_root(
        *USR,
        files={
            "usr/bin/x": b"old",
            "usr/bin/y": b"old",
            "var/lib/dpkg/status": status("old 1", "other 1"),
            f"{INFO}/old:amd64.list": b"/.\n/bin\n/bin/x\n/bin/y\n",
            f"{INFO}/other.list": b"/.\n/usr\n",
        },
        links=MERGED,
    )
    new = a_deb(tmp_path, "new", [file("usr/bin/x", b"new")])
    assert refusal([new], root) == (
        "/bin/x is in both new (1.0-1) and old (1), and neither replaces the other"
    )
    new = a_deb(tmp_path, "new", [file("usr/bin/x", b"new")], Replaces="old (<< 2)")
    unpacked = unpack([new], root, docs=True)
    assert shown(by_path(unpacked)) == {"usr/bin/x": "new"}
    assert unpacked.relisted == {f"{INFO}/old:amd64.list": ("/.", "/bin", "/bin/y")}


def test_an_installed_package_that_replaces_the_new_one_keeps_its_file(tmp_path: Path) -> None:
    root = a_root(
        files={
            "x": b"old",
            "var/lib/dpkg/status": status("old 1", Replaces="new"),
            f"{INFO}/old.list": b"/.\n/x\n",
        }
    )
    unpacked = unpack([a_deb(tmp_path, "new", [file("x"), file("y")])], root, docs=True)
    assert list(by_path(unpacked)) == ["y"]
    assert unpacked.listed["new"] == ("/.", "/y")
    assert unpacked.relisted == {}


def test_a_file_that_nobody_owns_is_replaced(tmp_path: Path) -> None:
    root = a_root("usr/bin", files={"usr/bin/x": b"old"})
    assert shown(laid([a_deb(tmp_path, "a", [file("usr/bin/x", b"new")])], root)) == {
        "usr/bin/x": "new"
    }
