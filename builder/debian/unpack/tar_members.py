"""The tars inside a ``.deb``: read where they lie, refused when they hold what none should."""

import io
import os
import re
import tarfile  # noqa: TID251 - a tar that other tools wrote is read here
from collections.abc import Buffer, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal, cast

from builder.debian.unpack.tar_headers import BLOCK, HeaderGuard
from builder.errors import ContentError, PackageError
from layers.entries import Content, Owner, SymlinkEntry, check_path, parents
from layers.verify import DAMAGES

type Kind = Literal["directory", "file", "hard link", "symbolic link"]

_MAX_MEMBERS = 1_000_000
"""The largest package of Debian 12 has a tenth of them."""

_ODD_DAMAGES = (*DAMAGES, LookupError, ArithmeticError, RecursionError)
"""Headers that lie about sizes make the library index, seek and recurse where it should not."""

_KINDS: dict[bytes, Kind] = {
    tarfile.DIRTYPE: "directory",
    tarfile.REGTYPE: "file",
    tarfile.AREGTYPE: "file",
    tarfile.LNKTYPE: "hard link",
    tarfile.SYMTYPE: "symbolic link",
}
_REFUSED = {
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a named pipe",
    tarfile.CONTTYPE: "a contiguous file",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
}
_LEADING = re.compile(r"\A\./+")


@dataclass(frozen=True, slots=True)
class Slice:
    """Content that is a part of a larger file."""

    path: Path
    offset: int
    size: int

    def open(self) -> BinaryIO:
        """A seekable stream over the part.

        Raises:
            OSError: the file cannot be opened.
        """
        return io.BufferedReader(_Window(self.path.open("rb", buffering=0), self))


class _Window(io.RawIOBase):
    """A part of a file, read as if there were nothing before and behind it."""

    def __init__(self, file: io.FileIO, part: Slice) -> None:
        self._file = file
        self._part = part
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET, /) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._part.size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Buffer, /) -> int:
        view = memoryview(buffer)[: max(0, self._part.size - self._at)]
        self._file.seek(self._part.offset + self._at)
        read = self._file.readinto(view)
        self._at += read
        return read

    def close(self) -> None:
        self._file.close()
        super().close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a package ships at one path.

    Attributes:
        path: as packed, relative to the root, without a leading ``./``; no link is resolved.
        kind: what it is.
        mode: permission bits, with setuid, setgid and sticky.
        owner: by number.
        user: the owner's name, which counts where the root knows it; may be empty.
        group: likewise.
        target: of a symbolic link as written, of a hard link a path like ``path``; else empty.
        content: of a file.
        size: of a file, in bytes.
    """

    path: str
    kind: Kind
    mode: int
    owner: Owner
    user: str = ""
    group: str = ""
    target: str = ""
    content: Content | None = None
    size: int = 0


def read_members(tar: Path, name: str, package: str) -> list[Member]:
    """What a tar holds besides its root, in its order; contents are slices of the file.

    Args:
        tar: uncompressed.
        name: what it is called in messages: ``data.tar.xz``.
        package: for messages.

    Raises:
        PackageError: a member is not one that a package may ship, or the tar is damaged.
    """
    found: dict[str, Member] = {}
    with tar.open("rb") as file:
        for info in _infos(file, f"{package}: {name}"):
            try:
                member = _member(info, tar)
                if member and _is_new(member, found):
                    found[member.path] = member
            except ContentError as error:
                raise PackageError(f"{package}: {name}: {error.message}") from error
    return list(found.values())


def _infos(file: BinaryIO, place: str) -> Iterator[tarfile.TarInfo]:
    offset = -1
    guard = HeaderGuard(file, place)
    try:
        guard.check(0)
        with tarfile.open(
            fileobj=file, mode="r:", encoding="utf-8", errors="surrogateescape"
        ) as archive:
            for _ in range(_MAX_MEMBERS):
                info = archive.next()
                if info is None:
                    _check_end(file, archive.offset, place)
                    return
                # A negative size leads back, and round for ever.
                if info.offset_data <= offset or info.size < 0:
                    raise PackageError(f"{place}: {info.name}: its size is {info.size}")
                offset = info.offset_data
                yield info
                # The library remembers every member it saw.
                cast("Any", archive).members.clear()
                guard.check(archive.offset)
    except _ODD_DAMAGES as error:
        raise PackageError(f"{place} cannot be read: {error}") from error
    raise PackageError(f"{place} has more than {_MAX_MEMBERS} members")


def _check_end(file: BinaryIO, offset: int, place: str) -> None:
    """The library takes any damaged header for the end; a real end is zeros."""
    file.seek(0, os.SEEK_END)
    left = file.tell() - offset
    file.seek(offset)
    if left < BLOCK or any(block.strip(b"\0") for block in iter(lambda: file.read(1 << 20), b"")):
        raise PackageError(f"{place} has no end marker at byte {offset}: cut off, or damaged there")


def _member(info: tarfile.TarInfo, tar: Path) -> Member | None:
    """The member as a package may ship it; None for the root itself."""
    path = _LEADING.sub("", info.name, count=1) if info.name != "." else ""
    if not path and info.isdir():
        return None
    check_path(path)
    if "\n" in path:
        # dpkg refuses it as well: its lists of files have one on each line.
        raise ContentError(f"path {path!r} has a newline")
    kind = None if info.issparse() else _KINDS.get(info.type)
    if kind is None:
        what = _REFUSED.get(
            tarfile.GNUTYPE_SPARSE if info.issparse() else info.type,
            f"of the unknown type {info.type!r}",
        )
        raise ContentError(f"/{path} is {what}; a package may ship files, directories and links")
    target = info.linkname
    if kind == "hard link":
        target = _LEADING.sub("", target, count=1)
    elif kind == "symbolic link":
        SymlinkEntry(path=path, target=target)
    is_file = kind == "file"
    return Member(
        path=path,
        kind=kind,
        mode=info.mode & 0o7777,
        owner=Owner(info.uid, info.gid),
        user=info.uname,
        group=info.gname,
        target=target if kind in {"hard link", "symbolic link"} else "",
        content=Slice(tar, info.offset_data, info.size) if is_file else None,
        size=info.size if is_file else 0,
    )


def _is_new(member: Member, found: dict[str, Member]) -> bool:
    """Whether it stands at a path of its own; a directory may be said twice."""
    for parent in parents(member.path):
        above = found.get(parent)
        if above and above.kind != "directory":
            raise ContentError(f"/{member.path} lies below /{parent}, which is a {above.kind}")
    if member.kind == "hard link":
        file = found.get(member.target)
        if file is None or file.kind != "file":
            raise ContentError(
                f"/{member.path} is a hard link to {member.target}, "
                f"which is no file before it in the package"
            )
    there = found.get(member.path)
    if there is None:
        return True
    if there.kind == member.kind == "directory":
        return False
    raise ContentError(f"/{member.path} comes twice")
