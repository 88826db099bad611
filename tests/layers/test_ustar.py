"""The headers that we write ourselves are the library's, byte for byte."""

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import BinaryIO

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
from layers.tar import header
from layers.ustar import MTIME, plain_header


@dataclass(frozen=True)
class Unread:
    """Content that only has a size."""

    def open(self) -> BinaryIO:
        raise AssertionError


def around(*limits: int) -> st.SearchStrategy[int]:
    return st.one_of(*(st.integers(max(0, limit - 3), limit + 3) for limit in limits))


LETTERS = st.text(st.sampled_from("ab-_ .\n"), min_size=1, max_size=6)
ODD = st.text(st.sampled_from("a\xe9\udcff"), min_size=1, max_size=3)
LONG = around(98, 155, 252).map("x".__mul__)
# Names of a few lengths around what the fields hold: 100 bytes, and 155 before them.
PATHS = (
    st.lists(st.one_of(LETTERS, LETTERS, LONG, ODD), min_size=1, max_size=5)
    .map("/".join)
    .filter(lambda path: not {".", ".."} & set(path.split("/")))
)
MODES = st.integers(0, 0o7777)
IDS = st.one_of(st.just(1001), around(0o7777777), st.just(2**32 - 2))
OWNERS = st.builds(Owner, IDS, IDS)
SIZES = st.one_of(st.integers(0, 2000), around(8 * 2**30))


def hard_link(paths: list[str], mode: int, owner: Owner) -> HardLinkEntry:
    target, path = sorted(paths, key=order)
    return HardLinkEntry(path=path, target=target, mode=mode, owner=owner)


ENTRIES: st.SearchStrategy[Entry] = st.one_of(
    st.builds(
        FileEntry, path=PATHS, content=st.just(Unread()), size=SIZES, mode=MODES, owner=OWNERS
    ),
    st.builds(DirEntry, path=PATHS, mode=MODES, owner=OWNERS),
    st.builds(
        SymlinkEntry,
        path=PATHS,
        target=st.one_of(PATHS, around(100).map("t".__mul__)),
        owner=OWNERS,
    ),
    st.builds(hard_link, st.lists(PATHS, min_size=2, max_size=2, unique=True), MODES, OWNERS),
    st.builds(WhiteoutEntry, path=st.sampled_from(["a", "a/b", "x" * 97])),
)


def by_library(entry: Entry) -> bytes:
    info = tarfile.TarInfo(entry.path)
    info.mtime = MTIME
    if isinstance(entry, WhiteoutEntry):
        above, slash, name = entry.path.rpartition("/")
        info.name = f"{above}{slash}.wh.{name}"
    else:
        info.uid, info.gid = entry.owner.uid, entry.owner.gid
        info.mode = 0o777 if isinstance(entry, SymlinkEntry) else entry.mode
    if isinstance(entry, FileEntry):
        info.size = entry.size
    elif isinstance(entry, DirEntry):
        info.type = tarfile.DIRTYPE
    elif isinstance(entry, SymlinkEntry | HardLinkEntry):
        is_hard = isinstance(entry, HardLinkEntry)
        info.type = tarfile.LNKTYPE if is_hard else tarfile.SYMTYPE
        info.linkname = entry.target
    try:
        return info.tobuf(tarfile.USTAR_FORMAT, "ascii", "strict")
    except ValueError:  # UnicodeEncodeError is one
        return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


@given(ENTRIES)
def test_a_header_is_the_library_s(entry: Entry) -> None:
    assert header(entry) == by_library(entry)


def at_the_limits() -> Iterator[Entry]:
    for before, name in product(range(153, 158), range(98, 103)):
        for path in ("x" * name, f"{'d' * before}/{'x' * name}", f"d/{'e' * 52}/{'x' * name}"):
            yield FileEntry.of(path, b"")
            yield DirEntry(path=path[:-1])
            yield SymlinkEntry(path=path, target="x" * name)
            yield HardLinkEntry(path="b", target="a" * name)
    for size in range(8 * 2**30 - 2, 8 * 2**30 + 2):
        yield FileEntry(path="a", content=Unread(), size=size)
    for number in range(0o7777777 - 1, 0o7777777 + 2):
        yield DirEntry(path="a", owner=Owner(number, 0))
        yield DirEntry(path="a", owner=Owner(0, number))


def test_a_header_is_the_library_s_up_to_the_last_byte_and_over_it() -> None:
    for entry in at_the_limits():
        assert header(entry) == by_library(entry)
        assert (plain_header(entry) is None) == (len(by_library(entry)) > 512)


@given(ENTRIES)
def test_a_plain_header_is_for_all_that_has_one(entry: Entry) -> None:
    block = by_library(entry)
    whole = block if len(block) == 512 and not isinstance(entry, WhiteoutEntry) else None
    assert plain_header(entry) == whole
