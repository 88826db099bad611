"""Tar archives of directories, read as trees."""

import tarfile  # noqa: TID251 - archives that other tools wrote are read here
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from builder.base.tree import told
from builder.errors import BaseError
from builder.store.layout import Store
from layers.compress import TAR, TAR_GZIP, TAR_ZSTD, decompressed
from layers.digest import CHUNK

_MAGIC = {b"\x1f\x8b": TAR_GZIP, b"\x28\xb5\x2f\xfd": TAR_ZSTD}
MAGIC_SIZE = 4
"""Bytes that ``tar_media_type`` wants to see."""

_REFUSALS = (OSError, EOFError, tarfile.TarError)


class ArchiveTree:
    """An uncompressed tar archive; links inside it are followed."""

    def __init__(self, archive: tarfile.TarFile, name: str) -> None:
        self._archive = archive
        self._name = name
        self._members = {m.name.removeprefix("./"): m for m in archive.getmembers()}

    def open(self, path: str) -> BinaryIO:
        """A file of the archive.

        Raises:
            BaseError: there is no such file.
        """
        member = self._members.get(path.removeprefix("./"))
        try:
            stream = self._archive.extractfile(member) if member else None
        except KeyError:
            stream = None
        if stream is None:
            raise BaseError(f"{self._name}: the archive holds no file {path}")
        return told(cast("BinaryIO", stream), f"{path} in {self._name}", _REFUSALS)


@contextmanager
def open_archive(path: Path, store: Store) -> Iterator[ArchiveTree]:
    """A tar archive, plain or compressed, as a tree.

    Its files are read in any order, so a compressed one is unpacked into the store's scratch
    space first.

    Raises:
        BaseError: it cannot be read, or is no tar archive.
        StoreError: there is no room for the unpacked archive.
    """
    with _reading(path):
        file = path.open("rb")
    with file, store.ingest() as scratch:
        with _reading(path):
            kind = tar_media_type(file.read(MAGIC_SIZE))
            file.seek(0)
        if kind != TAR:
            _unpack(file, kind, scratch)
        with _reading(path):
            archive = tarfile.open(scratch if kind != TAR else path, "r:", encoding="utf-8")  # noqa: SIM115 - closed below
        with archive:
            with _reading(path):
                tree = ArchiveTree(archive, str(path))
            yield tree


def tar_media_type(start: bytes) -> str:
    """The media type of a tar that starts with these bytes: plain, gzip or zstd."""
    return next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), TAR)


def _unpack(file: BinaryIO, kind: str, scratch: Path) -> None:
    # What cannot be written is for the store to tell.
    with scratch.open("xb") as unpacked, decompressed(file, kind) as stream:
        while data := _piece(stream, file.name):
            unpacked.write(data)


def _piece(stream: BinaryIO, name: str) -> bytes:
    try:
        return stream.read(CHUNK)
    except (OSError, EOFError, ValueError) as error:
        if isinstance(error, OSError) and error.strerror:
            raise BaseError(f"cannot read {name}: {error.strerror}") from error
        raise BaseError(f"{name}: the archive is damaged: {error}") from error


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BaseError(f"cannot read {path}: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise BaseError(f"{path} is no tar archive, or a damaged one: {error}") from error
