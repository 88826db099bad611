"""A base's file index, made once per base: the store keeps it."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from builder.errors import BuilderError
from builder.rootfs import INDEX_FORMAT
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import libraries_from_fact, libraries_to_fact
from builder.target import Libc
from layers.entries import DirEntry, Owner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from builder.oci.image import Image
    from builder.rootfs.libraries import Libraries
    from builder.rootfs.survey import Survey
    from builder.store.layout import Store
    from layers.digest import Digest

_KIND = "file-index"
_LIBRARIES = "libraries"


def file_index(image: Image, store: Store) -> FileIndex:
    """The index of an image; computed from its layers when the store does not keep it.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
        StoreError: the store cannot be read or written.
    """
    fact = store.fact(_KIND, str(image.digest))
    if fact is not None:
        try:
            return from_fact(fact)
        except (BuilderError, ValueError, LookupError, TypeError, AttributeError):
            # Another version of this program wrote it, or it is damaged: it costs the time to
            # make it anew.
            pass
    return _surveyed(image, store).files


def libraries(image: Image, store: Store) -> Libraries:
    """The shared libraries of an image; found in its layers when the store does not keep them.

    They are a fact of their own: most builds need the file index, and these only when something
    new is checked.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
        StoreError: the store cannot be read or written.
    """
    fact = store.fact(_LIBRARIES, str(image.digest))
    if fact is not None:
        try:
            return libraries_from_fact(fact)
        except ValueError:
            pass  # as for the index
    return _surveyed(image, store).libraries


def _surveyed(image: Image, store: Store) -> Survey:
    # What reads layers is loaded when it is used: most bases are known.
    from builder.rootfs.survey import survey  # noqa: PLC0415

    found = survey(image)
    key = str(image.digest)
    store.remember(_KIND, key, to_fact(found.files))
    store.remember(_LIBRARIES, key, libraries_to_fact(found.libraries))
    return found


def is_indexed(digest: Digest, store: Store) -> bool:
    """Whether the store keeps the index of an image, so that nobody has to read its layers."""
    fact = store.fact(_KIND, str(digest))
    return fact is not None and fact.get("format") == INDEX_FORMAT


def to_fact(index: FileIndex) -> dict[str, object]:
    """What the store keeps."""
    directories = _grouped((path, _attributes(entry)) for path, entry in index.directories.items())
    libc = index.libc
    return {
        "format": INDEX_FORMAT,
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
    if fact.get("format") != INDEX_FORMAT:
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
