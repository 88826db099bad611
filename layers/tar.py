"""Entries become tar bytes, by one policy: the same entries always give the same bytes.

Order is by path, parents first. Headers are ustar, as POSIX.1-1988 has it, and PAX records stand
only where ustar cannot say a name or a size. Owners are numbers, names stay empty, and every
modification time is the same.
"""

import tarfile  # noqa: TID251 - the one place that writes tar
from collections.abc import Iterable, Iterator, Mapping
from typing import assert_never

from layers.digest import CHUNK, Sink
from layers.entries import (
    WHITEOUT_PREFIX,
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    SymlinkEntry,
    WhiteoutEntry,
    order,
    parents,
)
from layers.errors import ContentError
from layers.ustar import MTIME, plain_header

_BLOCK = 512
_TOGETHER = 1 << 18
END = bytes(2 * _BLOCK)
"""The end marker of a tar."""


def complete(entries: Iterable[Entry], known: Mapping[str, DirEntry]) -> list[Entry]:
    """Sort entries and add the parent directories that they need.

    Some engines create a missing parent with mode 0600, so a layer carries all of its parents.
    A directory of the layers below (``known``) is repeated as it is there, never reset.

    Args:
        entries: in any order.
        known: the directories that lower layers already have, by path.

    Raises:
        ContentError: two entries claim one path, a file stands where a parent is needed, or a
            hard link has no file.
    """
    by_path: dict[str, Entry] = {}
    for entry in entries:
        if entry.path in by_path:
            raise ContentError(f"two entries claim the path /{entry.path} in one layer")
        by_path[entry.path] = entry
    for path in list(by_path):
        _add_parents(path, by_path, known)
    for entry in by_path.values():
        if isinstance(entry, HardLinkEntry):
            _check_link(entry, by_path.get(entry.target))
    return sorted(by_path.values(), key=lambda entry: order(entry.path))


def _add_parents(path: str, by_path: dict[str, Entry], known: Mapping[str, DirEntry]) -> None:
    for parent in parents(path):
        there = by_path.get(parent)
        if there is None:
            by_path[parent] = known.get(parent) or DirEntry(path=parent)
        elif not isinstance(there, DirEntry):
            raise ContentError(f"/{path} needs the directory /{parent}, which is not one")


def _check_link(link: HardLinkEntry, file: Entry | None) -> None:
    if not isinstance(file, FileEntry):
        raise ContentError(f"hard link /{link.path} to /{link.target}, which is no file here")
    if (link.mode, link.owner) != (file.mode, file.owner):
        raise ContentError(
            f"hard link /{link.path} ({link.mode:o}, {link.owner}) to /{link.target} "
            f"({file.mode:o}, {file.owner}): one file has one mode and one owner"
        )


def write_tar(entries: Iterable[Entry], sink: Sink) -> None:
    """Write a whole tar archive: entries as ordered by ``complete``, then the end marker.

    Raises:
        ContentError: a file changed while it was read, or could not be read.
    """
    write_entries(entries, sink)
    sink.write(END)


def write_entries(entries: Iterable[Entry], sink: Sink) -> None:
    """Write entries as they come, and no end marker.

    Raises:
        ContentError: a file changed while it was read, or could not be read.
    """
    pieces = _Pieces(sink)
    for entry in entries:
        pieces.write(header(entry))
        if isinstance(entry, FileEntry):
            for data in _content(entry):
                pieces.write(data)
    pieces.flush()


class _Pieces:
    """Hands on small pieces together: each costs a hasher and a compressor more than its bytes."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        if len(data) >= _TOGETHER:
            self.flush()
            self._sink.write(data)
            return
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _TOGETHER:
            self.flush()

    def flush(self) -> None:
        if self._pieces:
            self._sink.write(b"".join(self._pieces))
            self._pieces.clear()
            self._size = 0


def header(entry: Entry) -> bytes:
    """The header blocks of an entry."""
    return plain_header(entry) or _any_header(entry)


def _any_header(entry: Entry) -> bytes:
    info = _info(entry)
    if info.name.isascii() and info.linkname.isascii():
        try:
            return info.tobuf(tarfile.USTAR_FORMAT)
        except ValueError:
            # A long name or a size of 8 GiB and more: ustar cannot say it, PAX can.
            pass
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _info(entry: Entry) -> tarfile.TarInfo:
    info = tarfile.TarInfo(entry.path)
    info.mtime = MTIME
    match entry:
        case FileEntry():
            info.size = entry.size
            info.mode = entry.mode
        case DirEntry():
            info.type = tarfile.DIRTYPE
            info.mode = entry.mode
        case SymlinkEntry():
            info.type = tarfile.SYMTYPE
            info.linkname = entry.target
            info.mode = 0o777
        case HardLinkEntry():
            info.type = tarfile.LNKTYPE
            info.linkname = entry.target
            info.mode = entry.mode
        case WhiteoutEntry():
            directory, _, name = entry.path.rpartition("/")
            info.name = f"{directory}/{WHITEOUT_PREFIX}{name}".lstrip("/")
            return info
        case _:
            assert_never(entry)
    info.uid, info.gid = entry.owner.uid, entry.owner.gid
    return info


def _content(entry: FileEntry) -> Iterator[bytes]:
    left = entry.size
    try:
        with entry.content.open() as stream:
            while data := stream.read(CHUNK):
                left -= len(data)
                if left < 0:
                    break
                yield data
    except OSError as error:
        source = f"reading {error.filename}" if error.filename else "reading its source"
        raise ContentError(f"/{entry.path}: {source}: {error.strerror or error}") from error
    if left:
        raise ContentError(
            f"/{entry.path}: its source changed while it was read "
            f"(expected {entry.size} bytes, got {'more' if left < 0 else entry.size - left})",
            hint="build again when nothing writes into the project",
        )
    if padding := -entry.size % _BLOCK:
        yield bytes(padding)
