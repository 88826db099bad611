from pathlib import Path

import pytest

from layers.entries import (
    BytesContent,
    DirEntry,
    FileContent,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
    image_path,
    parents,
)
from layers.errors import ContentError

NOT_INSIDE = "not a path inside an image: {!r}; expected e.g. 'app/src/main.py'"
LEAVES = "path {!r} leaves the image root"
WHITEOUT = "path {!r}: names that start with '.wh.' mean deletion in a layer"


@pytest.mark.parametrize(
    "path",
    ["a", "a/b", "...", "a/..b", ".a", "a b", "new\nline", "é", "\udcff", "a\\b", "-", "x" * 255],
)
def test_these_paths_may_stand_in_a_layer(path: str) -> None:
    assert DirEntry(path=path).path == path
    assert FileEntry.of(path, b"x").path == path
    assert SymlinkEntry(path=path, target="x").path == path
    assert WhiteoutEntry(path=path).path == path
    assert HardLinkEntry(path=f"{path}/x", target=path).target == path


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("", NOT_INSIDE),
        ("/", NOT_INSIDE),
        ("/a", NOT_INSIDE),
        ("//a", NOT_INSIDE),
        ("a/", NOT_INSIDE),
        ("a//b", NOT_INSIDE),
        ("./a", NOT_INSIDE),
        ("a/.", NOT_INSIDE),
        ("a/../b", NOT_INSIDE),
        ("a\0b", NOT_INSIDE),
        (".", LEAVES),
        ("..", LEAVES),
        ("../a", LEAVES),
        ("../../a", LEAVES),
        (".wh.a", WHITEOUT),
        ("a/.wh..wh..opq", WHITEOUT),
        (".wh.a/b", WHITEOUT),
        ("x" * 256, "path {!r} has a name of more than 255 bytes"),
        ("é" * 128, "path {!r} has a name of more than 255 bytes"),
        (f"a/{'x' * 300}/b", "path {!r} has a name of more than 255 bytes"),
    ],
)
def test_these_paths_may_not(path: str, message: str) -> None:
    for make in (
        lambda: DirEntry(path=path),
        lambda: FileEntry.of(path, b""),
        lambda: SymlinkEntry(path=path, target="x"),
        lambda: WhiteoutEntry(path=path),
        lambda: HardLinkEntry(path=path, target="!"),
        lambda: HardLinkEntry(path="~", target=path),
    ):
        with pytest.raises(ContentError) as caught:
            make()
        assert caught.value.message == message.format(path)


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("a", "b"),
        ("a", "."),
        ("a", "b/../c"),
        ("a", "./b//c/"),
        ("a/b", "../c"),
        ("a/b/c", "../../d"),
        ("a/b", "c/../../d"),
        ("a", "/usr/bin/python3"),
        ("a", "/../.."),
        ("a", "\udcff\n"),
        ("a", "..."),
    ],
)
def test_a_link_may_point_anywhere_inside_the_image(path: str, target: str) -> None:
    assert SymlinkEntry(path=path, target=target).target == target


@pytest.mark.parametrize(
    ("path", "target"),
    [("a", ".."), ("a", "../b"), ("a/b", "../../c"), ("a", "b/../../c"), ("a/b", "./.././../a/b")],
)
def test_a_link_may_not_climb_above_the_root(path: str, target: str) -> None:
    with pytest.raises(ContentError) as caught:
        SymlinkEntry(path=path, target=target)
    assert caught.value.message == f"symbolic link {path} -> {target} leaves the image root"
    assert caught.value.hint == "point it inside the image, or exclude it in .dockerignore"


@pytest.mark.parametrize(("path", "target"), [("a", "a"), ("a", "b"), ("a/b", "a-b"), ("a", "a/b")])
def test_the_first_name_of_a_file_is_no_hard_link(path: str, target: str) -> None:
    with pytest.raises(ContentError) as caught:
        HardLinkEntry(path=path, target=target)
    assert caught.value.message == (
        f"hard link {path} to {target}: a layer has files by path, "
        f"so the first name is the file and not the link"
    )


@pytest.mark.parametrize("target", ["", "a\0b"])
def test_a_link_needs_a_target_that_a_header_can_hold(target: str) -> None:
    with pytest.raises(ContentError) as caught:
        SymlinkEntry(path="a", target=target)
    assert caught.value.message == "symbolic link a: its target is empty or holds a NUL"


@pytest.mark.parametrize(("mode", "shown"), [(0o10000, "10000"), (0o100644, "100644"), (-1, "-1")])
def test_a_mode_is_permission_bits_only(mode: int, shown: str) -> None:
    message = f"a: mode {shown} has bits outside 7777"
    with pytest.raises(ContentError) as caught:
        FileEntry.of("a", b"", mode=mode)
    assert caught.value.message == message
    with pytest.raises(ContentError) as caught:
        DirEntry(path="a", mode=mode)
    assert caught.value.message == message
    with pytest.raises(ContentError) as caught:
        HardLinkEntry(path="a", target="Z", mode=mode)
    assert caught.value.message == message


def test_special_bits_are_kept_where_a_package_ships_them() -> None:
    assert FileEntry.of("bin/su", b"", mode=0o4755).mode == 0o4755
    assert DirEntry(path="tmp", mode=0o1777).mode == 0o1777


@pytest.mark.parametrize(("uid", "gid"), [(-1, 0), (0, -1), (2**32 - 1, 0), (0, 2**32)])
def test_an_owner_is_a_pair_of_numbers_that_linux_has(uid: int, gid: int) -> None:
    with pytest.raises(ContentError) as caught:
        Owner(uid, gid)
    assert caught.value.message == f"owner {uid}:{gid}: expected numbers from 0 to 4294967294"


def test_an_owner_is_shown_as_chown_takes_it() -> None:
    assert str(Owner(1001, 2**32 - 2)) == "1001:4294967294"


def test_a_file_has_no_less_than_no_bytes() -> None:
    with pytest.raises(ContentError) as caught:
        FileEntry(path="a", content=BytesContent(b""), size=-1)
    assert caught.value.message == "a: a file of -1 bytes cannot be"


def test_content_is_read_as_often_as_asked(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    for content in (BytesContent(b"content"), FileContent(path)):
        for _ in range(2):
            with content.open() as stream:
                assert stream.read() == b"content"


def test_file_content_is_not_read_through_a_link(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    link = tmp_path / "link"
    link.symlink_to(path)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        FileContent(link).open()


def test_parents_come_outermost_first() -> None:
    assert list(parents("a/b/c")) == ["a", "a/b"]
    assert list(parents("a")) == []


def test_an_absolute_path_is_one_below_the_root() -> None:
    assert image_path("/app/src") == "app/src"
