import io
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from layers.compress import CODECS, GZIP, PLAIN, ZSTD, Codec
from layers.digest import CHUNK, DiffId, Digest
from layers.entries import (
    BytesContent,
    DirEntry,
    Entry,
    FileContent,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
)
from layers.errors import ContentError, LayerError
from layers.layer import write_layer
from layers.segment import Segment, write_segment
from layers.tar import write_entries
from layers.tree import walk

EACH_CODEC = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
APP = Owner(1001, 1001)
FILES: tuple[Entry, ...] = (
    FileEntry.of("app/lib/b.py", b"print('b')\n" * 300, owner=APP),
    FileEntry.of("app/lib/a.py", b"", owner=APP),
    FileEntry.of("app/lib/data.bin", bytes(range(256)) * 40, mode=0o755, owner=APP),
    SymlinkEntry(path="app/lib/link", target="a.py", owner=APP),
    FileEntry.of("app/bin/tool", b"#!/bin/sh\n", mode=0o755, owner=APP),
    FileEntry.of(f"app/{'x' * 120}", b"long", owner=APP),
)
IN_ORDER = sorted(FILES, key=lambda entry: entry.path.split("/"))


def tar_inside(entries: list[Entry]) -> bytes:
    out = io.BytesIO()
    write_entries(entries, out)
    return out.getvalue()


def expanded(data: bytes, codec: Codec) -> bytes:
    expander = codec.expander()
    found = b"".join(expander.expand(data))
    assert expander.is_whole()
    return found


@EACH_CODEC
def test_a_segment_is_what_its_file_holds(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "segment"
    segment = write_segment(FILES, path, codec=codec)
    data, tar = path.read_bytes(), tar_inside(IN_ORDER)
    assert expanded(data, codec) == tar
    assert segment == Segment(
        digest=Digest.of(data),
        size=len(data),
        tar_size=len(tar),
        crc=zlib.crc32(tar),
        content=FileContent(path),
    )


@EACH_CODEC
def test_the_order_of_entries_does_not_matter(codec: Codec, tmp_path: Path) -> None:
    one = write_segment(FILES, tmp_path / "1", codec=codec)
    two = write_segment(FILES[::-1], tmp_path / "2", codec=codec)
    assert replace(one, content=two.content) == two


@EACH_CODEC
def test_a_segment_of_nothing_adds_nothing(codec: Codec, tmp_path: Path) -> None:
    nothing = write_segment([], tmp_path / "segment", codec=codec)
    assert (nothing.tar_size, nothing.crc) == (0, 0)
    layer = write_layer([], tmp_path / "l", codec=codec, known={}, segments=[nothing, nothing])
    assert layer.diff_id == DiffId.of(bytes(1024))


def test_a_deflate_fragment_is_a_raw_stream_that_goes_on(tmp_path: Path) -> None:
    write_segment(FILES, tmp_path / "segment", codec=GZIP)
    data = (tmp_path / "segment").read_bytes()
    assert data.endswith(b"\0\0\xff\xff")
    stream = zlib.decompressobj(-15)
    assert stream.decompress(data) == tar_inside(IN_ORDER)
    assert not stream.eof


@EACH_CODEC
@pytest.mark.parametrize("size", [CHUNK - 1, CHUNK, CHUNK + 1, 40 * CHUNK])
def test_what_is_inside_comes_in_chunks(codec: Codec, size: int) -> None:
    out = io.BytesIO()
    compressor = codec.fragment(out)
    for start in range(0, size, CHUNK):
        compressor.write(bytes(min(CHUNK, size - start)))
    compressor.close()
    expander, data = codec.expander(), out.getvalue()
    given = [data[start : start + CHUNK] for start in range(0, len(data), CHUNK)]
    pieces = [len(piece) for some in given for piece in expander.expand(some)]
    assert expander.is_whole()
    assert sum(pieces) == size
    assert max(pieces) <= CHUNK


@pytest.mark.parametrize(
    "entry",
    [
        DirEntry(path="a"),
        WhiteoutEntry(path="a"),
        HardLinkEntry(path="a", target="Z"),
    ],
)
def test_all_but_files_and_links_are_the_layer_s(entry: Entry, tmp_path: Path) -> None:
    entries: list[Entry] = [FileEntry.of("Z", b""), entry]
    with pytest.raises(ContentError) as caught:
        write_segment(entries, tmp_path / "segment", codec=PLAIN)
    assert caught.value.message == (
        f"a segment was given /a as {type(entry).__name__}; "
        f"it holds files and symbolic links, all else is the layer's"
    )
    assert not list(tmp_path.iterdir())


def test_two_entries_cannot_claim_one_path(tmp_path: Path) -> None:
    twice: list[Entry] = [FileEntry.of("a", b""), SymlinkEntry(path="a", target="b")]
    with pytest.raises(ContentError) as caught:
        write_segment(twice, tmp_path / "segment", codec=PLAIN)
    assert caught.value.message == "two entries claim the path /a in one segment"


def test_a_file_that_changed_makes_no_segment(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"before")
    entries = walk(tmp_path / "a", at="app/a")
    (tmp_path / "a").write_bytes(b"and after")
    with pytest.raises(ContentError) as caught:
        write_segment(entries, tmp_path / "segment", codec=GZIP)
    assert caught.value.message == f"{tmp_path / 'a'} changed while it was read"


def test_a_segment_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "segment"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        write_segment(FILES, path, codec=GZIP)
    assert path.read_bytes() == b"precious"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no full disk here")
def test_a_full_disk_is_not_the_source_s_fault(tmp_path: Path) -> None:
    class Full:
        def write(self, data: bytes) -> object:
            with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
                return file.write(data)

    (tmp_path / "a").write_bytes(os.urandom(1 << 20))
    with pytest.raises(OSError, match="No space left"):
        write_entries(walk(tmp_path / "a", at="a"), Full())


# What a layer makes of a segment that is not what it promises.


def refusal(segment: Segment, directory: Path, codec: Codec) -> str:
    path = directory / "layer"
    path.unlink(missing_ok=True)
    with pytest.raises(LayerError) as caught:
        write_layer([], path, codec=codec, known={}, segments=[segment])
    return caught.value.message


LIES: dict[str, Callable[[Segment], Segment]] = {
    "tar_size": lambda segment: replace(segment, tar_size=segment.tar_size + 512),
    "crc": lambda segment: replace(segment, crc=segment.crc ^ 1),
}


@EACH_CODEC
@pytest.mark.parametrize("lie", LIES)
def test_a_segment_that_holds_something_else_is_refused(
    lie: str, codec: Codec, tmp_path: Path
) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=codec)
    wrong = LIES[lie](segment)
    assert refusal(wrong, tmp_path, codec) == (
        f"segment {segment.digest}: wanted {wrong.tar_size} bytes of tar "
        f"with CRC-32 {wrong.crc:08x}, got {segment.tar_size} with {segment.crc:08x}"
    )


@EACH_CODEC
def test_every_flipped_byte_is_refused(codec: Codec, tmp_path: Path) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=codec)
    data = (tmp_path / "segment").read_bytes()
    for place in {*range(0, len(data), max(1, len(data) // 150)), *range(-8, 0)}:
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        content = BytesContent(bytes(damaged))
        assert segment.digest.text in refusal(replace(segment, content=content), tmp_path, codec)


@EACH_CODEC
@pytest.mark.parametrize("cut", [1, 4, 5, 100, 10**9])
def test_a_cut_segment_is_refused(codec: Codec, cut: int, tmp_path: Path) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=codec)
    data = (tmp_path / "segment").read_bytes()
    content = BytesContent(data[: max(0, len(data) - cut)])
    told = refusal(replace(segment, content=content), tmp_path, codec)
    assert f"blob {segment.digest}: wanted {segment.size} bytes of that digest" in told


def promising(data: bytes, tar: bytes) -> Segment:
    return Segment(
        digest=Digest.of(data),
        size=len(data),
        tar_size=len(tar),
        crc=zlib.crc32(tar),
        content=BytesContent(data),
    )


@pytest.mark.parametrize("codec", [GZIP, ZSTD], ids=["gzip", "zstd"])
def test_a_segment_that_ends_the_blob_or_does_not_end_is_refused(
    codec: Codec, tmp_path: Path
) -> None:
    tar = tar_inside(IN_ORDER)
    out = io.BytesIO()
    compressor = codec.open(out)
    compressor.write(tar)
    compressor.close()
    # A stream with a last block, behind which nobody reads, and a frame that what follows is a
    # part of.
    data = out.getvalue()[10:-8] if codec is GZIP else out.getvalue()[:-1]
    assert refusal(promising(data, tar), tmp_path, codec).startswith(
        f"segment {Digest.of(data)}: wanted {len(tar)} bytes of tar with CRC-32"
    )


def test_nothing_may_follow_the_frame_of_a_segment(tmp_path: Path) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=ZSTD)
    more = (tmp_path / "segment").read_bytes() + b"more"
    told = refusal(promising(more, tar_inside(IN_ORDER)), tmp_path, ZSTD)
    assert told.startswith(f"segment {Digest.of(more)}: wanted {segment.tar_size} bytes of tar")


@pytest.mark.parametrize("other", CODECS.values(), ids=CODECS)
@EACH_CODEC
def test_a_segment_of_another_codec_is_refused(codec: Codec, other: Codec, tmp_path: Path) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=codec)
    if codec is not other:
        told = refusal(segment, tmp_path, other)
        assert told.startswith(f"segment {segment.digest}")


def test_a_stream_that_verifies_itself_is_not_hashed_again(tmp_path: Path) -> None:
    segment = write_segment(FILES, tmp_path / "segment", codec=GZIP)
    unlike = replace(segment, digest=Digest.of(b"what only another hash would find out"))

    class Proven(io.BytesIO):
        def verifies(self, digest: Digest, size: int) -> bool:
            return (digest, size) == (unlike.digest, unlike.size)

    class Stored:
        def open(self) -> Proven:
            return Proven((tmp_path / "segment").read_bytes())

    proven = replace(unlike, content=Stored())
    layer = write_layer([], tmp_path / "layer", codec=GZIP, known={}, segments=[proven])
    assert layer.diff_id == DiffId.of(tar_inside(IN_ORDER) + bytes(1024))
