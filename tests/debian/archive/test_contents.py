"""Who ships a library, whatever the pieces that an index comes in."""

import io
from collections.abc import Iterator
from typing import BinaryIO, cast

from hypothesis import given
from hypothesis import strategies as st

from builder.debian.archive.contents import shippers

LINES = (
    b"usr/lib/x86_64-linux-gnu/libpq.so.5\tlibs/libpq5\n"
    b"usr/lib/x86_64-linux-gnu/libpq.so.5.15   libs/libpq5\n"
    b"usr/lib/libpq.so.5   contrib/libs/other,libs/third\n"
    b"usr/bin/libpq.so.5 misc/no\n"
    b"FILE LOCATION\n"
    b"\n"
    b"usr/lib/libpq.so.5\n"
    b"lib/libpq.so.5 last"
)


class Dripping:
    """A stream whose pieces are as long as it is told."""

    def __init__(self, sizes: Iterator[int]) -> None:
        self._stream = io.BytesIO(LINES)
        self._sizes = sizes

    def read(self, _: int) -> bytes:
        return self._stream.read(next(self._sizes, -1))


@given(st.lists(st.integers(1, 80)))
def test_pieces_end_anywhere(sizes: list[int]) -> None:
    stream = cast("BinaryIO", Dripping(iter(sizes)))
    found = shippers(stream, ["libpq.so.5", "libz.so.1"])
    wanted = ["libpq5", "other", "third", "last"]
    assert list(found) == [("libpq.so.5", package) for package in wanted]


def test_nothing_ships_nothing() -> None:
    assert list(shippers(io.BytesIO(b""), ["libpq.so.5"])) == []
    assert list(shippers(io.BytesIO(LINES), [])) == []


def test_names_that_no_package_has_are_not_looked_for() -> None:
    odd = ["lib\udcff.so.1", "", "usr/lib/libpq.so.5", "libpq.so.5 ", "a\nb"]
    assert list(shippers(io.BytesIO(LINES), odd)) == []
