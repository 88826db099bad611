"""Diversions that a package's own script adds."""

from pathlib import Path

import pytest

from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.unpack import unpack
from tests.debian.debs import Member, file
from tests.debian.roots import a_deb, a_root, status
from tests.debian.unpack.laid import INFO, by_path, refusal, shown

ADD = (
    "#!/bin/sh\nset -e\n"
    'if [ "$1" = install ]; then\n'
    "  dpkg-divert --package wrapper --add --rename --divert /usr/bin/foo.real /usr/bin/foo\n"
    "fi\n"
)


def wrapper(tmp_path: Path, *members: Member) -> Deb:
    return a_deb(tmp_path, "wrapper", members, scripts={"preinst": ADD})


@pytest.mark.parametrize("is_first", [True, False])
def test_it_counts_for_all_that_comes_with_the_package(tmp_path: Path, *, is_first: bool) -> None:
    debs = [
        wrapper(tmp_path, file("usr/bin/foo", b"wrapper")),
        a_deb(tmp_path, "foo", [file("usr/bin/foo", b"foo")]),
    ]
    unpacked = unpack(debs if is_first else debs[::-1], a_root("usr/bin"), docs=True)
    assert shown(by_path(unpacked)) == {"usr/bin/foo": "wrapper", "usr/bin/foo.real": "foo"}
    assert unpacked.listed["foo"][-1] == unpacked.listed["wrapper"][-1] == "/usr/bin/foo"


def base(content: bytes = b"base") -> Root:
    return a_root(
        files={
            "usr/bin/foo": content,
            "var/lib/dpkg/status": status("foo 1"),
            f"{INFO}/foo.list": b"/.\n/usr\n/usr/bin\n/usr/bin/foo\n",
        }
    )


def test_a_file_of_the_base_is_not_moved(tmp_path: Path) -> None:
    assert refusal([wrapper(tmp_path, file("usr/bin/foo", b"wrapper"))], base()) == (
        "wrapper 1.0-1 amd64 diverts /usr/bin/foo to /usr/bin/foo.real, and the base has that "
        "file: to move files of the base is not supported"
    )


def test_two_packages_cannot_divert_one_file(tmp_path: Path) -> None:
    other = a_deb(
        tmp_path,
        "other",
        scripts={"preinst": "#!/bin/sh\ndpkg-divert --divert /usr/bin/foo.x /usr/bin/foo\n"},
    )
    assert refusal([other, wrapper(tmp_path)], a_root("usr/bin")) == (
        "wrapper 1.0-1 amd64 diverts /usr/bin/foo to /usr/bin/foo.real, which is diverted to "
        "/usr/bin/foo.x already"
    )


def test_what_was_diverted_before_is_left_alone(tmp_path: Path) -> None:
    root = a_root(
        files={
            "usr/bin/foo": b"wrapper",
            "usr/bin/foo.real": b"foo",
            "var/lib/dpkg/status": status("foo 1", "wrapper 1"),
            "var/lib/dpkg/diversions": b"/usr/bin/foo\n/usr/bin/foo.real\nwrapper\n",
            f"{INFO}/foo.list": b"/.\n/usr/bin/foo\n",
            f"{INFO}/wrapper.list": b"/.\n/usr/bin/foo\n",
        }
    )
    for debs, path in (
        ([wrapper(tmp_path, file("usr/bin/foo", b"2"))], "usr/bin/foo"),
        ([a_deb(tmp_path, "foo", [file("usr/bin/foo", b"2")])], "usr/bin/foo.real"),
    ):
        assert shown(by_path(unpack(debs, root, docs=True))) == {path: "2"}
