import pytest

from builder.rootfs.file_index import FileIndex
from builder.rootfs.overlay import overlaid
from builder.target import Libc
from layers.entries import (
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
)

BELOW = FileIndex(
    directories={p: DirEntry(path=p) for p in ("usr", "usr/lib", "usr/lib/old", "etc")},
    symlinks={"lib": "usr/lib"},
    files={"usr/lib/old/x": 0o755, "etc/passwd": 0o644},
    passwd=b"root:x:0:0::/root:/bin/sh\n",
    group=b"root:x:0:\n",
    libc=Libc(name="glibc", version=(2, 36)),
)


def test_what_is_below_stays() -> None:
    assert overlaid(BELOW, ()) == BELOW


@pytest.mark.parametrize(
    ("entry", "kind", "node"),
    [
        (FileEntry.of("usr/lib/new", b"", mode=0o755), "files", 0o755),
        (SymlinkEntry(path="usr/lib/new", target="old/x"), "symlinks", "old/x"),
        (HardLinkEntry(path="usr/lib/new", target="usr/lib/first", mode=0o4755), "files", 0o4755),
    ],
)
def test_an_entry_is_there(entry: Entry, kind: str, node: object) -> None:
    assert getattr(overlaid(BELOW, [entry]), kind)["usr/lib/new"] == node


def test_a_directory_is_as_the_upper_layer_says() -> None:
    mine = DirEntry(path="usr/lib", mode=0o700, owner=Owner(1, 2))
    assert overlaid(BELOW, [mine]).directories["usr/lib"] == mine


def test_an_entry_of_another_kind_takes_the_place() -> None:
    above = overlaid(BELOW, [SymlinkEntry(path="usr/lib/old/x", target="y")])
    assert "usr/lib/old/x" not in above.files
    assert above.symlinks["usr/lib/old/x"] == "y"


def test_missing_directories_come_along() -> None:
    above = overlaid(BELOW, [FileEntry.of("opt/a/b", b"")])
    assert {"opt", "opt/a"} < above.directories.keys()


def test_a_whiteout_takes_away_what_is_below_it() -> None:
    above = overlaid(BELOW, [WhiteoutEntry(path="usr/lib/old")])
    assert "usr/lib/old" not in above.directories
    assert "usr/lib/old/x" not in above.files
    assert "usr/lib" in above.directories


def test_accounts_are_those_of_the_upper_layer() -> None:
    above = overlaid(BELOW, [FileEntry.of("etc/passwd", b"app:x:1:1::/:\n")])
    assert above.passwd == b"app:x:1:1::/:\n"
    assert above.group == BELOW.group
