"""Packages laid on roots, and what came of it."""

from collections.abc import Sequence

import pytest

from builder.debian.root import Root
from builder.debian.unpack.deb import Deb
from builder.debian.unpack.unpack import Unpacked, unpack
from builder.errors import PackageError
from layers.entries import (
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    SymlinkEntry,
    WhiteoutEntry,
)
from layers.tar import complete

MERGED = {"bin": "usr/bin", "lib": "usr/lib", "sbin": "usr/sbin"}
USR = ("usr/bin", "usr/lib", "usr/sbin")
INFO = "var/lib/dpkg/info"


def laid(debs: Sequence[Deb], root: Root, *, docs: bool = True) -> dict[str, Entry]:
    return by_path(unpack(debs, root, docs=docs))


def by_path(unpacked: Unpacked) -> dict[str, Entry]:
    found = {entry.path: entry for entry in unpacked.entries}
    assert len(found) == len(unpacked.entries)
    assert len(complete(unpacked.entries, {})) >= len(found), "they make a layer"
    return found


def shown(entries: dict[str, Entry]) -> dict[str, str]:
    return {path: shown_entry(entry) for path, entry in entries.items()}


def shown_entry(entry: Entry) -> str:
    match entry:
        case FileEntry():
            with entry.content.open() as stream:
                return stream.read().decode()
        case DirEntry():
            return "/"
        case SymlinkEntry():
            return f"-> {entry.target}"
        case HardLinkEntry():
            return f"= {entry.target}"
        case WhiteoutEntry():
            return "gone"


def refusal(debs: Sequence[Deb], root: Root) -> str:
    with pytest.raises(PackageError) as caught:
        unpack(debs, root, docs=True)
    return caught.value.message
