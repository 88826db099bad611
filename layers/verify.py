"""Reads a layer back and recomputes everything that is claimed about it."""

import hashlib
import tarfile  # noqa: TID251 - a reader of its own: what tar.py wrote is proven by another path
from collections.abc import Iterator
from typing import BinaryIO, cast

from layers.compress import decompressed
from layers.digest import CHUNK, VerifyingReader
from layers.entries import WHITEOUT_PREFIX, check_path, parents
from layers.errors import ContentError, LayerError
from layers.layer import Layer


class _Hashing:
    """A tar stream that is hashed while it is read."""

    def __init__(self, stream: BinaryIO, algorithm: str) -> None:
        self._stream = stream
        self.hash = hashlib.new(algorithm)

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.hash.update(data)
        return data


def read_members(layer: Layer) -> Iterator[tuple[tarfile.TarInfo, BinaryIO | None]]:
    """Every member with its content, in order; digest, size and diff_id are proven at the end.

    Read a member's content before asking for the next member.

    Raises:
        LayerError: the blob or the tar inside is not what the layer promises.
    """
    with layer.source.open() as file:
        blob = cast("BinaryIO", VerifyingReader(file, layer.digest, layer.size))
        tar = _Hashing(decompressed(blob, layer.media_type), layer.diff_id.algorithm)
        try:
            with tarfile.open(
                fileobj=cast("BinaryIO", tar), mode="r|", encoding="utf-8", errors="surrogateescape"
            ) as archive:
                for member in archive:
                    # A stream cannot look for what a link points at.
                    stream = archive.extractfile(member) if member.isreg() else None
                    yield member, cast("BinaryIO | None", stream)
            while tar.read(CHUNK):
                pass
        except (tarfile.TarError, EOFError, OSError) as error:
            raise LayerError(f"layer {layer.digest} cannot be read: {error}") from error
    if tar.hash.hexdigest() != layer.diff_id.hex:
        raise LayerError(
            f"layer {layer.digest}: wanted diff_id {layer.diff_id}, "
            f"its tar hashes to {layer.diff_id.algorithm}:{tar.hash.hexdigest()}"
        )


def verify_layer(layer: Layer) -> int:
    """Check a whole layer: identities, paths, duplicates, parents first. Returns its members.

    Raises:
        LayerError: something is not as it must be; the message names it.
    """
    seen: set[str] = set()
    directories: set[str] = set()
    for member, _ in read_members(layer):
        _check_name(member.name, layer)
        if member.name in seen:
            raise LayerError(f"layer {layer.digest} has {member.name} twice")
        for parent in parents(member.name):
            if parent not in directories:
                raise LayerError(f"layer {layer.digest}: {member.name} comes before {parent}/")
        seen.add(member.name)
        if member.isdir():
            directories.add(member.name)
    return len(seen)


def _check_name(name: str, layer: Layer) -> None:
    directory, slash, last = name.rpartition("/")
    try:
        check_path(f"{directory}{slash}{last.removeprefix(WHITEOUT_PREFIX)}")
    except ContentError as error:
        raise LayerError(f"layer {layer.digest}: {error.message}") from None
