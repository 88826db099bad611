"""Segments: files that are packed and compressed once, and stand in as many layers as want them.

A segment holds no directories and no end: those are in the layers. So its bytes depend on its own
files alone, and a layer that is joined of segments costs reading and hashing, no compression.
"""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from layers.compress import BlobCompressor, Codec, crc32
from layers.digest import Digest, HashingWriter, Sink, verified
from layers.entries import Content, Entry, FileContent, FileEntry, SymlinkEntry, order
from layers.errors import ContentError, LayerError
from layers.expand import Expander
from layers.tar import write_entries

_PIECE = 1 << 18
"""Bytes read at a time: of each, what was not yet expanded is copied once per ``CHUNK`` found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Files of a layer, packed and compressed on their own, that may stand among any others.

    Attributes:
        digest: of the compressed bytes.
        size: of the compressed bytes.
        tar_size: of the tar bytes inside.
        crc: CRC-32 of the tar bytes inside.
        content: opens the compressed bytes, as often as asked.
    """

    digest: Digest
    size: int
    tar_size: int
    crc: int
    content: Content


class _Counted:
    """Passes bytes on, and knows how many they were and their CRC-32."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self.crc = 0
        self.size = 0

    def write(self, data: bytes) -> object:
        self.crc = crc32(data, self.crc)
        self.size += len(data)
        return self._sink.write(data)


def write_segment(entries: Sequence[Entry], path: Path, *, codec: Codec) -> Segment:
    """Pack files and symbolic links into a segment at ``path``, and sync it to disk.

    Args:
        entries: in any order. The directories above them are the layer's.
        path: a file to create; it must not exist.
        codec: how to compress; the layer's.

    Raises:
        ContentError: an entry is neither file nor symbolic link, two claim one path, or a file
            cannot be read as it is.
        OSError: ``path`` cannot be written.
    """
    ordered = _ordered(entries)
    with path.open("xb") as file:
        blob = HashingWriter(file)
        compressor = codec.fragment(blob)
        tar = _Counted(compressor)
        write_entries(ordered, tar)
        compressor.close()
        file.flush()
        os.fsync(file.fileno())
    return Segment(
        digest=Digest(f"sha256:{blob.hexdigest}"),
        size=blob.size,
        tar_size=tar.size,
        crc=tar.crc,
        content=FileContent(path),
    )


def _ordered(entries: Sequence[Entry]) -> list[Entry]:
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if not isinstance(entry, FileEntry | SymlinkEntry):
            raise ContentError(
                f"a segment was given /{entry.path} as {type(entry).__name__}; "
                f"it holds files and symbolic links, all else is the layer's"
            )
        if entry.path in by_path:
            raise ContentError(f"two entries claim the path /{entry.path} in one segment")
        by_path[entry.path] = entry
    return sorted(by_path.values(), key=lambda entry: order(entry.path))


def join(segment: Segment, blob: BlobCompressor, tar: HashingWriter, *, codec: Codec) -> None:
    """Make a segment part of a blob, and let ``tar`` hash what is inside.

    Raises:
        LayerError: the bytes are not what the segment promises, or of another codec.
        OSError: they cannot be read.
    """
    pieces = _read(segment, tar, codec.expander())
    blob.splice(pieces, crc=segment.crc, size=segment.tar_size)


def _read(segment: Segment, tar: HashingWriter, expander: Expander) -> Iterator[bytes]:
    before, crc = tar.size, 0
    with segment.content.open() as file:
        stream = verified(file, segment.digest, segment.size)
        while data := stream.read(_PIECE):
            try:
                for found in expander.expand(data):
                    crc = crc32(found, crc)
                    tar.pass_by(found)
            except OSError as error:
                raise LayerError(f"segment {segment.digest} cannot be read: {error}") from error
            yield data
    got = tar.size - before
    if (got, crc, expander.is_whole()) != (segment.tar_size, segment.crc, True):
        raise LayerError(
            f"segment {segment.digest}: wanted {segment.tar_size} bytes of tar "
            f"with CRC-32 {segment.crc:08x}, got {got} with {crc:08x}"
        )
