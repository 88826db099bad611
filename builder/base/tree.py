"""Files by their path: a directory, or an archive of one, read the same way."""

import tarfile  # noqa: TID251 - archives that other tools wrote are read here
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, Self, cast

from builder.errors import BaseError
from builder.store.layout import Store
from layers.compress import TAR, TAR_GZIP, TAR_ZSTD, decompressed
from layers.digest import CHUNK

_MAGIC = {b"\x1f\x8b": TAR_GZIP, b"\x28\xb5\x2f\xfd": TAR_ZSTD}
MAGIC_SIZE = 4
"""Bytes that ``tar_media_type`` wants to see."""


class Tree(Protocol):
    """A tree of files."""

    def open(self, path: str) -> BinaryIO:
        """A file, by its ``/``-separated path from the root.

        Raises:
            BaseError: there is no such file, or it cannot be read.
        """
        ...


@dataclass(frozen=True, slots=True)
class DirectoryTree:
    """A directory."""

    root: Path

    def open(self, path: str) -> BinaryIO:
        """A file below the directory.

        Raises:
            BaseError: there is no such file, or it cannot be read.
        """
        try:
            return _told((self.root / path).open("rb"), f"{path} in {self.root}")
        except FileNotFoundError as error:
            lacking = f"it has no {path}" if self.root.is_dir() else "there is no such directory"
            raise BaseError(f"{self.root} is not an OCI image layout: {lacking}") from error
        except OSError as error:
            raise BaseError(f"{self.root}: cannot read {path}: {error.strerror}") from error


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
        return _told(cast("BinaryIO", stream), f"{path} in {self._name}")


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


class _Told:
    """A file of a tree; what keeps it from being read is told in terms of the base.

    Otherwise it would look like a fault of the store that the file is copied to.
    """

    def __init__(self, stream: BinaryIO, name: str) -> None:
        self._stream = stream
        self._name = name

    def read(self, size: int = -1) -> bytes:
        try:
            return self._stream.read(size)
        except (OSError, EOFError, tarfile.TarError) as error:
            reason = getattr(error, "strerror", None) or error
            raise BaseError(f"cannot read {self._name}: {reason}") from error

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._stream.seek(offset, whence)

    def close(self) -> None:
        self._stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _told(stream: BinaryIO, name: str) -> BinaryIO:
    return cast("BinaryIO", _Told(stream, name))


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BaseError(f"cannot read {path}: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise BaseError(f"{path} is no tar archive, or a damaged one: {error}") from error
