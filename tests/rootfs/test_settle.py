import pytest

from builder.errors import BaseError, ContentError
from builder.rootfs.settle import settle
from layers.entries import DirEntry, FileEntry, HardLinkEntry, Owner, SymlinkEntry
from tests.plan.bases import an_index

MERGED = an_index(
    *("usr", "usr/lib", "usr/lib/x86_64-linux-gnu", "usr/bin", "etc", "run", "var"),
    symlinks={"lib": "usr/lib", "bin": "usr/bin", "var/run": "/run", "loop": "loop"},
    files=["usr/lib/libc.so.6"],
)
APP = Owner(1001, 1001)


def file(path: str) -> FileEntry:
    return FileEntry.of(path, b"x", mode=0o755, owner=APP)


@pytest.mark.parametrize(
    ("path", "settled"),
    [
        ("lib/x", "usr/lib/x"),
        ("lib/x86_64-linux-gnu/libfoo.so", "usr/lib/x86_64-linux-gnu/libfoo.so"),
        ("lib/new/x", "usr/lib/new/x"),
        ("var/run/app.pid", "run/app.pid"),
        ("usr/lib/x", "usr/lib/x"),
        ("app/x", "app/x"),
        ("usr/lib/libc.so.6", "usr/lib/libc.so.6"),
    ],
)
def test_a_file_goes_where_the_base_s_links_lead(path: str, settled: str) -> None:
    (found,) = settle([file(path)], MERGED)
    assert found.path == settled
    assert isinstance(found, FileEntry)
    assert (found.mode, found.owner, found.size) == (0o755, APP, 1)


def test_a_link_goes_there_too_and_keeps_its_target() -> None:
    link = SymlinkEntry(path="bin/python", target="../lib/x", owner=APP)
    assert settle([link], MERGED) == [
        SymlinkEntry(path="usr/bin/python", target="../lib/x", owner=APP)
    ]


def test_a_hard_link_names_its_file_where_that_really_is() -> None:
    link = HardLinkEntry(path="lib/new/y", target="bin/x", mode=0o755, owner=APP)
    first, second = settle([file("bin/x"), link], MERGED)
    assert first.path == "usr/bin/x"
    assert second == HardLinkEntry(path="usr/lib/new/y", target="usr/bin/x", mode=0o755, owner=APP)


def test_a_link_to_a_directory_is_not_replaced_by_a_file() -> None:
    with pytest.raises(ContentError) as caught:
        settle([file("bin")], MERGED)
    assert caught.value.message == "/bin is a directory in the base, and a file here"


def test_a_file_is_not_replaced_by_a_directory() -> None:
    with pytest.raises(ContentError) as caught:
        settle([DirEntry(path="lib/libc.so.6")], MERGED)
    assert caught.value.message == "/lib/libc.so.6 is a file in the base, and a directory here"


@pytest.mark.parametrize("path", ["usr/lib", "lib", "etc", "lib/x86_64-linux-gnu", "var/run"])
def test_a_directory_of_the_base_is_never_reset(path: str) -> None:
    assert settle([DirEntry(path=path, mode=0o700, owner=APP)], MERGED) == []


def test_a_new_directory_is_made_where_the_links_lead() -> None:
    new = DirEntry(path="lib/new", owner=APP)
    assert settle([new], MERGED) == [DirEntry(path="usr/lib/new", owner=APP)]


def test_a_directory_that_several_trees_bring_stands_once() -> None:
    first = DirEntry(path="usr/lib/new", owner=APP)
    again = DirEntry(path="lib/new", owner=Owner(0, 0))
    other = DirEntry(path="srv", owner=APP)
    assert settle([first, again, other, other], MERGED) == [first, other]


@pytest.mark.parametrize("path", ["etc", "lib/x86_64-linux-gnu"])
def test_a_file_over_a_directory_is_refused(path: str) -> None:
    link = HardLinkEntry(path=path, target="a")
    for entry in (file(path), SymlinkEntry(path=path, target="usr"), link):
        with pytest.raises(ContentError) as caught:
            settle([entry], MERGED)
        assert caught.value.message == f"/{path} is a directory in the base, and a file here"


def test_links_in_a_circle_are_an_error() -> None:
    with pytest.raises(BaseError, match="/loop/x: its symbolic links go round in circles"):
        settle([file("loop/x")], MERGED)
