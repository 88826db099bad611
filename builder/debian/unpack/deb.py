"""A ``.deb`` is read once: its control files into memory, its tree into one file beside it.

Nothing is unpacked onto this machine: a file's content is a slice of the decompressed
``data.tar``. https://manpages.debian.org/deb.5
"""

import re
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from builder.debian.unpack.ar import Part, parts
from builder.debian.unpack.expand import MAX_CONTROL, MAX_DATA, expand
from builder.debian.unpack.tar_members import Member, read_members
from builder.errors import PackageError

_BINARY = "debian-binary"
_FORMAT = re.compile(rb"2\.[0-9]+\n")
# What stands in file names below /var/lib/dpkg/info may not leave that directory.
# https://www.debian.org/doc/debian-policy/ch-controlfields.html
_FIELDS = {
    "Package": re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*"),
    "Version": re.compile(r"[A-Za-z0-9.+:~-]+"),
    "Architecture": re.compile(r"[a-z0-9][a-z0-9-]*"),
}
_FIELD_NAME = re.compile(r"[!\"$-,.-9;-~][!-9;-~]*")
_CONTROL_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """A package as it was packed.

    Attributes:
        control: its paragraph, in its order; folded lines keep their newlines.
        members: the other files of ``control.tar``, by name: ``postinst``, ``md5sums``, ...
        files: what it ships, in the order of ``data.tar``.
    """

    control: Mapping[str, str]
    members: Mapping[str, bytes]
    files: tuple[Member, ...]

    @property
    def name(self) -> str:
        """Its name, without an architecture."""
        return self.control["Package"]

    @property
    def qualified_name(self) -> str:
        """As dpkg's database has it: with the architecture when it may be there for several."""
        is_same = self.control.get("Multi-Arch") == "same"
        return f"{self.name}:{self.architecture}" if is_same else self.name

    @property
    def version(self) -> str:
        """Its version, as dpkg writes it."""
        return self.control["Version"]

    @property
    def architecture(self) -> str:
        """What it runs on; ``all`` is everything."""
        return self.control["Architecture"]

    @property
    def conffiles(self) -> tuple[str, ...]:
        """Paths that it ships and an administrator may change, without a leading slash.

        Those with a flag are not shipped: they are to be removed.
        https://manpages.debian.org/deb-conffiles.5
        """
        text = self.members.get("conffiles", b"").decode("utf-8", "surrogateescape")
        lines = (line.strip() for line in text.splitlines())
        return tuple(line.lstrip("/") for line in lines if line.startswith("/"))

    def __str__(self) -> str:
        return f"{self.name} {self.version} {self.architecture}"


def read_deb(stream: BinaryIO, name: str, scratch: Path) -> Deb:
    """Read a package to the end of its stream.

    Args:
        stream: the ``.deb``; need not be seekable.
        name: what messages call it.
        scratch: a directory where a file of the package's unpacked size is made; it must live as
            long as the contents are read. Nothing is left there when this raises.

    Raises:
        PackageError: it is damaged, not a package, or holds what no package may; the message
            names the package and the member.
        LayerError: the stream is not what its digest promises.
    """
    place = Path(tempfile.mkdtemp(dir=scratch))
    try:
        return _read(stream, name, place)
    except BaseException:
        shutil.rmtree(place)
        raise


def _read(stream: BinaryIO, name: str, place: Path) -> Deb:
    found = _Found(name=name, place=place)
    for part in parts(stream, name):
        found.take(part)
    if found.control is None or found.files is None:
        missing = "data.tar" if found.control else "control.tar" if found.version else _BINARY
        raise PackageError(f"{name}: ends without {missing}")
    members = dict(found.control)
    control = _paragraph(members.pop("control", b""), name)
    return Deb(control=control, members=members, files=tuple(found.files))


@dataclass(slots=True, kw_only=True)
class _Found:
    """What has been read so far, in the order that deb(5) wants."""

    name: str
    place: Path
    version: bytes = b""
    control: Mapping[str, bytes] | None = None
    files: list[Member] | None = None

    def take(self, part: Part) -> None:
        stem, tar, suffix = part.name.partition(".tar")
        if not self.version:
            self.version = part.read(64) if part.name == _BINARY else b""
            if not _FORMAT.match(self.version):
                raise PackageError(
                    f"{self.name}: begins with {part.name} {self.version!r}; expected {_BINARY} 2.0"
                )
        elif (stem, tar) == ("control", ".tar") and self.control is None:
            self.control = _read_control(part, suffix, self.name, self.place / "control.tar")
        elif (stem, tar) == ("data", ".tar") and self.control and self.files is None:
            path = self.place / "data.tar"
            with path.open("wb") as file:
                expand(part, suffix, file, package=self.name, limit=MAX_DATA)
            self.files = read_members(path, part.name, self.name)
        elif tar or part.name == _BINARY:
            raise PackageError(f"{self.name}: {part.name} comes twice, or in the wrong place")
        elif self.files is None and not part.name.startswith("_"):
            wanted = "data.tar" if self.control else "control.tar"
            raise PackageError(f"{self.name}: {part.name} stands where {wanted} should")


def _read_control(part: Part, suffix: str, name: str, tar: Path) -> dict[str, bytes]:
    with tar.open("wb") as file:
        expand(part, suffix, file, package=name, limit=MAX_CONTROL)
    found = {}
    for member in read_members(tar, part.name, name):
        if member.content is None or not _CONTROL_NAME.fullmatch(member.path):
            raise PackageError(
                f"{name}: {part.name}: {member.path} is a {member.kind}; expected files only, "
                f"with names as postinst has"
            )
        with member.content.open() as stream:
            found[member.path] = stream.read()
    tar.unlink()
    return found


def _paragraph(text: bytes, name: str) -> Mapping[str, str]:
    # https://www.debian.org/doc/debian-policy/ch-controlfields.html#s-controlsyntax
    fields: dict[str, str] = {}
    last = ""
    for line in text.decode("utf-8", "surrogateescape").rstrip().split("\n"):
        if line.startswith((" ", "\t")) and line.strip() and last:
            fields[last] += f"\n{line}"
            continue
        last, colon, value = line.partition(":")
        if not colon or not _FIELD_NAME.fullmatch(last) or last in fields:
            raise PackageError(f"{name}: its control file has the line {line!r}")
        fields[last] = value.lstrip()
    fields = {field: value.rstrip() for field, value in fields.items()}
    for field, pattern in _FIELDS.items():
        if not pattern.fullmatch(fields.get(field, "")):
            raise PackageError(f"{name}: its control file says {field}: {fields.get(field)!r}")
    return fields
