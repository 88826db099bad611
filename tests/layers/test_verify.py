import contextlib
import io
import tarfile
from collections.abc import Generator, Iterable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.compress import CODECS, DOCKER_TAR_GZIP, GZIP, PLAIN, TAR, ZSTD, Codec
from layers.digest import DiffId, Digest
from layers.entries import BytesContent, DirEntry, Entry, FileEntry, SymlinkEntry, WhiteoutEntry
from layers.errors import LayerError
from layers.layer import Layer, write_layer
from layers.verify import read_members, verify_layer
from tests.layers.test_tar import OF_EVERY_KIND

EACH_CODEC = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
BEFORE_ITS_FILE = "comes before {}, the file that it is a hard link to"
OTHER = f"sha256:{'0' * 64}"


def blob_of(codec: Codec, directory: Path) -> tuple[Layer, bytes]:
    path = directory / codec.name
    layer = write_layer(OF_EVERY_KIND, path, codec=codec, known={})
    return layer, path.read_bytes()


def layer_of(tar: bytes) -> Layer:
    """An uncompressed layer that promises just what these bytes are."""
    return Layer(
        media_type=TAR,
        digest=Digest.of(tar),
        size=len(tar),
        diff_id=DiffId.of(tar),
        source=BytesContent(tar),
    )


def foreign(*members: tarfile.TarInfo) -> Layer:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for member in members:
            tar.addfile(member)
    return layer_of(out.getvalue())


def file(name: str) -> tarfile.TarInfo:
    return tarfile.TarInfo(name)


def directory(name: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type = tarfile.DIRTYPE
    return info


def link(name: str, target: str) -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.LNKTYPE, target
    return info


def refusal(layer: Layer) -> str:
    with pytest.raises(LayerError) as caught:
        verify_layer(layer)
    return caught.value.message


@EACH_CODEC
def test_what_was_written_proves_itself(codec: Codec, tmp_path: Path) -> None:
    layer, _ = blob_of(codec, tmp_path)
    assert verify_layer(layer) == 23
    assert verify_layer(layer) == 23


def test_members_come_with_their_content(tmp_path: Path) -> None:
    entries: list[Entry] = [
        DirEntry(path="d"),
        FileEntry.of("d/file", b"content"),
        FileEntry.of("d/none", b""),
        SymlinkEntry(path="d/link", target="file"),
        WhiteoutEntry(path="d/old"),
    ]
    layer = write_layer(entries, tmp_path / "blob", codec=GZIP, known={})
    found = [(member.name, stream and stream.read()) for member, stream in read_members(layer)]
    assert found == [
        ("d", None),
        ("d/file", b"content"),
        ("d/link", None),
        ("d/none", b""),
        ("d/.wh.old", b""),
    ]


def test_a_docker_layer_is_read_too(tmp_path: Path) -> None:
    layer, _ = blob_of(GZIP, tmp_path)
    assert verify_layer(replace(layer, media_type=DOCKER_TAR_GZIP)) == 23


def test_another_media_type_is_refused(tmp_path: Path) -> None:
    layer, _ = blob_of(GZIP, tmp_path)
    told = refusal(replace(layer, media_type="text/plain"))
    assert told == "a layer of media type text/plain cannot be read"


@EACH_CODEC
def test_every_flipped_byte_is_refused(codec: Codec, tmp_path: Path) -> None:
    layer, data = blob_of(codec, tmp_path)
    places = {*range(0, len(data), max(1, len(data) // 150)), *range(12), *range(-12, 0)}
    for place in places:
        damaged = bytearray(data)
        damaged[place] ^= 0x10
        told = refusal(replace(layer, source=BytesContent(bytes(damaged))))
        assert layer.digest.text in told


@EACH_CODEC
@pytest.mark.parametrize("cut", [1, 8, 100, 1024, 10**9])
def test_a_cut_blob_is_refused(codec: Codec, cut: int, tmp_path: Path) -> None:
    layer, data = blob_of(codec, tmp_path)
    rest = data[: max(0, len(data) - cut)]
    assert layer.digest.text in refusal(replace(layer, source=BytesContent(rest)))


@EACH_CODEC
@pytest.mark.parametrize("more", [b"\0", b"x", bytes(1 << 20)])
def test_a_longer_blob_is_refused(codec: Codec, more: bytes, tmp_path: Path) -> None:
    layer, data = blob_of(codec, tmp_path)
    told = refusal(replace(layer, source=BytesContent(data + more)))
    promise = f"blob {layer.digest}: more than the {layer.size} bytes its descriptor promises"
    # A gzip reader may stumble over what follows before the count is full.
    assert told in {promise, f"layer {layer.digest} cannot be read: Not a gzipped file (b'x')"}


@EACH_CODEC
def test_a_wrong_size_is_refused(codec: Codec, tmp_path: Path) -> None:
    layer, _ = blob_of(codec, tmp_path)
    size = layer.size
    assert refusal(replace(layer, size=size - 1)) == (
        f"blob {layer.digest}: more than the {size - 1} bytes its descriptor promises"
    )
    assert refusal(replace(layer, size=size + 1)) == (
        f"blob {layer.digest}: wanted {size + 1} bytes of that digest, "
        f"got {size} bytes that hash to {layer.digest}"
    )


@EACH_CODEC
def test_a_wrong_digest_is_refused(codec: Codec, tmp_path: Path) -> None:
    layer, _ = blob_of(codec, tmp_path)
    assert refusal(replace(layer, digest=Digest(OTHER))) == (
        f"blob {OTHER}: wanted {layer.size} bytes of that digest, "
        f"got {layer.size} bytes that hash to {layer.digest}"
    )


@EACH_CODEC
def test_a_wrong_diff_id_is_refused(codec: Codec, tmp_path: Path) -> None:
    layer, _ = blob_of(codec, tmp_path)
    assert refusal(replace(layer, diff_id=DiffId(OTHER))) == (
        f"layer {layer.digest}: wanted diff_id {OTHER}, its tar hashes to {layer.diff_id}"
    )


def test_a_member_that_comes_twice_is_refused() -> None:
    layer = foreign(directory("a"), file("a/b"), file("a/b"))
    assert refusal(layer) == f"layer {layer.digest} has a/b twice"


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ([file("a/b")], "a/b comes before a/"),
        ([directory("a"), file("a/b/c")], "a/b/c comes before a/b/"),
        ([file("a/b"), directory("a")], "a/b comes before a/"),
        ([file("a"), file("a/b")], "a/b comes before a/"),
        ([link("a", "b"), file("b")], f"a {BEFORE_ITS_FILE.format('b')}"),
        ([directory("a"), link("b", "a")], f"b {BEFORE_ITS_FILE.format('a')}"),
        ([link("b", "../a")], f"b {BEFORE_ITS_FILE.format('../a')}"),
    ],
)
def test_a_member_that_comes_too_early_is_refused(
    members: Iterable[tarfile.TarInfo], told: str
) -> None:
    layer = foreign(*members)
    assert refusal(layer) == f"layer {layer.digest}: {told}"


NOT_INSIDE = "not a path inside an image: {!r}; expected e.g. 'app/src/main.py'"


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("/etc/passwd", NOT_INSIDE),
        ("./etc", NOT_INSIDE),
        ("a/../../b", NOT_INSIDE),
        ("a//b", NOT_INSIDE),
        ("..", "path {!r} leaves the image root"),
        (".wh.a/b", "path {!r}: names that start with '.wh.' mean deletion in a layer"),
    ],
)
def test_a_member_outside_the_image_is_refused(name: str, told: str) -> None:
    layer = foreign(file(name))
    assert refusal(layer) == f"layer {layer.digest}: {told.format(name)}"


@pytest.mark.parametrize(
    ("tar", "told"),
    [
        (b"", "empty file"),
        (b"no tar at all" * 100, "invalid header"),
        (b"short", "truncated header"),
    ],
)
def test_what_is_no_tar_is_refused(tar: bytes, told: str) -> None:
    layer = layer_of(tar)
    assert refusal(layer) == f"layer {layer.digest} cannot be read: {told}"


def test_a_tar_that_ends_in_a_file_is_refused() -> None:
    info = file("a")
    info.size = 5000
    layer = layer_of(info.tobuf() + b"x" * 600)
    assert refusal(layer) == f"layer {layer.digest} cannot be read: unexpected end of data"


@given(st.binary(max_size=3000), st.sampled_from([GZIP, ZSTD, PLAIN]))
def test_no_bytes_at_all_raise_anything_else(data: bytes, codec: Codec) -> None:
    layer = replace(layer_of(data), media_type=codec.media_type)
    assert layer.digest.text in refusal(layer)


def test_the_blob_is_closed_whatever_it_holds(tmp_path: Path) -> None:
    layer, _ = blob_of(GZIP, tmp_path)
    streams: list[io.BytesIO] = []

    class Watched:
        def open(self) -> io.BytesIO:
            streams.append(io.BytesIO(b"damaged"))
            return streams[-1]

    refusal(replace(layer, source=Watched()))
    assert [stream.closed for stream in streams] == [True]


def test_a_reader_may_stop_early(tmp_path: Path) -> None:
    layer, _ = blob_of(GZIP, tmp_path)
    with contextlib.closing(
        cast("Generator[tuple[tarfile.TarInfo, object]]", read_members(layer))
    ) as members:
        assert next(members)[0].name == "app"
