"""Packages laid on a root: what apt and dpkg would leave there, as entries of one layer."""

import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from builder.debian.archive.archive import Archive
from builder.debian.database.database import database
from builder.debian.effects.effects import Unhandled, effects
from builder.debian.package import Pin
from builder.debian.root import Root
from builder.debian.unpack.deb import Deb, read_deb
from builder.debian.unpack.unpack import unpack
from builder.errors import PackageError
from builder.parallel import in_parallel
from builder.rootfs.file_index import FileIndex
from builder.rootfs.overlay import overlaid
from layers.entries import Entry, FileEntry, HardLinkEntry, WhiteoutEntry, order


@dataclass(frozen=True, slots=True, kw_only=True)
class Composition:
    """What packages add to a root.

    Attributes:
        entries: settled; the content of files is below the scratch directory.
        files: the root with them.
        unhandled: what maintainer scripts would have done and nothing here does.
    """

    entries: tuple[Entry, ...]
    files: FileIndex
    unhandled: tuple[Unhandled, ...]


def compose(  # noqa: PLR0913 - packages, where they come from and where they go
    pins: Sequence[Pin],
    root: Root,
    *,
    archive: Archive,
    scratch: Path,
    docs: bool,
    requested: Collection[str],
) -> Composition:
    """Unpack packages on a root, do what their scripts would, and enter them in dpkg's database.

    Args:
        pins: the packages, all of them and no others.
        root: what they are laid on; those it has in another version are upgraded.
        archive: where their content is.
        scratch: an empty directory, needed until the entries are packed.
        docs: keep documentation, manual pages and translations.
        requested: names that the user asked for; the others came along.

    Raises:
        ArchiveError: the archive does not give a package.
        PackageError: a package is not what it should be, or does not go with another.
    """
    archive.fetch(pins)
    debs = in_parallel(
        lambda pin: _read(pin, archive, scratch),
        sorted(pins, key=lambda pin: pin.name),
        stop=threading.Event(),
    )
    unpacked = unpack(debs, root, docs=docs)
    done = effects(debs, {entry.path: entry for entry in unpacked.entries}, root)
    known = database(debs, unpacked, root, requested=requested)
    entries = _laid_over(unpacked.entries, done.entries, known, root=root)
    return Composition(
        entries=entries, files=overlaid(root.files, entries), unhandled=done.unhandled
    )


def _read(pin: Pin, archive: Archive, scratch: Path) -> Deb:
    with archive.open(pin) as stream:
        deb = read_deb(stream, str(pin), scratch)
    if (deb.name, deb.version, deb.architecture) != (pin.name, pin.version, pin.architecture):
        raise PackageError(
            f"{pin.path} holds {deb.name} {deb.version} {deb.architecture}; expected {pin}"
        )
    return deb


def _laid_over(*lower_to_upper: Iterable[Entry], root: Root) -> tuple[Entry, ...]:
    """Entries by path; a later one takes the place of an earlier one.

    What a script took away again is hidden only where the root has it too.
    """
    entries = [entry for layer in lower_to_upper for entry in layer]
    by_path = {entry.path: entry for entry in entries}
    by_path |= _linked(by_path, {e.path: e for e in entries if isinstance(e, FileEntry)})
    return tuple(
        entry
        for path, entry in by_path.items()
        if not isinstance(entry, WhiteoutEntry) or root.files.stands(path)
    )


def _linked(by_path: Mapping[str, Entry], files: Mapping[str, FileEntry]) -> dict[str, Entry]:
    """Hard links as they are when something else was done to their file.

    One file has one mode and owner. When it lost its first name, the next becomes the first.

    Args:
        by_path: all entries.
        files: the last file at each path, if only for a time.
    """
    names: dict[str, list[HardLinkEntry]] = {}
    for entry in by_path.values():
        if isinstance(entry, HardLinkEntry):
            names.setdefault(entry.target, []).append(entry)
    found: dict[str, Entry] = {}
    for target, links in names.items():
        file = by_path.get(target)
        if not isinstance(file, FileEntry):
            links.sort(key=lambda link: order(link.path))
            first = links.pop(0)
            file = replace(files[target], path=first.path, mode=first.mode, owner=first.owner)
            found[file.path] = file
        for link in links:
            found[link.path] = replace(link, target=file.path, mode=file.mode, owner=file.owner)
    return found
