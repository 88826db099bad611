"""Entries laid on a base: they go where the base's symbolic links lead."""

from collections.abc import Iterable
from dataclasses import replace

from builder.errors import ContentError
from builder.rootfs.file_index import FileIndex
from layers.entries import DirEntry, Entry, HardLinkEntry


def settle(entries: Iterable[Entry], files: FileIndex) -> list[Entry]:
    """Where each entry really belongs.

    On a base whose ``/lib`` is a link to ``/usr/lib``, an entry ``lib/x`` would replace the link
    by a directory and leave nothing that runs. A directory that the base has is left to it: its
    mode and owner are not ours to set. One that several trees bring is the first one's. What a
    hard link names is moved as the file of that name is.

    Raises:
        ContentError: a file would replace a directory of the base, or the other way round, or
            where they lead a hard link comes before its file.
        BaseError: the base's links run in a circle.
    """
    settled: list[Entry] = []
    directories: set[str] = set()
    for entry in entries:
        if isinstance(entry, DirEntry):
            path = files.resolve(entry.path)
            if path in files.files:
                raise ContentError(f"/{entry.path} is a file in the base, and a directory here")
            if path not in files.directories and path not in directories:
                directories.add(path)
                settled.append(replace(entry, path=path))
            continue
        path = files.resolve_parent(entry.path)
        if files.resolve(path) in files.directories:
            raise ContentError(f"/{entry.path} is a directory in the base, and a file here")
        if isinstance(entry, HardLinkEntry):
            settled.append(replace(entry, path=path, target=files.resolve_parent(entry.target)))
        else:
            settled.append(entry if path == entry.path else replace(entry, path=path))
    return settled
