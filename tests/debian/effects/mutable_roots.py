"""Roots to be changed, for tests: few files, or a directory of this machine."""

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.root import Root
from layers.entries import DirEntry, Entry, FileContent, FileEntry, SymlinkEntry, parents


def of(files: Mapping[str, bytes | str] | None = None, *entries: Entry) -> MutableRoot:
    """Files by path; a text is the target of a link. Directories come by themselves."""
    found: dict[str, Entry] = {}
    for path, content in (files or {}).items():
        for above in parents(path):
            found.setdefault(above, DirEntry(path=above))
        if isinstance(content, str):
            found[path] = SymlinkEntry(path=path, target=content)
        else:
            found[path] = FileEntry.of(path, content)
    return MutableRoot(Root(), found | {entry.path: entry for entry in entries})


def of_directory(top: Path, *names: str) -> MutableRoot:
    """What lies in a directory of this machine, or in some of its directories."""
    found: dict[str, Entry] = {}
    for name in names or ("",):
        for directory, directories, files in os.walk(top / name):
            for child in (Path(directory, one) for one in (*directories, *files)):
                entry = _entry(child, str(child.relative_to(top)))
                if entry:
                    found[entry.path] = entry
    return MutableRoot(Root(), found)


def _entry(path: Path, name: str) -> Entry | None:
    status = path.lstat()
    mode = status.st_mode & 0o7777
    if stat.S_ISLNK(status.st_mode):
        return SymlinkEntry(path=name, target=str(path.readlink()))
    if stat.S_ISDIR(status.st_mode):
        return DirEntry(path=name, mode=mode)
    if stat.S_ISREG(status.st_mode):
        return FileEntry(path=name, content=FileContent(path), size=status.st_size, mode=mode)
    return None
