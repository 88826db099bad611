"""What becomes of the old version of a package."""

from pathlib import Path

from builder.debian.root import Root
from builder.debian.unpack.unpack import unpack
from tests.debian.debs import directory, file
from tests.debian.roots import a_deb, a_root, status
from tests.debian.unpack.laid import by_path, refusal, shown

INFO = "var/lib/dpkg/info"


def upgraded(root: Root, tmp_path: Path) -> dict[str, str]:
    new = a_deb(tmp_path, "foo", [file("usr/bin/foo", b"2"), directory("usr/share/kept")])
    return shown(by_path(unpack([new], root, docs=True)))


def installed(*paths: str, more: dict[str, bytes] | None = None, other: str = "") -> Root:
    listed = "".join(f"/{path}\n" for path in paths)
    return a_root(
        "usr/share",
        files={
            **{path: b"1" for path in paths if "." in path or path.endswith("foo")},
            "var/lib/dpkg/status": status("foo 1", "other 1"),
            f"{INFO}/foo.list": f"/.\n/usr\n/usr/bin\n/usr/share\n{listed}".encode(),
            f"{INFO}/other.list": f"/.\n/usr\n/usr/share\n{other}".encode(),
            **(more or {}),
        },
    )


def test_files_that_the_new_version_has_not_are_removed(tmp_path: Path) -> None:
    root = installed("usr/bin/foo", "usr/bin/old.sh", "usr/share/doc.txt")
    assert upgraded(root, tmp_path) == {
        "usr/bin/foo": "2",
        "usr/bin/old.sh": "gone",
        "usr/share/doc.txt": "gone",
        "usr/share/kept": "/",
    }


def test_a_directory_goes_when_nothing_is_left_in_it(tmp_path: Path) -> None:
    root = installed("usr/bin/foo", "usr/share/foo", "usr/share/foo/sub", "usr/share/foo/sub/x.1")
    root = a_root(
        "usr/share/foo/sub",
        files={p: d for p, d in root.contents.items() if p != "usr/share/foo"},
    )
    assert upgraded(root, tmp_path) == {
        "usr/bin/foo": "2",
        "usr/share/foo": "gone",
        "usr/share/kept": "/",
    }


def test_a_directory_with_files_of_others_stays(tmp_path: Path) -> None:
    root = a_root(
        "usr/share/foo",
        files={
            "usr/bin/foo": b"1",
            "usr/share/foo/x.1": b"1",
            "usr/share/foo/local": b"made by somebody",
            "var/lib/dpkg/status": status("foo 1"),
            f"{INFO}/foo.list": b"/.\n/usr/bin/foo\n/usr/share/foo\n/usr/share/foo/x.1\n",
        },
    )
    found = upgraded(root, tmp_path)
    assert found["usr/share/foo/x.1"] == "gone"
    assert "usr/share/foo" not in found


def test_an_empty_directory_of_others_stays(tmp_path: Path) -> None:
    root = a_root(
        "usr/share/foo",
        files={
            "usr/bin/foo": b"1",
            "var/lib/dpkg/status": status("foo 1", "other 1"),
            f"{INFO}/foo.list": b"/.\n/usr/bin/foo\n/usr/share/foo\n",
            f"{INFO}/other.list": b"/.\n/usr/share/foo\n",
        },
    )
    assert list(upgraded(root, tmp_path)) == ["usr/bin/foo", "usr/share/kept"]


def test_a_file_that_another_package_has_now_stays(tmp_path: Path) -> None:
    root = installed("usr/bin/foo", "usr/bin/moved.sh")
    debs = [
        a_deb(tmp_path, "foo", [file("usr/bin/foo", b"2")]),
        a_deb(tmp_path, "foo-tools", [file("usr/bin/moved.sh", b"2")]),
    ]
    assert shown(by_path(unpack(debs, root, docs=True))) == {
        "usr/bin/foo": "2",
        "usr/bin/moved.sh": "2",
    }
    other = installed("usr/bin/foo", "usr/bin/moved.sh", other="/usr/bin/moved.sh\n")
    assert "usr/bin/moved.sh" not in upgraded(other, tmp_path)


def test_configuration_of_the_old_version_stays(tmp_path: Path) -> None:
    conffiles = {f"{INFO}/foo.conffiles": b"/etc/foo.conf\n/etc/deleted.conf\n"}
    root = installed("usr/bin/foo", "etc/foo.conf", more=conffiles)
    new = a_deb(
        tmp_path,
        "foo",
        [file("usr/bin/foo", b"2"), file("etc/deleted.conf", b"2")],
        conffiles=["/etc/deleted.conf"],
    )
    unpacked = unpack([new], root, docs=True)
    assert shown(by_path(unpacked)) == {"usr/bin/foo": "2"}
    assert unpacked.listed["foo"][-1] == "/etc/foo.conf"


def test_documentation_that_is_left_out_is_not_removed(tmp_path: Path) -> None:
    root = installed("usr/bin/foo", "usr/share/doc/foo/changelog.gz")
    new = a_deb(
        tmp_path, "foo", [file("usr/bin/foo", b"2"), file("usr/share/doc/foo/changelog.gz")]
    )
    assert (
        list(by_path(unpack([new], root, docs=False))) == ["usr/bin/foo", "usr/share/doc/foo"][:1]
    )


def test_a_file_of_the_old_version_may_become_a_directory(tmp_path: Path) -> None:
    root = installed("usr/share/foo")
    new = a_deb(tmp_path, "foo", [file("usr/share/foo/data.txt", b"2")])
    unpacked = unpack([new], root, docs=True)
    assert shown(by_path(unpacked)) == {"usr/share/foo": "/", "usr/share/foo/data.txt": "2"}
    assert "usr/share/foo" in unpacked.files.directories
    assert "usr/share/foo" not in unpacked.files.files


def test_a_file_that_others_have_too_becomes_no_directory(tmp_path: Path) -> None:
    root = installed("usr/share/foo", other="/usr/share/foo\n")
    new = a_deb(tmp_path, "foo", [file("usr/share/foo/data.txt", b"2")])
    assert refusal([new], root) == (
        "foo 1.0-1 amd64 has a directory at /usr/share/foo, where the base has a file"
    )
    other = a_deb(tmp_path, "new", [file("usr/share/foo/data.txt", b"2")])
    assert refusal([other], installed("usr/share/foo")) == (
        "new 1.0-1 amd64 has a directory at /usr/share/foo, where the base has a file"
    )
