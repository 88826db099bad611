"""A filesystem with one more layer on it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

from builder.rootfs.file_index import FileIndex
from builder.rootfs.scan import Node
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry, WhiteoutEntry, parents


def overlaid(files: FileIndex, entries: Iterable[Entry]) -> FileIndex:
    """The index of a filesystem on which entries were laid.

    Args:
        files: the index without them.
        entries: settled; a layer adds the directories above them that are missing.

    Raises:
        OSError: the new content of an account file cannot be read.
    """
    laid = {entry.path: entry for entry in entries}
    gone = {path for path, entry in laid.items() if isinstance(entry, WhiteoutEntry)}
    below: dict[str, Node] = {**files.directories, **files.symlinks, **files.files}
    nodes = {
        path: node
        for path, node in below.items()
        if path not in gone and not (gone and gone.intersection(parents(path)))
    }
    for path, entry in laid.items():
        if path not in gone:
            nodes |= {p: DirEntry(path=p) for p in parents(path) if p not in nodes}
            nodes[path] = _node(entry)
    return replace(
        FileIndex.of_nodes(nodes),
        passwd=_content(laid, "etc/passwd", files.passwd),
        group=_content(laid, "etc/group", files.group),
        libc=files.libc,
    )


def _node(entry: Entry) -> Node:
    match entry:
        case DirEntry():
            return entry
        case SymlinkEntry():
            return entry.target
        case WhiteoutEntry():
            raise AssertionError(f"{entry.path}: what is gone is no node")
        case _:
            return entry.mode


def _content(laid: Mapping[str, Entry], path: str, otherwise: bytes) -> bytes:
    entry = laid.get(path)
    if not isinstance(entry, FileEntry):
        return otherwise
    with entry.content.open() as stream:
        return stream.read()
