import gzip
import hashlib
import io
import random
import re
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from layers.compress import (
    CODECS,
    DOCKER_TAR_GZIP,
    GZIP,
    PLAIN,
    TAR,
    TAR_GZIP,
    TAR_ZSTD,
    ZSTD,
    Codec,
    Compressor,
    decompressed,
)
from layers.errors import LayerError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

# Text, zeros and what cannot be compressed, over several deflate and zstd blocks.
_RANDOM = random.Random(1)  # noqa: S311 - the same everywhere is the point
DATA = b"".join(
    [
        b"".join(b"def f_%d(x): return x\n" % (n % 977) for n in range(20_000)),
        bytes(300_000),
        _RANDOM.randbytes(200_000),
    ]
)
GOLDEN = {
    "gzip/zlib-ng-2.3.3/3": "350ca6bf5a473fdedf8b66fde86265c091f885a7818bd36459ade59bfc0e752d",
    "zstd/zstd-1.5.7/3": "8b281c1d4255d671732cd5233ad6c3878aaf2e72cf963095a7322c76bacc3e7e",
    "none/1": hashlib.sha256(DATA).hexdigest(),
}

GOLDEN_FRAGMENTS = GOLDEN | {
    "gzip/zlib-ng-2.3.3/3": "f2c0bfa2c39324f3baf37cf659c6908e5ac46024c99973d4f81132db5c3f5819",
}


def compressed(codec: Codec, pieces: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    return _written(codec.open(out), out, pieces)


def fragment(codec: Codec, pieces: Sequence[bytes]) -> bytes:
    out = io.BytesIO()
    return _written(codec.fragment(out), out, pieces)


def _written(compressor: Compressor, out: io.BytesIO, pieces: Sequence[bytes]) -> bytes:
    for piece in pieces:
        compressor.write(piece)
    compressor.close()
    return out.getvalue()


def cut(data: bytes, places: Sequence[int]) -> list[bytes]:
    ends = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in pairwise(ends)]


def test_the_codecs_are_named_as_settings_name_them() -> None:
    assert CODECS == {"gzip": GZIP, "zstd": ZSTD, "none": PLAIN}
    assert [codec.media_type for codec in CODECS.values()] == [
        "application/vnd.oci.image.layer.v1.tar+gzip",
        "application/vnd.oci.image.layer.v1.tar+zstd",
        "application/vnd.oci.image.layer.v1.tar",
    ]


def test_an_identity_names_library_version_and_level() -> None:
    assert re.fullmatch(r"gzip/zlib-ng-\d+\.\d+\.\d+\S*/3", GZIP.identity)
    assert re.fullmatch(r"zstd/zstd-\d+\.\d+\.\d+/3", ZSTD.identity)
    assert PLAIN.identity == "none/1"


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_one_version_of_a_library_always_gives_the_same_bytes(codec: Codec) -> None:
    if codec.identity not in GOLDEN:
        pytest.skip(f"no digest is pinned for {codec.identity}; pinned are {', '.join(GOLDEN)}")
    digest = hashlib.sha256(compressed(codec, [DATA])).hexdigest()
    assert digest == GOLDEN[codec.identity]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
def test_one_version_of_a_library_always_gives_the_same_fragment(codec: Codec) -> None:
    if codec.identity not in GOLDEN_FRAGMENTS:
        pytest.skip(f"no digest is pinned for {codec.identity}")
    digest = hashlib.sha256(fragment(codec, [DATA])).hexdigest()
    assert digest == GOLDEN_FRAGMENTS[codec.identity]


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@settings(max_examples=30, deadline=None)
@given(places=st.lists(st.integers(0, len(DATA)), max_size=40))
def test_a_fragment_does_not_depend_on_how_it_was_written(codec: Codec, places: list[int]) -> None:
    assert fragment(codec, cut(DATA, places)) == fragment(codec, [DATA])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@settings(max_examples=30, deadline=None)
@given(places=st.lists(st.integers(0, len(DATA)), max_size=40))
def test_bytes_do_not_depend_on_how_they_were_written(codec: Codec, places: list[int]) -> None:
    assert compressed(codec, cut(DATA, places)) == compressed(codec, [DATA])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(
    before=st.lists(st.binary(max_size=99), max_size=3),
    after=st.lists(st.binary(max_size=99), max_size=3),
)
def test_what_is_around_a_fragment_may_be_written_in_any_way(
    codec: Codec, before: list[bytes], after: list[bytes]
) -> None:
    part, crc = fragment(codec, [b"inside"]), zlib.crc32(b"inside")

    def around(before: list[bytes], after: list[bytes]) -> bytes:
        out = io.BytesIO()
        blob = codec.open(out)
        for data in before:
            blob.write(data)
        blob.splice([part[:3], part[3:]], crc=crc, size=6)
        for data in after:
            blob.write(data)
        blob.close()
        return out.getvalue()

    found = around(before, after)
    whole = [b"".join(before), b"inside", b"".join(after)]
    assert found == around([whole[0]], [whole[2]])
    assert found == around([b"", *before, b""], [b"", *after, b""])
    assert decompressed(io.BytesIO(found), codec.media_type).read() == b"".join(whole)


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@pytest.mark.parametrize("size", [1, 512, 10_240, 65_536, 1 << 20])
def test_bytes_do_not_depend_on_the_size_of_writes(codec: Codec, size: int) -> None:
    data = DATA[380_000:420_000] if size == 1 else DATA
    pieces = cut(data, range(size, len(data), size))
    assert compressed(codec, pieces) == compressed(codec, [data])


@pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)
@given(st.lists(st.binary(max_size=3000), max_size=5))
def test_what_was_compressed_is_read_again(codec: Codec, pieces: list[bytes]) -> None:
    blob = io.BytesIO(compressed(codec, pieces))
    assert decompressed(blob, codec.media_type).read() == b"".join(pieces)


def test_gzip_is_one_ordinary_member() -> None:
    data = compressed(GZIP, [DATA])
    assert data[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
    one = zlib.decompressobj(31)
    assert one.decompress(data) == DATA
    assert (one.eof, one.unused_data) == (True, b"")
    tool = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert (tool.stdout, tool.stderr) == (DATA, b"")


def test_a_stream_reader_that_stops_after_one_member_reads_it_all() -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo("a")
        info.size = len(DATA)
        tar.addfile(info, io.BytesIO(DATA))
    with tarfile.open(fileobj=io.BytesIO(compressed(GZIP, [out.getvalue()])), mode="r|gz") as tar:
        assert tar.getnames() == ["a"]


def test_zstd_is_one_frame() -> None:
    data = compressed(ZSTD, [DATA])
    frame = zstd.ZstdDecompressor()
    assert frame.decompress(data) == DATA
    assert (frame.eof, frame.unused_data) == (True, b"")


@pytest.mark.parametrize(
    ("media_type", "blob"),
    [
        (TAR, b"one two"),
        ("application/vnd.docker.image.rootfs.diff.tar", b"one two"),
        (TAR_GZIP, gzip.compress(b"one two")),
        (DOCKER_TAR_GZIP, gzip.compress(b"one two")),
        ("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", gzip.compress(b"one two")),
        ("application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", gzip.compress(b"one two")),
        (TAR_GZIP, gzip.compress(b"one ") + gzip.compress(b"") + gzip.compress(b"two")),
        (TAR_GZIP, gzip.compress(b"one two") + bytes(7)),
        (TAR_ZSTD, zstd.compress(b"one two")),
        (TAR_ZSTD, zstd.compress(b"one ") + zstd.compress(b"two")),
        (
            TAR_ZSTD,
            zstd.compress(b"one ") + b"\x50\x2a\x4d\x18\x02\0\0\0hi" + zstd.compress(b"two"),
        ),
        ("application/vnd.docker.image.rootfs.diff.tar.zstd", zstd.compress(b"one two")),
    ],
)
def test_reads_what_registries_hold(media_type: str, blob: bytes) -> None:
    with decompressed(io.BytesIO(blob), media_type) as stream:
        assert stream.read(5) == b"one t"
        assert stream.read() == b"wo"
        assert stream.read() == b""


@pytest.mark.parametrize(
    "media_type",
    [
        "",
        "tar",
        "text/plain",
        "application/vnd.oci.image.config.v1+json",
        f"{TAR}+bzip2",
        f"{TAR}\n",
    ],
)
def test_another_media_type_is_no_layer(media_type: str) -> None:
    with pytest.raises(LayerError) as caught:
        decompressed(io.BytesIO(), media_type)
    assert caught.value.message == f"a layer of media type {media_type} cannot be read"


@pytest.mark.parametrize("codec", [GZIP, ZSTD], ids=lambda codec: codec.name)
def test_a_cut_stream_ends_too_early(codec: Codec) -> None:
    blob = compressed(codec, [DATA])
    with pytest.raises(EOFError, match="ended before"):
        decompressed(io.BytesIO(blob[:-9]), codec.media_type).read()


@pytest.mark.parametrize("codec", [GZIP, ZSTD], ids=lambda codec: codec.name)
@given(place=st.integers(0, 20_000), bit=st.integers(0, 7))
def test_damage_is_an_os_error_whatever_the_library_calls_it(
    codec: Codec, place: int, bit: int
) -> None:
    blob = bytearray(compressed(codec, [DATA[-220_000:-180_000]]))
    blob[place] ^= 1 << bit
    try:
        found = decompressed(io.BytesIO(blob), codec.media_type).read()
    except (OSError, EOFError):
        return
    # A gzip header has bits without meaning, a zstd frame no checksum; blobs have a digest.
    assert codec is ZSTD or found == DATA[-220_000:-180_000]
