import io
import tarfile
from dataclasses import dataclass
from typing import BinaryIO

import pytest

from layers.entries import (
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
)
from layers.tar import header


@pytest.mark.parametrize(
    "entry",
    [
        FileEntry.of("a", b""),
        FileEntry.of("x" * 100, b""),
        FileEntry.of(f"{'d' * 155}/{'x' * 100}", b""),
        FileEntry.of("a\nb c\\d*", b""),
        FileEntry.of("a", b"", owner=Owner(0o7777777, 0o7777777)),
        DirEntry(path="x" * 99),
        DirEntry(path="x" * 155),
        SymlinkEntry(path="a", target="t" * 100),
        SymlinkEntry(path="a/b", target="../x\ny"),
        HardLinkEntry(path="b", target="a" * 100, mode=0o4755),
        WhiteoutEntry(path="x" * 96),
    ],
    ids=lambda entry: f"{type(entry).__name__}-{len(entry.path)}",
)
def test_a_plain_header_stands_for_what_it_can_say(entry: Entry) -> None:
    block = header(entry)
    assert len(block) == 512
    assert block[257:265] == b"ustar\x0000"


@pytest.mark.parametrize(
    ("entry", "records"),
    [
        (FileEntry.of("x" * 101, b""), b"111 path=" + b"x" * 101 + b"\n"),
        (FileEntry.of(f"{'d' * 156}/x", b""), b"168 path=" + b"d" * 156 + b"/x\n"),
        (DirEntry(path="x" * 156), b"167 path=" + b"x" * 156 + b"/\n"),
        (FileEntry.of("\xe9", b""), b"11 path=\xc3\xa9\n"),
        (FileEntry.of("\udce9", b""), b"21 hdrcharset=BINARY\n9 path=\xe9\n"),
        (SymlinkEntry(path="a", target="t" * 101), b"115 linkpath=" + b"t" * 101 + b"\n"),
        (SymlinkEntry(path="a", target="\xe9"), b"15 linkpath=\xc3\xa9\n"),
        (SymlinkEntry(path="a", target="\udce9"), b"21 hdrcharset=BINARY\n14 linkpath=\xe9\n"),
        (HardLinkEntry(path="b", target="a" * 101), b"115 linkpath=" + b"a" * 101 + b"\n"),
        (FileEntry.of("a", b"", owner=Owner(0o10000000, 0)), b"15 uid=2097152\n"),
        (FileEntry.of("a", b"", owner=Owner(0, 2**32 - 2)), b"18 gid=4294967294\n"),
        (WhiteoutEntry(path="x" * 97), b"111 path=.wh." + b"x" * 97 + b"\n"),
    ],
    ids=lambda value: f"{type(value).__name__}-{len(value.path)}" if hasattr(value, "path") else "",
)
def test_a_pax_record_stands_only_for_what_a_plain_header_cannot(
    entry: Entry, records: bytes
) -> None:
    blocks = header(entry)
    assert len(blocks) == 3 * 512
    assert blocks[156:157] == b"x"
    assert blocks[512:1024].rstrip(b"\0") == records


@dataclass(frozen=True)
class Unread:
    """Content that only has a size."""

    def open(self) -> BinaryIO:
        raise AssertionError


@pytest.mark.parametrize("size", [8 * 2**30 - 1, 8 * 2**30, 10**13])
def test_a_file_of_eight_gib_and_more_has_a_header(size: int) -> None:
    entry = FileEntry(path="a", content=Unread(), size=size)
    blocks = header(entry)
    assert (len(blocks) > 512) == (size >= 8 * 2**30)
    with tarfile.open(fileobj=io.BytesIO(blocks), mode="r|") as tar:
        member = tar.next()
        assert member is not None
        assert member.size == size
