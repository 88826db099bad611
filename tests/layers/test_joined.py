"""Layers that are joined of segments."""

import io
import subprocess
import tarfile
import zlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.compress import CODECS, GZIP, PLAIN, ZSTD, Codec, crc32, decompressed
from layers.digest import DiffId, Digest
from layers.entries import (
    DirEntry,
    Entry,
    FileContent,
    FileEntry,
    Owner,
    SymlinkEntry,
)
from layers.errors import LayerError
from layers.layer import Layer, write_layer
from layers.segment import Segment, write_segment
from layers.tar import END, complete, write_entries
from layers.verify import read_members, verify_layer
from tests.layers.joined import apart, joined_layer
from tests.layers.test_tar import OF_EVERY_KIND, PATHS

EACH_CODEC = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
APP = Owner(1001, 1001)
FRAME, GROUPS = apart(OF_EVERY_KIND, 3)


def in_sequence(frame: Sequence[Entry], groups: Sequence[Sequence[Entry]]) -> bytes:
    out = io.BytesIO()
    write_entries(complete(frame, {}), out)
    for group in groups:
        write_entries(group, out)
    return out.getvalue() + END


def inside(layer: Layer) -> bytes:
    with layer.source.open() as blob, decompressed(blob, layer.media_type) as stream:
        return stream.read()


@EACH_CODEC
def test_a_joined_layer_is_the_frame_and_then_the_segments(codec: Codec, tmp_path: Path) -> None:
    layer = joined_layer(FRAME, GROUPS, tmp_path / "layer", codec)
    tar = in_sequence(FRAME, GROUPS)
    data = (tmp_path / "layer").read_bytes()
    assert inside(layer) == tar
    assert layer == Layer(
        media_type=codec.media_type,
        digest=Digest.of(data),
        size=len(data),
        diff_id=DiffId.of(tar),
        source=FileContent(tmp_path / "layer"),
    )
    assert verify_layer(layer) == verify_layer(
        write_layer(OF_EVERY_KIND, tmp_path / "whole", codec=codec, known={})
    )


@EACH_CODEC
def test_without_segments_nothing_is_other_than_before(codec: Codec, tmp_path: Path) -> None:
    one = write_layer(OF_EVERY_KIND, tmp_path / "1", codec=codec, known={})
    two = write_layer(OF_EVERY_KIND, tmp_path / "2", codec=codec, known={}, segments=[])
    assert replace(one, source=two.source) == two


def test_gzip_is_one_ordinary_member(tmp_path: Path) -> None:
    joined_layer(FRAME, GROUPS, tmp_path / "layer", GZIP)
    data, tar = (tmp_path / "layer").read_bytes(), in_sequence(FRAME, GROUPS)
    member = zlib.decompressobj(31)
    assert member.decompress(data) == tar
    assert (member.eof, member.unused_data) == (True, b"")
    tool = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert (tool.stdout, tool.stderr) == (tar, b"")


def test_a_stream_reader_that_stops_after_one_member_reads_it_all(tmp_path: Path) -> None:
    joined_layer(FRAME, GROUPS, tmp_path / "layer", GZIP)
    with tarfile.open(tmp_path / "layer", mode="r|gz", encoding="utf-8") as tar:
        assert len(tar.getnames()) == 23


def test_a_frame_of_nothing_needs_no_flush(tmp_path: Path) -> None:
    segment = write_segment(GROUPS[0], tmp_path / "segment", codec=GZIP)
    write_layer([], tmp_path / "layer", codec=GZIP, known={}, segments=[segment, segment])
    twice = 2 * (tmp_path / "segment").read_bytes()
    assert (tmp_path / "layer").read_bytes()[10 : 10 + len(twice)] == twice


def test_zstd_has_a_frame_for_each_part(tmp_path: Path) -> None:
    joined_layer(FRAME, GROUPS, tmp_path / "layer", ZSTD)
    data = (tmp_path / "layer").read_bytes()
    assert data.count(b"\x28\xb5\x2f\xfd") == 2 + len(GROUPS)


@pytest.mark.parametrize("gibibytes", [3, 5])
def test_crc_and_length_hold_for_large_segments(gibibytes: int) -> None:
    """Both are computed and not counted: what stands between is left out here."""
    zeros, times = bytes(1 << 24), gibibytes << 6
    inside, whole = 0, crc32(b"before")
    for _ in range(times):
        inside, whole = crc32(zeros, inside), crc32(zeros, whole)
    out = io.BytesIO()
    blob = GZIP.open(out)
    blob.write(b"before")
    blob.splice([], crc=inside, size=gibibytes << 30)
    blob.write(b"after")
    blob.close()
    assert out.getvalue()[-8:-4] == crc32(b"after", whole).to_bytes(4, "little")
    assert out.getvalue()[-4:] == (((gibibytes << 30) + 11) % 2**32).to_bytes(4, "little")


def test_what_stands_twice_is_found(tmp_path: Path) -> None:
    layer = joined_layer(
        [], [[FileEntry.of("a", b"1")], [FileEntry.of("a", b"2")]], tmp_path / "layer", PLAIN
    )
    with pytest.raises(LayerError) as caught:
        verify_layer(layer)
    assert caught.value.message == f"layer {layer.digest} has a twice"


def test_a_directory_that_the_frame_lacks_is_found(tmp_path: Path) -> None:
    layer = joined_layer([], [[FileEntry.of("a/b", b"1")]], tmp_path / "layer", GZIP)
    with pytest.raises(LayerError) as caught:
        verify_layer(layer)
    assert caught.value.message == f"layer {layer.digest}: a/b comes before a/"


# Any files, in any segments.


@dataclass(frozen=True)
class Parts:
    """Entries, and which of three segments each file is in."""

    entries: tuple[Entry, ...]
    places: tuple[int, ...]

    def groups(self) -> list[list[Entry]]:
        return [
            [e for e, place in zip(self.entries, self.places, strict=True) if place == number]
            for number in range(3)
        ]

    def frame(self) -> list[Entry]:
        return [entry for entry in complete(self.entries, {}) if isinstance(entry, DirEntry)]


@st.composite
def parts(draw: st.DrawFn) -> Parts:
    paths = draw(st.lists(PATHS, min_size=1, max_size=8, unique=True))
    outer = [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]
    content = st.one_of(st.binary(max_size=1500), st.integers(0, 600_000).map(bytes))
    entries = tuple(
        SymlinkEntry(path=path, target="a", owner=APP)
        if draw(st.booleans())
        else FileEntry.of(path, draw(content), mode=draw(st.sampled_from([0o644, 0o755])))
        for path in outer
    )
    return Parts(entries, tuple(draw(st.integers(0, 2)) for _ in entries))


@settings(max_examples=40, deadline=None)
@given(
    parts(),
    st.sampled_from(list(CODECS.values())),
    st.permutations(range(3)),
    st.integers(1, 3),
    st.data(),
)
def test_a_layer_does_not_know_how_its_segments_came_to_be(
    parts: Parts, codec: Codec, order: list[int], threads: int, data: st.DataObject
) -> None:
    """In which order, by how many threads, now or long ago, its files in whatever order."""
    with TemporaryDirectory() as name:
        directory = Path(name)
        plain = joined_layer(parts.frame(), parts.groups(), directory / "plain", codec)
        shuffled = [data.draw(st.permutations(group)) for group in parts.groups()]
        with ThreadPoolExecutor(threads) as pool:
            made = {
                number: pool.submit(
                    write_segment, shuffled[number], directory / f"{number}", codec=codec
                )
                for number in order
            }
        segments = [_read_back(made[number].result(), directory) for number in range(3)]
        frame = data.draw(st.permutations(parts.frame()))
        again = write_layer(frame, directory / "again", codec=codec, known={}, segments=segments)
        assert replace(again, source=plain.source) == plain


def _read_back(segment: Segment, directory: Path) -> Segment:
    """As from a cache: the facts, and a copy of the bytes."""
    place = directory / segment.digest.hex
    with segment.content.open() as stream:
        place.write_bytes(stream.read())
    return replace(segment, content=FileContent(place))


@settings(max_examples=40, deadline=None)
@given(parts())
def test_a_joined_layer_reads_back_as_its_entries_for_every_codec(parts: Parts) -> None:
    found = []
    with TemporaryDirectory() as name:
        for codec in CODECS.values():
            layer = joined_layer(parts.frame(), parts.groups(), Path(name, codec.name), codec)
            assert verify_layer(layer) == len(complete(parts.entries, {}))
            read = {
                (member.name, member.mode, member.linkname, stream and stream.read())
                for member, stream in read_members(layer)
                if not member.isdir()
            }
            assert read == {_expected(entry) for entry in parts.entries}
            found.append((layer.diff_id, inside(layer)))
    assert found[0] == found[1] == found[2]


def _expected(entry: Entry) -> tuple[str, int, str, bytes | None]:
    match entry:
        case FileEntry():
            with entry.content.open() as stream:
                return entry.path, entry.mode, "", stream.read()
        case SymlinkEntry():
            return entry.path, 0o777, entry.target, None
        case _:
            raise AssertionError(entry)
