"""What the old version of an upgraded package had and the new one has no more."""

from collections.abc import Collection, Iterable

from builder.rootfs.file_index import FileIndex
from layers.entries import WhiteoutEntry, parents


def removed(
    old: Iterable[str], files: FileIndex, *, kept: Collection[str]
) -> tuple[WhiteoutEntry, ...]:
    """Whiteouts for paths that nobody has any more.

    A directory goes when nothing is left in it, as with dpkg.

    Args:
        old: real paths that the old versions had.
        files: the root.
        kept: real paths that packages have, or that stay for another reason.
    """
    needed = {parent for path in kept for parent in parents(path)}.union(kept)
    candidates = {path for path in old if path not in needed}
    gone = {p for p in candidates if p in files.files or p in files.symlinks}
    directories = {p for p in candidates if p in files.directories}
    if directories:
        gone |= _emptied(directories, gone, files)
    return tuple(
        WhiteoutEntry(path=path)
        for path in sorted(gone)
        if not any(parent in gone for parent in parents(path))
    )


def _emptied(directories: Collection[str], gone: Collection[str], files: FileIndex) -> set[str]:
    inside: dict[str, set[str]] = {path: set() for path in directories}
    for paths in (files.files, files.symlinks, files.directories):
        for path in paths:
            above = path.rpartition("/")[0]
            if above in inside:
                inside[above].add(path)
    emptied: set[str] = set()
    for path in sorted(directories, key=lambda p: p.count("/"), reverse=True):
        if all(other in gone or other in emptied for other in inside[path]):
            emptied.add(path)
    return emptied
