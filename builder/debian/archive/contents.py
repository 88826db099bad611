"""Which packages ship a shared library, by an archive's Contents indexes.

https://wiki.debian.org/DebianRepository/Format#A.22Contents.22_indices
"""

import re
from collections.abc import Collection, Iterator
from typing import BinaryIO

from layers.digest import CHUNK

_LIBRARY_DIRECTORY = re.compile(rb"(?:usr/)?lib(?:64)?(?:/[a-z0-9_]+-linux-gnu[a-z0-9_]*)?")
_NAME = re.compile(r"[ -.0-~]+")
_LINE = re.compile(rb"(?P<path>.*?)[ \t]+(?P<packages>\S+)")


def shippers(stream: BinaryIO, wanted: Collection[str]) -> Iterator[tuple[str, str]]:
    """Names of libraries, each with a package that has it where the loader looks by default.

    Args:
        stream: an unpacked index; never more of it in memory than a few MiB.
        wanted: names of files, without directories; of those that no package's file may have,
            there is none.
    """
    needles = [b"/" + name.encode() for name in sorted(wanted) if _NAME.fullmatch(name)]
    for block in _blocks(stream):
        for needle in needles:
            at = block.find(needle)
            while at >= 0:
                yield from _shippers_at(block, at, needle)
                at = block.find(needle, at + 1)


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    """Whole lines, many at a time."""
    rest = b""
    while data := stream.read(CHUNK):
        whole, newline, rest = (rest + data).rpartition(b"\n")
        if newline:
            yield whole
    yield rest


def _shippers_at(block: bytes, at: int, needle: bytes) -> Iterator[tuple[str, str]]:
    start = block.rfind(b"\n", 0, at) + 1
    end = block.find(b"\n", at)
    line = _LINE.fullmatch(block, start, end if end >= 0 else len(block))
    directory = block[start:at]
    if line and line["path"] == directory + needle and _LIBRARY_DIRECTORY.fullmatch(directory):
        for package in line["packages"].split(b","):
            yield needle[1:].decode(), package.rpartition(b"/")[2].decode("utf-8", "replace")
