"""A layer: always finished, whatever it came from."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from layers.digest import DiffId, Digest, HashingWriter
from layers.entries import FileContent

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from layers.compress import Codec
    from layers.entries import Content, DirEntry, Entry
    from layers.segment import Segment

FORMAT = 3
"""Raised when the same inputs give other layer bytes than before; part of every layer's key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A filesystem change set: built, cached, of a base or remote; only ``source`` differs.

    Attributes:
        media_type: of the blob.
        digest: of the blob, as stored and sent.
        size: of the blob, in bytes.
        diff_id: of the tar inside.
        source: opens the blob, as often as asked.
    """

    media_type: str
    digest: Digest
    size: int
    diff_id: DiffId
    source: Content


def write_layer(
    entries: Iterable[Entry],
    path: Path,
    *,
    codec: Codec,
    known: Mapping[str, DirEntry],
    segments: Sequence[Segment] = (),
) -> Layer:
    """Pack entries into a layer blob at ``path``, in one pass, and sync it to disk.

    Args:
        entries: in any order; missing parents are added (see ``layers.tar.complete``).
        path: a file to create; it must not exist.
        codec: how to compress.
        known: the directories of the layers below.
        segments: written with ``codec``; they follow the entries, which hold the directories
            above the segments' files.

    Raises:
        ContentError: the entries cannot be written as they are.
        LayerError: a segment is not what it promises.
        OSError: ``path`` cannot be written, or a segment not be read.
    """
    # Many who know layers write none.
    from layers.segment import join  # noqa: PLC0415
    from layers.tar import END, complete, write_entries  # noqa: PLC0415

    with path.open("xb") as file:
        blob = HashingWriter(file)
        compressor = codec.open(blob)
        tar = HashingWriter(compressor)
        write_entries(complete(entries, known), tar)
        for segment in segments:
            join(segment, compressor, tar, codec=codec)
        tar.write(END)
        compressor.close()
        file.flush()
        os.fsync(file.fileno())
    return Layer(
        media_type=codec.media_type,
        digest=Digest(f"sha256:{blob.hexdigest}"),
        size=blob.size,
        diff_id=DiffId(f"sha256:{tar.hexdigest}"),
        source=FileContent(path),
    )
