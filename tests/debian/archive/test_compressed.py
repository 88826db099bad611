"""Unpacking indexes piece by piece."""

import io
import lzma
import zlib

import pytest

from builder.debian.archive.compressed import Decompressed
from builder.errors import ArchiveError
from layers.digest import CHUNK
from tests.debian.archives import COMPRESS

TEXT = b"Package: a\n" * 150_000
BOMB = bytes(1 << 24)


def unpack(data: bytes, suffix: str, size: int = CHUNK) -> bytes:
    stream = Decompressed(io.BytesIO(data), suffix, "a.example/x")
    return b"".join(iter(lambda: stream.read(size), b""))


@pytest.mark.parametrize("suffix", COMPRESS)
def test_what_was_compressed_comes_back(suffix: str) -> None:
    packed = COMPRESS[suffix](TEXT)
    assert unpack(packed, suffix) == TEXT
    assert unpack(packed, suffix, 4099) == TEXT
    assert unpack(COMPRESS[suffix](b""), suffix) == b""


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_streams_may_follow_each_other(suffix: str) -> None:
    one = COMPRESS[suffix](b"one")
    assert unpack(one + COMPRESS[suffix](b"") + one, suffix) == b"oneone"


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_a_bomb_goes_off_in_small_pieces(suffix: str) -> None:
    stream = Decompressed(io.BytesIO(COMPRESS[suffix](BOMB)), suffix, "bomb")
    assert 0 < len(stream.read()) <= CHUNK


@pytest.mark.parametrize("suffix", [".gz", ".xz"])
def test_damage_is_named(suffix: str) -> None:
    packed = COMPRESS[suffix](TEXT)
    middle = len(packed) // 2
    for damaged in (
        b"",
        b"junk",
        packed[:-1],
        packed[:middle],
        packed + b"junk",
        packed[:middle] + b"\x55" * 20 + packed[middle + 20 :],
    ):
        with pytest.raises(ArchiveError, match=r"^a\.example/x cannot be unpacked: "):
            unpack(damaged, suffix)


def test_xz_that_wants_too_much_memory_is_refused() -> None:
    greedy = bytearray(lzma.compress(b"x", filters=[{"id": lzma.FILTER_LZMA2, "preset": 0}]))
    # The dictionary's size is a byte of the block's header, which a checksum ends.
    at = greedy.index(b"\x21\x01") + 2
    greedy[at] = 38
    header = bytes(greedy[12 : 12 + (greedy[12] + 1) * 4 - 4])
    greedy[12 + len(header) : 16 + len(header)] = zlib.crc32(header).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match="Memory usage limit exceeded"):
        unpack(bytes(greedy), ".xz")
