"""A layer: always finished, whatever it came from."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from layers.compress import Codec
from layers.digest import DiffId, Digest, HashingWriter
from layers.entries import Content, DirEntry, Entry, FileContent
from layers.tar import complete, write_tar

FORMAT = 1
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
    entries: Iterable[Entry], path: Path, *, codec: Codec, known: Mapping[str, DirEntry]
) -> Layer:
    """Pack entries into a layer blob at ``path``, in one pass, and sync it to disk.

    Args:
        entries: in any order; missing parents are added (see ``layers.tar.complete``).
        path: a file to create; it must not exist.
        codec: how to compress.
        known: the directories of the layers below.

    Raises:
        ContentError: the entries cannot be written as they are.
        OSError: ``path`` cannot be written.
    """
    with path.open("xb") as file:
        blob = HashingWriter(file)
        compressor = codec.open(blob)
        tar = HashingWriter(compressor)
        write_tar(complete(entries, known), tar)
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
