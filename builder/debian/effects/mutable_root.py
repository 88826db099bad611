"""A root with packages laid on it, to which effects add what scripts would have."""

import fnmatch
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace

from builder.debian.effects.unknown import is_unknown
from builder.debian.root import Root
from builder.rootfs.file_index import FileIndex
from layers.entries import (
    ROOT,
    DirEntry,
    Entry,
    FileEntry,
    HardLinkEntry,
    Owner,
    SymlinkEntry,
    WhiteoutEntry,
)

_PASSING = ("dev/", "proc/", "sys/", "tmp/", "var/tmp/")
_IS_PATTERN = re.compile(r"[*?[]")
_MOST_READ = 8 << 20  # bytes of a file that a script's commands look at


class MutableRoot:
    """Files of a root and of packages as one tree; effects read it and add to it.

    Args:
        root: below everything.
        files: entries of the packages, by real path.

    Attributes:
        files: where everything is, what was added included.
    """

    def __init__(self, root: Root, files: Mapping[str, Entry]) -> None:
        self._root = root
        self._packed = files.keys()
        self._entries = dict(files)
        self._added: dict[str, Entry] = {}
        self._passing: set[str] = set()
        self._directories: dict[str, DirEntry] = dict(root.files.directories)
        self._symlinks: dict[str, str] = dict(root.files.symlinks)
        self._modes: dict[str, int] = dict(root.files.files)
        self._hard_links: dict[str, list[str]] = {}
        for path, entry in files.items():
            self._index(path, entry)
            if isinstance(entry, HardLinkEntry):
                self._hard_links.setdefault(entry.target, []).append(path)
        self.files = FileIndex(
            directories=self._directories, symlinks=self._symlinks, files=self._modes
        )

    @property
    def added(self) -> tuple[Entry, ...]:
        """What effects added or changed, by path; not what scripts put aside for a while."""
        return tuple(
            entry
            for path, entry in sorted(self._added.items())
            if path not in self._passing and not path.startswith(_PASSING)
        )

    @property
    def size(self) -> int:
        """How many names there are."""
        return len(self._modes) + len(self._symlinks) + len(self._directories)

    def is_passing(self, path: str) -> bool:
        """Whether what is written at a path does not stay."""
        real = self.files.resolve(path)
        return real in self._passing or f"{real}/".startswith(_PASSING)

    def pass_over(self, path: str) -> None:
        """Keep what is written at a path only while scripts are followed."""
        self._passing.add(self.files.resolve(path))

    @property
    def packed(self) -> Mapping[str, Entry]:
        """Every entry that is not the root's, by real path."""
        return self._entries

    def put(self, entry: Entry) -> None:
        """Add an entry, or replace the one of the same path; its parent's links are followed.

        What stands there already, exactly so, is left alone.
        """
        path = self.files.resolve_parent(entry.path)
        entry = _moved(entry, path)
        if self._entries.get(path) == entry or self._is_the_root_s(path, entry):
            return
        self._entries[path] = self._added[path] = entry
        self._index(path, entry)
        if isinstance(entry, FileEntry):
            self._follow(entry)

    def _follow(self, first: FileEntry) -> None:
        """Other names of a file have its mode and owner."""
        for path in self._hard_links.get(first.path, ()):
            link = self._entries.get(path)
            if isinstance(link, HardLinkEntry) and link.target == first.path:
                self.put(replace(link, mode=first.mode, owner=first.owner))

    def write(self, path: str, data: bytes, *, mode: int = 0o644, owner: Owner = ROOT) -> None:
        """Write a file as a shell's ``>`` does: through links, and one that stands keeps its mode.

        Args:
            path: of the file.
            data: its new content.
            mode: of a new file.
            owner: of a new file, and of one of the root: its owner is not at hand.

        Raises:
            ValueError: a part of the content is unknown, and the file is to stay.
        """
        if is_unknown(data) and not self.is_passing(path):
            raise ValueError(f"/{path.lstrip('/')}: its content would be unknown")
        real = self.files.resolve(path)
        before = self._entries.get(real)
        if isinstance(before, HardLinkEntry):
            real = before.target
            before = self._entries.get(real)
        if isinstance(before, FileEntry):
            mode, owner = before.mode, before.owner
        if self.read(real) != data:
            self.put(FileEntry.of(real, data, mode=self._modes.get(real, mode), owner=owner))

    def link(self, path: str, target: str) -> None:
        """Add a symbolic link, as ``ln -sf`` does."""
        self.put(SymlinkEntry(path=self.files.resolve_parent(path), target=target))

    def directory(self, path: str, mode: int = 0o755, owner: Owner = ROOT) -> None:
        """Add a directory, or set the mode and owner of the one that is there."""
        self.put(DirEntry(path=self.files.resolve(path), mode=mode, owner=owner))

    def remove(self, path: str) -> None:
        """Take away what stands at a path, its parent's links followed; nothing is no error."""
        real = self.files.resolve_parent(path)
        self._entries.pop(real, None)
        self._added.pop(real, None)
        if real in self._packed or self._root.files.stands(real):
            self._entries[real] = self._added[real] = WhiteoutEntry(path=real)
        for index in (self._symlinks, self._modes, self._directories):
            index.pop(real, None)

    def read(self, path: str) -> bytes | None:
        """The content of a file; None when there is none, or it is one of the root's not kept.

        Raises:
            ValueError: it is too large to be looked at.
        """
        real = self.files.resolve(path)
        entry = self._entries.get(real)
        if isinstance(entry, HardLinkEntry):
            entry = self._entries.get(entry.target)
        if isinstance(entry, FileEntry):
            if entry.size > _MOST_READ:
                raise ValueError(f"/{path.lstrip('/')} is too large to be looked at")
            with entry.content.open() as stream:
                return stream.read()
        return self._root.contents.get(real) if entry is None else None

    def text(self, path: str) -> str:
        """The same as text, in which any byte survives; empty where ``read`` gives None."""
        return (self.read(path) or b"").decode("utf-8", "surrogateescape")

    def has(self, path: str) -> bool:
        """Whether a path leads to a file or directory, as ``test -e`` says."""
        real = self.files.resolve(path)
        return not real or real in self._modes or real in self._directories

    def stands(self, path: str) -> bool:
        """Whether the name is taken, if only by a link that leads nowhere."""
        return self.has(path) or self.target(path) is not None

    def is_file(self, path: str) -> bool:
        """Whether a path leads to a file, as ``test -f`` says."""
        return self.files.resolve(path) in self._modes

    def target(self, path: str) -> str | None:
        """What the symbolic link at a path says; None when no link stands there."""
        return self._symlinks.get(self.files.resolve_parent(path))

    def below(self, directory: str) -> list[str]:
        """Real paths of the files and links in a directory and below it, sorted."""
        prefix = f"{self.files.resolve(directory)}/"
        found = {
            p for paths in (self._modes, self._symlinks) for p in paths if p.startswith(prefix)
        }
        return sorted(found)

    def tree(self, directory: str) -> list[str]:
        """Real paths of all that is in a directory and below it, directories too, sorted."""
        prefix = f"{self.files.resolve(directory)}/".lstrip("/")
        return sorted(path for path in self._names() if path.startswith(prefix))

    def children(self, directory: str) -> list[str]:
        """Names in a directory, sorted."""
        prefix = f"{self.files.resolve(directory)}/".lstrip("/")
        start = len(prefix)
        return sorted(
            path[start:]
            for path in self._names()
            if path.startswith(prefix) and "/" not in path[start:]
        )

    def glob(self, pattern: str, directory: str) -> list[str]:
        """Paths that match a shell pattern, sorted; as in a shell names with a dot are hidden.

        Args:
            pattern: absolute, or relative to the directory; quoted as ``fnmatch`` does.
            directory: absolute.
        """
        start, *parts = ["/" if pattern.startswith("/") else "", *pattern.split("/")]
        found = [start]
        for index, part in enumerate(parts):
            is_last = index == len(parts) - 1
            if part:
                found = [path for base in found for path in self._step(base, part, directory)]
            if not is_last:
                found = [
                    path if not path or path.endswith("/") else f"{path}/"
                    for path in found
                    if self.is_directory(_absolute(path, directory))
                ]
        return found

    def _step(self, base: str, part: str, directory: str) -> list[str]:
        if not _IS_PATTERN.search(re.sub(r"\[[*?[]\]", "", part)):
            plain = re.sub(r"\[([*?[])\]", r"\1", part)
            return [base + plain] if self.stands(_absolute(base + plain, directory)) else []
        names = self.children(_absolute(base, directory))
        is_hidden = part.startswith(".")
        return [
            base + name
            for name in names
            if fnmatch.fnmatchcase(name, part) and name.startswith(".") == is_hidden
        ]

    def is_directory(self, path: str) -> bool:
        """Whether a path leads to a directory, as ``test -d`` says."""
        real = self.files.resolve(path)
        return not real or real in self._directories

    def _names(self) -> Iterator[str]:
        yield from self._modes
        yield from self._symlinks
        yield from self._directories

    def matching(self, pattern: str) -> list[str]:
        """Files of one directory whose name matches a shell pattern, sorted."""
        directory, _, name = pattern.rpartition("/")
        real = self.files.resolve(directory)
        return [
            path
            for path in self.below(directory)
            if path.rpartition("/")[0] == real
            and fnmatch.fnmatchcase(path.rpartition("/")[2], name)
        ]

    def _is_the_root_s(self, path: str, entry: Entry) -> bool:
        if path in self._entries:
            return False
        if isinstance(entry, SymlinkEntry):
            return self._symlinks.get(path) == entry.target
        return isinstance(entry, DirEntry) and self._directories.get(path) == entry

    def _index(self, path: str, entry: Entry) -> None:
        self._symlinks.pop(path, None)
        self._modes.pop(path, None)
        match entry:
            case SymlinkEntry():
                self._symlinks[path] = entry.target
            case FileEntry() | HardLinkEntry():
                self._modes[path] = entry.mode
            case DirEntry():
                self._directories[path] = entry
            case WhiteoutEntry():
                self._directories.pop(path, None)


def _absolute(path: str, directory: str) -> str:
    return path if path.startswith("/") else f"{directory.rstrip('/')}/{path}"


def _moved(entry: Entry, path: str) -> Entry:
    return entry if entry.path == path else replace(entry, path=path)
