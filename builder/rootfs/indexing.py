"""Making a base's file index from its layers, once per base: the store keeps it."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from builder.errors import BuilderError, LayerError
from builder.oci.image import Image
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libc import APK_DATABASES, choose_libc
from builder.rootfs.scan import Filesystem, scan
from builder.store.layout import Store
from builder.target import Libc
from layers.digest import Digest
from layers.entries import DirEntry, Owner

_KIND = "file-index"
_FORMAT = 1
"""Raised when the same layers give another index than before, or it is written otherwise."""

_ACCOUNTS = ("etc/passwd", "etc/group")


def file_index(image: Image, store: Store) -> FileIndex:
    """The index of an image; computed from its layers when the store does not keep it.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
        StoreError: the store cannot be read or written.
    """
    key = str(image.digest)
    fact = store.fact(_KIND, key)
    if fact is not None:
        try:
            return from_fact(fact)
        except (BuilderError, ValueError, LookupError, TypeError, AttributeError):
            # Another version of this program wrote it, or it is damaged: it costs the time to
            # make it anew.
            pass
    index = compute_file_index(image)
    store.remember(_KIND, key, to_fact(index))
    return index


def is_indexed(digest: Digest, store: Store) -> bool:
    """Whether the store keeps the index of an image, so that nobody has to read its layers."""
    fact = store.fact(_KIND, str(digest))
    return fact is not None and fact.get("format") == _FORMAT


def compute_file_index(image: Image) -> FileIndex:
    """Read every layer of an image.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    found = _scan(image, {*_ACCOUNTS, *APK_DATABASES})
    index = FileIndex.of_nodes(found.nodes)
    places = {name: index.resolve(name) for name in _ACCOUNTS}
    elsewhere = {p for p in places.values() if p in index.files and p not in found.contents}
    if elsewhere:
        # An account file that is a link: only now is it known which file to read.
        found.contents |= _scan(image, elsewhere).contents
    apk = b"".join(found.contents.get(path, b"") for path in APK_DATABASES)
    architecture = image.config.value.platform.architecture
    return replace(
        index,
        passwd=found.contents.get(places["etc/passwd"], b""),
        group=found.contents.get(places["etc/group"], b""),
        libc=choose_libc(found.libcs.values(), architecture, apk),
    )


def _scan(image: Image, wanted: set[str]) -> Filesystem:
    try:
        return scan(image.layers, wanted)
    except LayerError as error:
        raise LayerError(
            error.message,
            hint=error.hint or "delete that blob from the store; the next build fetches it again",
        ) from error


def to_fact(index: FileIndex) -> dict[str, object]:
    """What the store keeps."""
    directories = _grouped((path, _attributes(entry)) for path, entry in index.directories.items())
    libc = index.libc
    return {
        "format": _FORMAT,
        "directories": directories,
        "symlinks": dict(index.symlinks),
        "files": _grouped((path, f"{mode:o}") for path, mode in index.files.items()),
        "passwd": index.passwd.decode("utf-8", "surrogateescape"),
        "group": index.group.decode("utf-8", "surrogateescape"),
        "libc": [libc.name, *libc.version] if libc else None,
    }


def from_fact(fact: Mapping[str, Any]) -> FileIndex:
    """Read what ``to_fact`` wrote.

    Raises:
        ValueError: it is of another format.
    """
    if fact.get("format") != _FORMAT:
        raise ValueError(f"format {fact.get('format')}")
    directories = {
        path: DirEntry(path=path, mode=int(mode, 8), owner=_owner(int(uid), int(gid)))
        for group, paths in fact["directories"].items()
        for mode, uid, gid in [group.split(":")]
        for path in paths
    }
    files: dict[str, int] = {}
    for mode, paths in fact["files"].items():
        files |= dict.fromkeys(paths, int(mode, 8))
    libc = fact["libc"]
    return FileIndex(
        directories=directories,
        symlinks=fact["symlinks"],
        files=files,
        passwd=fact["passwd"].encode("utf-8", "surrogateescape"),
        group=fact["group"].encode("utf-8", "surrogateescape"),
        libc=Libc(name=libc[0], version=(libc[1], libc[2])) if libc else None,
    )


def _attributes(entry: DirEntry) -> str:
    return f"{entry.mode:o}:{entry.owner.uid}:{entry.owner.gid}"


@cache
def _owner(uid: int, gid: int) -> Owner:
    return Owner(uid, gid)


def _grouped(pairs: Iterator[tuple[str, str]]) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for path, key in pairs:
        groups.setdefault(key, []).append(path)
    return groups
