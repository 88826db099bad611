import hashlib
import io
import os
import shutil
import stat
import subprocess
import tarfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.entries import (
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
    order,
)
from layers.errors import ContentError
from layers.tar import complete, write_tar
from layers.ustar import MTIME

APP = Owner(1001, 1001)
OF_EVERY_KIND: tuple[Entry, ...] = (
    DirEntry(path="app", owner=APP),
    DirEntry(path="app/empty", mode=0o700, owner=APP),
    FileEntry.of("app/main.py", b"print('hello')\n", owner=APP),
    FileEntry.of("app/run", b"#!/bin/sh\n", mode=0o755, owner=APP),
    FileEntry.of("app/block", bytes(512)),
    FileEntry.of("app/nothing", b""),
    FileEntry.of("usr/bin/su", b"\x7fELF", mode=0o4755),
    FileEntry.of("app/caf\xe9.txt", b"UTF-8"),
    FileEntry.of("app/caf\udce9.txt", b"Latin-1"),
    FileEntry.of("app/new\nline", b"n"),
    FileEntry.of(f"app/{'x' * 255}", b"long"),
    FileEntry.of("app/big-owner", b"", owner=Owner(3_000_000, 2**32 - 2)),
    SymlinkEntry(path="app/link", target="main.py", owner=APP),
    SymlinkEntry(path="app/long-link", target="t" * 101),
    SymlinkEntry(path="app/odd-link", target="\udcff"),
    HardLinkEntry(path="app/run-too", target="app/run", mode=0o755, owner=APP),
    HardLinkEntry(path="usr/sbin/su", target="usr/bin/su", mode=0o4755),
    HardLinkEntry(path="usr/bin/caf\udce9", target="app/caf\udce9.txt"),
    WhiteoutEntry(path="etc/motd"),
)
type Found = tuple[str, int, tuple[int, int], int, str]
"""Path, mode, owner (as far as we may set it), mtime, and what is in it."""

NAMES = st.text(st.sampled_from("ab.-_ \n\xe9\udcff"), min_size=1, max_size=4).filter(
    lambda name: name not in {".", ".."}
)
PATHS = st.lists(NAMES, min_size=1, max_size=4).map("/".join)


def tar_of(entries: Iterable[Entry], known: Iterable[DirEntry] = ()) -> bytes:
    out = io.BytesIO()
    write_tar(complete(entries, {directory.path: directory for directory in known}), out)
    return out.getvalue()


def members(data: bytes) -> dict[str, tarfile.TarInfo]:
    with tarfile.open(
        fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as tar:
        return {member.name: member for member in tar}


def test_the_same_entries_have_always_had_these_bytes() -> None:
    alone = [entry for entry in OF_EVERY_KIND if not isinstance(entry, HardLinkEntry)]
    digests = [hashlib.sha256(tar_of(entries)).hexdigest() for entries in (alone, OF_EVERY_KIND)]
    assert digests == [
        "18ff726bae48e23a0f4ad3d21d0b3329d66ff0f5a2624f1ba425b53246137fe9",
        "58fc91cc296d7795014322d65367e9f7d80604dbbbc90cb460f00e86c30bf44c",
    ]


def test_an_empty_layer_is_an_end_marker() -> None:
    assert tar_of([]) == bytes(1024)


@given(st.permutations(OF_EVERY_KIND))
def test_the_order_of_the_input_does_not_matter(entries: Sequence[Entry]) -> None:
    assert complete(entries, {}) == complete(OF_EVERY_KIND, {})


@given(st.sets(PATHS, max_size=8))
def test_parents_come_first_and_content_stays_together(paths: set[str]) -> None:
    ordered = [entry.path for entry in complete([DirEntry(path=path) for path in paths], {})]
    for index, path in enumerate(ordered):
        above = path.rpartition("/")[0]
        assert not above or above in ordered[:index]
    for path in paths:
        below = [i for i, other in enumerate(ordered) if f"{other}/".startswith(f"{path}/")]
        assert below == list(range(below[0], below[0] + len(below)))
    assert paths <= set(ordered)


@given(
    st.dictionaries(PATHS, st.binary(max_size=1100), max_size=6),
    st.sampled_from([0o644, 0o755, 0o4711]),
)
def test_what_is_written_is_read_back(files: dict[str, bytes], mode: int) -> None:
    outer = {path for path in files if not any(p.startswith(f"{path}/") for p in files)}
    data = tar_of(FileEntry.of(path, files[path], mode=mode, owner=APP) for path in outer)
    with tarfile.open(
        fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as tar:
        found = {member.name: member for member in tar if member.isfile()}
        assert found.keys() == outer
        for path, member in found.items():
            assert (member.mode, member.uid, member.gid) == (mode, 1001, 1001)
            assert cast("BinaryIO", tar.extractfile(member)).read() == files[path]


def test_missing_parents_are_added_as_root_has_them() -> None:
    found = members(tar_of([FileEntry.of("a/b/c", b"", owner=APP)]))
    assert list(found) == ["a", "a/b", "a/b/c"]
    for path in ("a", "a/b"):
        assert found[path].isdir()
        assert (found[path].mode, found[path].uid, found[path].gid) == (0o755, 0, 0)


def test_a_directory_of_the_base_is_repeated_as_it_is_there() -> None:
    base = [DirEntry(path="srv", mode=0o2750, owner=Owner(7, 8)), DirEntry(path="unused")]
    found = members(tar_of([FileEntry.of("srv/www/index.html", b"")], base))
    assert list(found) == ["srv", "srv/www", "srv/www/index.html"]
    assert (found["srv"].mode, found["srv"].uid, found["srv"].gid) == (0o2750, 7, 8)


def test_a_whiteout_needs_its_parents_too() -> None:
    found = members(tar_of([WhiteoutEntry(path="etc/motd"), WhiteoutEntry(path="opt")]))
    assert list(found) == ["etc", "etc/.wh.motd", ".wh.opt"]
    assert found["etc/.wh.motd"].isfile()
    assert found["etc/.wh.motd"].size == 0


@given(st.data())
def test_each_name_of_a_file_is_read_back(data: st.DataObject) -> None:
    names = data.draw(st.lists(PATHS, min_size=2, max_size=5, unique=True))
    alone = [n for n in names if not any(other.startswith(f"{n}/") for other in names)]
    first, *more = sorted(alone, key=order)
    links = [HardLinkEntry(path=name, target=first, mode=0o755, owner=APP) for name in more]
    file = FileEntry.of(first, b"content", mode=0o755, owner=APP)
    written = tar_of(data.draw(st.permutations([file, *links])))
    with tarfile.open(
        fileobj=io.BytesIO(written), mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as tar:
        found = {member.name: member for member in tar if not member.isdir()}
        assert found.keys() == set(alone)
        for name in alone:
            member = found[name]
            assert (member.islnk(), member.size) == (name != first, 7 if name == first else 0)
            assert (member.mode, member.uid, member.gid) == (0o755, 1001, 1001)
            assert cast("BinaryIO", tar.extractfile(member)).read() == b"content"


@pytest.mark.parametrize(
    "there",
    [
        [],
        [DirEntry(path="a")],
        [SymlinkEntry(path="a", target="c")],
        [WhiteoutEntry(path="a")],
        [FileEntry.of("0", b""), HardLinkEntry(path="a", target="0")],
    ],
)
def test_a_hard_link_needs_its_file_in_the_same_layer(there: list[Entry]) -> None:
    with pytest.raises(ContentError) as caught:
        complete([HardLinkEntry(path="b", target="a"), *there], {})
    assert caught.value.message == "hard link /b to /a, which is no file here"


def test_a_file_has_one_mode_and_one_owner() -> None:
    with pytest.raises(ContentError) as caught:
        complete(
            [FileEntry.of("a", b"", mode=0o4755), HardLinkEntry(path="b", target="a", owner=APP)],
            {},
        )
    assert caught.value.message == (
        "hard link /b (644, 1001:1001) to /a (4755, 0:0): one file has one mode and one owner"
    )


@pytest.mark.parametrize("second", [DirEntry(path="a/b"), WhiteoutEntry(path="a/b")])
def test_two_entries_cannot_claim_one_path(second: Entry) -> None:
    with pytest.raises(ContentError) as caught:
        complete([FileEntry.of("a/b", b""), second], {})
    assert caught.value.message == "two entries claim the path /a/b in one layer"


@pytest.mark.parametrize(
    "obstacle",
    [
        FileEntry.of("a/b", b""),
        SymlinkEntry(path="a/b", target="c"),
        HardLinkEntry(path="a/b", target="a/a"),
        WhiteoutEntry(path="a/b"),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_what_has_something_below_it_is_a_directory(obstacle: Entry, turned: bool) -> None:  # noqa: FBT001
    entries = [obstacle, FileEntry.of("a/b/c/d", b"")]
    with pytest.raises(ContentError) as caught:
        complete(reversed(entries) if turned else entries, {})
    assert caught.value.message == "/a/b/c/d needs the directory /a/b, which is not one"


def test_nothing_of_this_machine_is_in_a_header() -> None:
    data = tar_of(OF_EVERY_KIND)
    for member in members(data).values():
        assert member.mtime == MTIME == 315_532_801
        assert (member.uname, member.gname) == ("", "")
        assert (member.devmajor, member.devminor) == (0, 0)


@pytest.mark.skipif(shutil.which("tar") is None, reason="there is no tar here")
def test_gnu_tar_extracts_what_was_meant(tmp_path: Path) -> None:
    archive = tmp_path / "layer.tar"
    archive.write_bytes(tar_of(OF_EVERY_KIND))
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(
        ["tar", "--extract", "--preserve-permissions", "--numeric-owner", "--file", archive],
        cwd=out,
        check=True,
        capture_output=True,
        env=os.environ | {"LC_ALL": "C"},
    )
    assert found_below(out) == {expected(entry) for entry in complete(OF_EVERY_KIND, {})}


def found_below(root: Path) -> set[Found]:
    return {found(path, str(path.relative_to(root))) for path in root.rglob("*")}


def found(path: Path, name: str) -> Found:
    status = path.lstat()
    owner = (status.st_uid, status.st_gid) if os.getuid() == 0 else (0, 0)
    if path.is_symlink():
        detail = str(path.readlink())
    elif path.is_dir():
        detail = "/"
    else:
        detail = f"{hashlib.sha256(path.read_bytes()).hexdigest()} {status.st_nlink}"
    return name, stat.S_IMODE(status.st_mode), owner, int(status.st_mtime), detail


def expected(entry: Entry) -> Found:
    name, mode, owner, detail = entry.path, 0o644, Owner(0, 0), f"{hashlib.sha256().hexdigest()} 1"
    match entry:
        case FileEntry():
            with entry.content.open() as stream:
                content = hashlib.sha256(stream.read()).hexdigest()
            mode, owner, detail = entry.mode, entry.owner, f"{content} {names_of(entry)}"
        case HardLinkEntry():
            [file] = [other for other in OF_EVERY_KIND if other.path == entry.target]
            return (name, *expected(file)[1:])
        case DirEntry():
            mode, owner, detail = entry.mode, entry.owner, "/"
        case SymlinkEntry():
            mode, owner, detail = 0o777, entry.owner, entry.target
        case WhiteoutEntry():
            name = "etc/.wh.motd"
    known = (owner.uid, owner.gid) if os.getuid() == 0 else (0, 0)
    return name, mode, known, MTIME, detail


def names_of(file: FileEntry) -> int:
    links = [other for other in OF_EVERY_KIND if isinstance(other, HardLinkEntry)]
    return 1 + [link.target for link in links].count(file.path)
