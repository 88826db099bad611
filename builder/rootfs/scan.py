"""An image's layers, read once from the bottom up, and what of their files is worth knowing.

https://github.com/opencontainers/image-spec/blob/main/layer.md#applying-changesets
"""

import io
import posixpath
import re
import shutil
import tarfile  # noqa: TID251 - layers that other tools wrote are read here
import tempfile
from collections.abc import Container, Iterable
from collections.abc import Set as AbstractSet
from contextlib import closing
from dataclasses import dataclass, field
from typing import BinaryIO, cast

from builder.elf import MAGIC, Elf, read_elf
from builder.errors import LayerError
from builder.rootfs.libc import LIBC_FILE, MAX_LIBC, LibcFile, recognise
from layers.digest import CHUNK
from layers.entries import WHITEOUT_PREFIX, DirEntry, Owner, parents
from layers.layer import Layer
from layers.verify import DAMAGES, read_members

type Node = DirEntry | str | int
"""A directory, a symbolic link's target, or a file's mode; a device counts as a file that
nobody may execute."""

_OPAQUE = ".wh..wh..opq"
_RESERVED = ".wh..wh."
_MAX_CONTENT = 16 << 20
_IN_MEMORY = 16 << 20  # what is longer waits in a file
# Shared libraries and extension modules, and the program that loads the latter.
_LOADED = re.compile(r"(?:.*/)?(?:[^/]*\.so(?:\.[^/]*)?|python\d+\.\d+)")
_ODD_NAME = re.compile(r"//|(?:^|/)\.\.?(?:/|$)")


@dataclass(slots=True)
class Filesystem:
    """What a container would see.

    Attributes:
        nodes: by path.
        contents: of the files that were wanted, by path.
        libcs: the C libraries among the files, by path.
        elfs: shared libraries, and programs named as Python is, by path.
    """

    nodes: dict[str, Node] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    libcs: dict[str, LibcFile] = field(default_factory=dict)
    elfs: dict[str, Elf] = field(default_factory=dict)

    def forget(self, path: str) -> None:
        """Drop what is known of a file's content."""
        self.contents.pop(path, None)
        self.libcs.pop(path, None)
        self.elfs.pop(path, None)


@dataclass(slots=True)
class _Change:
    """One layer: what it adds, and what it takes from those below.

    Attributes:
        wanted: paths of files whose content is kept.
        added: what the layer has.
        hidden: paths that it deletes.
        emptied: directories that it empties.
    """

    wanted: Container[str]
    added: Filesystem = field(default_factory=Filesystem)
    hidden: set[str] = field(default_factory=set)
    emptied: set[str] = field(default_factory=set)


def scan(
    layers: Iterable[Layer], wanted: Container[str], below: Filesystem | None = None
) -> Filesystem:
    """Read layers from the bottom up.

    Args:
        layers: each one's blob is read to its end and checked against digest and diff_id.
        wanted: paths of small files whose content is kept.
        below: what the lowest layer lies on; it is changed.

    Raises:
        LayerError: a blob is not what was promised, or cannot be read as a tar.
    """
    whole = below or Filesystem()
    for layer in layers:
        _apply(whole, _read(layer, wanted))
    return whole


def _read(layer: Layer, wanted: Container[str]) -> _Change:
    change = _Change(wanted)
    with closing(read_members(layer)) as members:
        try:
            for member, content in members:
                path = _normal(member.name)
                if path and not _take_whiteout(path, change):
                    _take(path, member, change.added)
                    if content:
                        _take_content(path, member, content, change)
        except DAMAGES as error:
            raise LayerError(f"layer {layer.digest} cannot be read: {error}") from error
    return change


def _normal(name: str) -> str:
    name = name.removeprefix("./").strip("/")
    return posixpath.normpath(f"/{name}")[1:] if _ODD_NAME.search(name) else name


def _take_whiteout(path: str, change: _Change) -> bool:
    if WHITEOUT_PREFIX not in path:
        return False
    directory, _, name = path.rpartition("/")
    if name == _OPAQUE:
        change.emptied.add(directory)
        return True
    if name.startswith(WHITEOUT_PREFIX) and not name.startswith(_RESERVED):
        change.hidden.add(f"{directory}/{name.removeprefix(WHITEOUT_PREFIX)}".lstrip("/"))
        return True
    # What else is below the reserved names is a storage driver's own affair.
    return any(part.startswith(WHITEOUT_PREFIX) for part in path.split("/"))


def _take(path: str, member: tarfile.TarInfo, added: Filesystem) -> None:
    mode = member.mode & 0o7777
    added.forget(path)  # a later entry of the same path counts
    if member.isdir():
        owner = Owner(member.uid, member.gid)
        added.nodes[path] = DirEntry(path=path, mode=mode, owner=owner)
    elif member.issym():
        added.nodes[path] = member.linkname
    elif member.islnk():
        _take_hard_link(path, _normal(member.linkname), mode, added)
    else:
        added.nodes[path] = mode if member.isfile() else mode & ~0o111


def _take_hard_link(path: str, first: str, mode: int, added: Filesystem) -> None:
    there = added.nodes.get(first, mode)
    added.nodes[path] = mode if isinstance(there, DirEntry) else there
    if first in added.contents:
        added.contents[path] = added.contents[first]
    if first in added.libcs:
        added.libcs[path] = added.libcs[first]
    if first in added.elfs:
        added.elfs[path] = added.elfs[first]


def _take_content(path: str, member: tarfile.TarInfo, stream: BinaryIO, change: _Change) -> None:
    is_wanted = path in change.wanted and member.size <= _MAX_CONTENT
    is_libc = LIBC_FILE.fullmatch(path) and member.size <= MAX_LIBC
    if is_wanted or is_libc:
        data = stream.read()
        if is_wanted:
            change.added.contents[path] = data
        if is_libc and (libc := recognise(path, data)):
            change.added.libcs[path] = libc
        stream = io.BytesIO(data)
    if _LOADED.fullmatch(path) and (elf := _elf(stream)):
        change.added.elfs[path] = elf


def _elf(stream: BinaryIO) -> Elf | None:
    """What a file says to a loader, though a stream of a tar cannot be read from anywhere."""
    head = stream.read(len(MAGIC))
    if head != MAGIC:
        return None
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY) as whole:
        whole.write(head)
        shutil.copyfileobj(stream, whole, CHUNK)
        return read_elf(cast("BinaryIO", whole))


def _apply(whole: Filesystem, change: _Change) -> None:
    added = change.added
    _add_parents(whole, added)
    # A directory that became something else takes along what was in it.
    replaced = {
        path
        for path, node in added.nodes.items()
        if not isinstance(node, DirEntry) and isinstance(whole.nodes.get(path), DirEntry)
    }
    _remove(whole, change.hidden | replaced, change.emptied)
    for path in added.nodes:
        whole.forget(path)
    whole.nodes |= added.nodes
    whole.contents |= added.contents
    whole.libcs |= added.libcs
    whole.elfs |= added.elfs


def _add_parents(whole: Filesystem, added: Filesystem) -> None:
    """A file needs its directories, though a layer may not list them."""
    needed = {parent for path in added.nodes for parent in parents(path)} - added.nodes.keys()
    for path in needed:
        if not isinstance(whole.nodes.get(path), DirEntry):
            added.nodes[path] = DirEntry(path=path)


def _remove(whole: Filesystem, trees: AbstractSet[str], emptied: AbstractSet[str]) -> None:
    if not trees and not emptied:
        return
    below = trees | emptied
    gone = [
        path
        for path in whole.nodes
        if path in trees or "" in emptied or any(above in below for above in parents(path))
    ]
    for path in gone:
        del whole.nodes[path]
        whole.forget(path)
