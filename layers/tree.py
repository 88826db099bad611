"""A directory becomes entries: nothing followed, modes normalised, ignore rules applied.

Names are read as bytes and decoded as UTF-8 here, not by the locale of whoever runs this.
"""

import hashlib
import io
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from layers.digest import CHUNK, Digest
from layers.entries import ROOT, DirEntry, Entry, FileEntry, HardLinkEntry, Owner, SymlinkEntry
from layers.errors import ContentError

Signature = tuple[int, int, int]
"""Size, modification time in nanoseconds and inode: what changes when a file is written."""


class Rules(Protocol):
    """Which paths of a tree stay out."""

    def ignores(self, path: str, /) -> bool:
        """Whether this path stays out."""
        ...

    def prunes(self, directory: str, /) -> bool:
        """Whether nothing below this directory can come in."""
        ...


class Everything:
    """The rules that leave nothing out."""

    def ignores(self, path: str, /) -> bool:  # noqa: ARG002
        """Never."""
        return False

    def prunes(self, directory: str, /) -> bool:  # noqa: ARG002
        """Never."""
        return False


EVERYTHING = Everything()


@dataclass(frozen=True, slots=True)
class StableFile:
    """A file's content that must be, from the first byte to the last, what the walk saw.

    The path is a string: of fifty thousand, ``Path`` takes a fifth of the time of a walk.
    """

    path: str
    signature: Signature

    def open(self) -> BinaryIO:
        """The file, as a stream that raises when the file changes under it.

        Raises:
            ContentError: the file was written since the walk.
            OSError: it cannot be opened.
        """
        return _Watched(self.path, self.signature)


def _open_as_it_is(path: str, flags: int) -> int:
    """Neither through a link, nor waiting for a writer where a pipe took the file's place."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


class _Watched(io.FileIO):
    """Unbuffered: whoever reads takes chunks, and a buffer costs a small file half its time."""

    def __init__(self, path: str, expected: Signature) -> None:
        super().__init__(path, "rb", opener=_open_as_it_is)
        self._path = path
        self._expected = expected
        self._check()

    def read(self, size: int | None = -1, /) -> bytes:
        data = super().read(size)
        if not data or size is None or size < 0:
            self._check()
        return data

    def _check(self) -> None:
        if signature(os.fstat(self.fileno())) != self._expected:
            self.close()
            raise ContentError(
                f"{self._path} changed while it was read",
                hint="build again when nothing writes into the project",
            )


def signature(status: os.stat_result) -> Signature:
    """What must not change between the walk and the last read."""
    return status.st_size, status.st_mtime_ns, status.st_ino


def walk(root: Path, *, at: str, owner: Owner = ROOT, rules: Rules = EVERYTHING) -> list[Entry]:
    """The entries for a file or a directory tree, sorted by name within each directory.

    A directory that the rules leave out still stands when something below it comes in. The
    executable bit of a file's owner decides between 0755 and 0644; hard links become files of
    their own; holes become zeros.

    Args:
        root: what to read; a symbolic link is taken as a link.
        at: where it stands in the image, a relative path; empty for a directory that is laid over
            the image's root, which is no entry.
        owner: of everything.
        rules: asked with paths relative to ``root``.

    Raises:
        ContentError: a socket, device or pipe, an unreadable file, or a name that cannot be.
    """
    try:
        if not stat.S_ISDIR(root.lstat().st_mode):
            return [_leaf(os.fsencode(root), at, owner)]
        top = [DirEntry(path=at, owner=owner)] if at else []
        prefix = f"{at}/" if at else ""
        return [*top, *_below(os.fsencode(root), "", prefix, owner, rules)]
    except OSError as error:
        raise ContentError(_cannot_read(error)) from error


def _cannot_read(error: OSError) -> str:
    # Paths are asked for as bytes, and so are they in errors.
    path = os.fsdecode(error.filename) if error.filename else "a file"
    return f"cannot read {path}: {error.strerror}"


def host_path(root: Path, path: str) -> Path:
    """Where a path, written as entries write it, is on this machine, whatever the locale is."""
    return root / os.fsdecode(path.encode("utf-8", "surrogateescape"))


def _below(
    directory: bytes, inner: str, prefix: str, owner: Owner, rules: Rules
) -> Iterator[Entry]:
    with os.scandir(directory) as listing:
        found = sorted(listing, key=lambda item: item.name)
    for item in found:
        name = item.name.decode("utf-8", "surrogateescape")
        path = f"{inner}{name}"
        at = f"{prefix}{name}"
        ignored = rules.ignores(path)
        if item.is_dir(follow_symlinks=False):
            if ignored and rules.prunes(path):
                continue
            below = list(_below(item.path, f"{path}/", f"{at}/", owner, rules))
            if below or not ignored:
                yield DirEntry(path=at, owner=owner)
                yield from below
        elif not ignored:
            yield _leaf(item.path, at, owner)


def _leaf(path: bytes, at: str, owner: Owner) -> Entry:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        target = os.readlink(path).decode("utf-8", "surrogateescape")  # noqa: PTH115 - as bytes
        return SymlinkEntry(path=at, target=target, owner=owner)
    if not stat.S_ISREG(status.st_mode):
        raise ContentError(
            f"{os.fsdecode(path)} is not a file, directory or symbolic link",
            hint="an image holds no sockets, pipes or devices; exclude it in .dockerignore",
        )
    return FileEntry(
        path=at,
        content=StableFile(os.fsdecode(path), signature(status)),
        size=status.st_size,
        mode=0o755 if status.st_mode & stat.S_IXUSR else 0o644,
        owner=owner,
    )


def fingerprint(
    entries: Iterable[Entry], hashed: Callable[[FileEntry], str] | None = None
) -> Digest:
    """The identity of a tree: paths, kinds, executable bits, link targets and contents.

    Args:
        entries: in the order of the walk.
        hashed: SHA-256 of a file's content in hexadecimal digits; ``content_hash`` when omitted.

    Raises:
        ContentError: a file cannot be read, or changed while it was read.
    """
    total = hashlib.sha256()
    hashed = hashed or content_hash
    for entry in entries:
        match entry:
            case FileEntry():
                detail = f"{entry.mode:o} {hashed(entry)}"
            case SymlinkEntry():
                detail = f"-> {entry.target}"
            case HardLinkEntry():
                detail = f"= {entry.target}"
            case _:
                detail = "/"
        # Neither paths nor targets hold a NUL; they may hold anything else.
        total.update(f"{entry.path}\0{detail}\0".encode("utf-8", "surrogateescape"))
    return Digest(f"sha256:{total.hexdigest()}")


def content_hash(entry: FileEntry, algorithm: str = "sha256") -> str:
    """The hash of a file's bytes, as hex digits.

    Raises:
        ContentError: the file cannot be read, or changed while it was read.
        ValueError: ``hashlib`` knows no such algorithm.
    """
    total = hashlib.new(algorithm)
    try:
        with entry.content.open() as stream:
            while data := stream.read(CHUNK):
                total.update(data)
    except OSError as error:
        raise ContentError(_cannot_read(error)) from error
    return total.hexdigest()
