"""Reads a layer back and recomputes everything that is claimed about it."""

import hashlib
import tarfile  # noqa: TID251 - a reader of its own: what tar.py wrote is proven by another path
from collections.abc import Container, Generator, Iterator
from typing import Any, BinaryIO, cast

from layers.compress import Codec, decompressed
from layers.digest import CHUNK, verified
from layers.entries import WHITEOUT_PREFIX, check_path, parents
from layers.errors import ContentError, LayerError
from layers.layer import Layer
from layers.segment import Segment

DAMAGES = (tarfile.TarError, OSError, EOFError, ValueError)
"""What reading a damaged layer raises, also while a member's content is read."""

_BUFFER = 1 << 18


class _Pieces:
    """What comes in pieces, as a stream."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int) -> bytes:
        while len(self._rest) < size and (piece := next(self._pieces, b"")):
            self._rest += piece
        found, self._rest = self._rest[:size], self._rest[size:]
        return found


class _Hashing:
    """A tar stream that is hashed while it is read."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.hash = hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        data = self._stream.read(size)
        self.hash.update(data)
        return data


def read_members(layer: Layer) -> Generator[tuple[tarfile.TarInfo, BinaryIO | None]]:
    """Every member with its content, in order; digest, size and diff_id are proven at the end.

    Read a member's content before asking for the next member. Whoever stops before the end closes
    this, and has no proof.

    Raises:
        LayerError: the blob or the tar inside is not what the layer promises.
    """
    with layer.source.open() as file:
        blob = verified(file, layer.digest, layer.size)
        tar = _Hashing(decompressed(blob, layer.media_type))
        try:
            yield from _members(cast("BinaryIO", tar))
            # The verdicts on tar and blob fall at their ends, behind the tar's end marker.
            for stream in (tar, blob):
                while stream.read(CHUNK):
                    pass
        except DAMAGES as error:
            raise LayerError(f"layer {layer.digest} cannot be read: {error}") from error
    if tar.hash.hexdigest() != layer.diff_id.hex:
        raise LayerError(
            f"layer {layer.digest}: wanted diff_id {layer.diff_id}, "
            f"its tar hashes to sha256:{tar.hash.hexdigest()}"
        )


def _members(stream: BinaryIO) -> Generator[tuple[tarfile.TarInfo, BinaryIO | None]]:
    with tarfile.open(
        fileobj=stream, mode="r|", bufsize=_BUFFER, encoding="utf-8", errors="surrogateescape"
    ) as archive:
        while (member := archive.next()) is not None:
            # A stream cannot look for what a link points at.
            content = archive.extractfile(member) if member.isreg() else None
            yield member, cast("BinaryIO | None", content)
            # The library remembers every member it saw; a stream never looks back.
            cast("Any", archive).members.clear()


def segment_files(
    segment: Segment, codec: Codec, wanted: Container[str]
) -> Generator[tuple[str, bytes]]:
    """The contents of some regular files of a segment, by path; its digest is proven at the end.

    Raises:
        LayerError: it is not what it promises. Other ``DAMAGES`` may come before that shows.
    """
    with segment.content.open() as file:
        blob = verified(file, segment.digest, segment.size)
        expander = codec.expander()
        pieces = (
            found
            for data in iter(lambda: blob.read(_BUFFER), b"")
            for found in expander.expand(data)
        )
        for member, content in _members(cast("BinaryIO", _Pieces(pieces))):
            if content is not None and member.name in wanted:
                yield member.name, content.read()
        for _ in pieces:
            pass


def verify_layer(layer: Layer) -> int:
    """Check a whole layer: identities, paths, duplicates, order. Returns its members.

    Directories come before what is in them, and files before the hard links to them.

    Raises:
        LayerError: something is not as it must be; the message names it.
    """
    seen: set[str] = set()
    directories: set[str] = set()
    files: set[str] = set()
    for member, _ in read_members(layer):
        _check_name(member.name, layer)
        if member.name in seen:
            raise LayerError(f"layer {layer.digest} has {member.name} twice")
        for parent in parents(member.name):
            if parent not in directories:
                raise LayerError(f"layer {layer.digest}: {member.name} comes before {parent}/")
        if member.islnk() and member.linkname not in files:
            raise LayerError(
                f"layer {layer.digest}: {member.name} comes before {member.linkname}, "
                f"the file that it is a hard link to"
            )
        seen.add(member.name)
        if member.isdir():
            directories.add(member.name)
        elif member.isreg():
            files.add(member.name)
    return len(seen)


def _check_name(name: str, layer: Layer) -> None:
    directory, slash, last = name.rpartition("/")
    try:
        check_path(f"{directory}{slash}{last.removeprefix(WHITEOUT_PREFIX)}")
    except ContentError as error:
        raise LayerError(f"layer {layer.digest}: {error.message}") from None
