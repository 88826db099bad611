"""The layer with Debian: what every Python service needs, and what this Python needs."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from builder.base.needs import check_glibc, likely_package, search, sonames
from builder.base.python_layer import PythonLayer
from builder.debian.archive.archive import Archive
from builder.debian.compose import Composition, compose
from builder.debian.database.dpkg_files import INFO
from builder.debian.database.installed import Installed
from builder.debian.effects.effects import Unhandled
from builder.debian.effects.ld_cache import CACHE, update_ld_cache
from builder.debian.effects.ld_format import decode
from builder.debian.effects.mutable_root import MutableRoot
from builder.debian.package import PackageIndex, Pin
from builder.debian.resolve.resolve import resolve
from builder.debian.root import Root
from builder.debian.unpack.merged_usr import merged_usr
from builder.errors import BaseError
from builder.rootfs.file_index import FileIndex
from builder.rootfs.overlay import overlaid
from layers.entries import Entry, FileEntry, SymlinkEntry

# A system that describes itself, its C library and the libraries that wheels expect of Debian,
# certificates, time zones, names of protocols, and what terminals can do.
_ALWAYS = (
    "base-files",
    "base-passwd",
    "ca-certificates",
    "libc-bin",
    "libc6",
    "libffi8",
    "libsqlite3-0",
    "libssl3",
    "libstdc++6",
    "ncurses-base",
    "netbase",
    "tzdata",
    "zlib1g",
)
FOR_SCRIPTS = ("debconf", "debconf-2.0", "dpkg", "install-info")
"""Packages that others depend on for their maintainer scripts alone, which do not run here."""

# Count as there when the packages of the base depend on them: of those, only programs that serve
# scripts or an administrator would miss them.
_ASSUMED = (*FOR_SCRIPTS, "awk", "libdebconfclient0", "libselinux1", "openssl")

# Of dpkg's database, what only debconf and those who build packages read; neither can be here.
_UNREAD = re.compile(rf"{INFO}/[^/]+\.(?:symbols|templates)")
# Where libssl looks for certificates; the link is in the package with the program `openssl`.
_CERTIFICATES = SymlinkEntry(path="usr/lib/ssl/certs", target="/etc/ssl/certs")
_LIBC = "libc6"


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianLayer:
    """What packages make of an empty root.

    Attributes:
        entries: of the layer; the content of files is below the scratch directory.
        pins: the packages, by name.
        unhandled: what maintainer scripts would have done and nothing here does.
    """

    entries: tuple[Entry, ...]
    pins: tuple[Pin, ...]
    unhandled: tuple[Unhandled, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Composer:
    """Composes the Debian below a Python.

    Attributes:
        archive: where packages come from.
        architecture: Debian's name: ``amd64``.
        python: goes above it.
        version: of that Python.
        scratch: an empty directory, needed until the layer is packed.
    """

    archive: Archive
    architecture: str
    python: PythonLayer
    version: str
    scratch: Path
    _root: Root = field(init=False)

    def __post_init__(self) -> None:
        files = overlaid(FileIndex(), merged_usr(self.architecture))
        object.__setattr__(self, "_root", Root(files=files))

    def locked(self, pins: Sequence[Pin]) -> DebianLayer:
        """Compose the packages of a lock.

        Raises:
            BaseError: this Python needs more than they have.
            BuilderError: as ``newest``.
        """
        requested = [pin.name for pin in pins if pin.name in _ALWAYS]
        laid = self._laid(pins, requested, "locked")
        if missing := self._missing(laid):
            soname, path = min(missing.items())
            raise BaseError(
                f"/{path} of Python {self.version} needs {soname}, which none of the locked "
                "packages of the base has",
                hint="builder lock --upgrade",
            )
        return laid

    def newest(self, index: PackageIndex) -> DebianLayer:
        """Choose and compose packages.

        Args:
            index: what the archive offers.

        Raises:
            ArchiveError: an archive does not give what it should.
            BaseError: nothing in the archive has a library that this Python needs.
            PackageError: the packages cannot be had together, or one is not what it should be.
            TransportError: an archive cannot be reached.
        """
        likely = ((soname, likely_package(soname, index)) for soname in sonames(self.python.needs))
        wanted = {soname: name for soname, name in likely if name}
        laid = self._chosen(wanted, index, "likely")
        wrong = [s for s, name in wanted.items() if not _ships(laid, name, s, self.architecture)]
        missing = self._missing(laid)
        if not (wrong or missing):
            return laid
        right = {soname: name for soname, name in wanted.items() if soname not in wrong}
        found = search(missing, self.archive, index, self.version) if missing else {}
        return self._chosen(right | found, index, "found")

    def _chosen(self, wanted: Mapping[str, str], index: PackageIndex, name: str) -> DebianLayer:
        names = sorted({*_ALWAYS, *wanted.values()})
        resolution = resolve(
            names,
            index=index,
            installed=Installed(),
            architecture=self.architecture,
            assumed=_ASSUMED,
        )
        pins = [package.pin for package in resolution.install if package.pin]
        return self._laid(pins, resolution.requested, name)

    def _laid(self, pins: Sequence[Pin], requested: Sequence[str], name: str) -> DebianLayer:
        libc = next((pin.version for pin in pins if pin.name == _LIBC), "0.0")
        major, minor = libc.split("-")[0].split(".")[:2]
        check_glibc(self.python.needs, (int(major), int(minor)), self.version)
        scratch = self.scratch / name
        scratch.mkdir()
        composition = compose(
            pins,
            self._root,
            archive=self.archive,
            scratch=scratch,
            docs=False,
            requested=requested,
        )
        return DebianLayer(
            entries=self._finished(composition, libc),
            pins=tuple(sorted(pins, key=lambda pin: pin.name)),
            unhandled=composition.unhandled,
        )

    def _finished(self, composition: Composition, libc: str) -> tuple[Entry, ...]:
        """The entries, with a loader's cache that knows the layer above as well."""
        below = {entry.path: entry for entry in composition.entries}
        above = {entry.path: entry for entry in self.python.libraries}
        whole = MutableRoot(self._root, below | above)
        update_ld_cache(whole, architecture=self.architecture, libc=libc)
        laid: dict[str, Entry] = {_CERTIFICATES.path: _CERTIFICATES}
        laid |= {entry.path: entry for entry in merged_usr(self.architecture)}
        laid |= below
        laid |= {entry.path: entry for entry in whole.added if entry.path == CACHE}
        return tuple(entry for path, entry in laid.items() if not _UNREAD.fullmatch(path))

    def _missing(self, laid: DebianLayer) -> dict[str, str]:
        """Libraries that the loader would not find, and who needs them."""
        caches = [_read(entry) for entry in laid.entries if entry.path == CACHE]
        found = {library.soname for data in caches for library in decode(data).libraries}
        return {
            soname: path
            for path, need in sorted(self.python.needs.items(), reverse=True)
            for soname in need.sonames
            if soname not in found
        }


def _ships(laid: DebianLayer, package: str, soname: str, architecture: str) -> bool:
    """Whether a package's list of files has a library."""
    lists = {f"{INFO}/{package}.list", f"{INFO}/{package}:{architecture}.list"}
    text = b"".join(_read(entry) for entry in laid.entries if entry.path in lists)
    return any(line.endswith(b"/" + soname.encode()) for line in text.splitlines())


def _read(entry: Entry) -> bytes:
    if not isinstance(entry, FileEntry):
        return b""
    with entry.content.open() as stream:
        return stream.read()
