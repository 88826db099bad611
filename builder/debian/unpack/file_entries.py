"""Files and links of packages as entries, one inode for each file and its hard links."""

from collections.abc import Iterator, Mapping

from builder.debian.database.dpkg_files import DpkgFiles
from builder.debian.unpack.claims import Shipped
from builder.debian.unpack.tar_members import Member
from builder.errors import ContentError, PackageError
from layers.entries import Entry, FileEntry, HardLinkEntry, Owner, SymlinkEntry, order


def file_entries(by_path: Mapping[str, Shipped], known: DpkgFiles) -> Iterator[Entry]:
    """The entries of what stands at each real path.

    Args:
        by_path: files and links, by the real path that they come to stand at.
        known: names of owners, and what the administrator wants instead.

    Raises:
        PackageError: a symbolic link leaves the root from where it stands.
    """
    inodes: dict[tuple[str, str], list[str]] = {}
    for path, shipped in sorted(by_path.items(), key=lambda item: order(item[0])):
        member = shipped.member
        if member.kind == "symbolic link":
            yield _symlink(path, shipped, known)
        else:
            file = member.target or member.path
            inodes.setdefault((shipped.deb.name, file), []).append(path)
    for (_, file), names in inodes.items():
        yield from _names(file, names, by_path[names[0]], known)


def _symlink(path: str, shipped: Shipped, known: DpkgFiles) -> SymlinkEntry:
    _, owner = attributes(shipped.member, shipped.path, known)
    try:
        return SymlinkEntry(path=path, target=shipped.member.target, owner=owner)
    except ContentError as error:
        raise PackageError(f"{shipped.deb}: {error.message}") from error


def _names(file: str, names: list[str], shipped: Shipped, known: DpkgFiles) -> Iterator[Entry]:
    """A file under the first of its names, and hard links under the others."""
    member = shipped.member
    if member.content is None:
        # The file itself is left out, or comes after this name of it.
        member = next(m for m in shipped.deb.files if m.path == file)
    if member.content is None:
        raise AssertionError(f"{shipped.deb}: {file} is no file")
    mode, owner = attributes(member, file, known)
    first = names[0]
    yield FileEntry(path=first, content=member.content, size=member.size, mode=mode, owner=owner)
    for name in names[1:]:
        yield HardLinkEntry(path=name, target=first, mode=mode, owner=owner)


def attributes(member: Member, path: str, known: DpkgFiles) -> tuple[int, Owner]:
    """The mode and owner that a member gets in the root.

    Args:
        member: what a package ships.
        path: where, before links are resolved.
        known: names of owners, and what the administrator wants instead.
    """
    if override := known.overrides.get(path):
        return override.mode, override.owner
    return member.mode, known.owner(member.user, member.group, member.owner)
