"""A staged environment, divided among the distributions that own its files.

Every distribution lists its files in RECORD, with hashes; what none of them lists belongs to the
environment itself.
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import csv
import io
import posixpath
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from packaging.utils import canonicalize_name

from builder.project.local_builds import is_native_name, says_pure
from layers.digest import Digest
from layers.entries import Entry, FileEntry, SymlinkEntry
from layers.tree import content_hash

# RECORD lists paths, which need not be UTF-8; they come out as they went in.
_AS_PATHS = ("utf-8", "surrogateescape")
_DIST_INFO = ".dist-info"
_TRUSTED = "sha256="


@dataclass(frozen=True, kw_only=True)
class Distribution:
    """An installed distribution, with the files that are its own.

    Attributes:
        name: normalised.
        version: as its ``dist-info`` directory has it.
        info: that directory's name.
        record: the digest of RECORD, as it was installed.
        files: at their places in the image, by path.
        hashes: of those files that RECORD has a hash of, by path, as it has them.
        unhashed: hashes of those files that RECORD has no good one of, by path; not of RECORD.
        lost: paths that RECORD lists, and that another distribution's file stands at, with the
            hashes that it has of them.
        gone: paths that RECORD has a hash of, and nothing stands at.
        is_native: whether it may be another one for another platform, as its wheel says.
    """

    name: str
    version: str
    info: str
    record: Digest
    files: tuple[FileEntry | SymlinkEntry, ...]
    hashes: Mapping[str, str]
    unhashed: Mapping[str, str]
    lost: Mapping[str, str]
    gone: tuple[str, ...]
    is_native: bool

    def __str__(self) -> str:
        return f"{self.name} {self.version}"

    @cached_property
    def size(self) -> int:
        """Bytes of the files, as they were installed."""
        return sum(file.size for file in self.files if isinstance(file, FileEntry))

    @cached_property
    def source_size(self) -> int:
        """Bytes of Python."""
        return sum(
            file.size
            for file in self.files
            if isinstance(file, FileEntry) and file.path.endswith(".py")
        )

    @property
    def as_published(self) -> set[str]:
        """Paths of the files that installing leaves as they are in the wheel.

        Scripts and what is in ``dist-info`` may be the installer's own.
        """
        metadata = f"/site-packages/{self.info}/"
        return {path for path in self.hashes if "/site-packages/" in path and metadata not in path}

    def first_change(self) -> str | None:
        """The path of a file that is not as RECORD says; None when there is none.

        Raises:
            ContentError: a file cannot be read.
        """
        wrong = (
            file.path
            for file in self.files
            if (wanted := self.hashes.get(file.path))
            if not isinstance(file, FileEntry) or not _is_as_hashed(file, wanted)
        )
        return next(iter(self.gone), None) or next(wrong, None)

    @property
    def identity(self) -> dict[str, Any]:
        """What the files are: contents by RECORD, the rest by themselves."""
        executable = [f.path for f in self.files if isinstance(f, FileEntry) and f.mode & 0o100]
        links = [[f.path, f.target] for f in self.files if isinstance(f, SymlinkEntry)]
        return {
            "info": self.info,
            "record": str(self.record),
            "unhashed": dict(self.unhashed),
            "lost": sorted(self.lost),
            "executable": executable,
            "links": links,
        }


def distributions(
    entries: Iterable[Entry], site_packages: str
) -> tuple[list[Distribution], list[FileEntry | SymlinkEntry]]:
    """Divide the entries of an environment.

    A file that several distributions list is that one's whose hash it has, else the first one's.

    Args:
        entries: of the environment, at their places in the image.
        site_packages: its place in the image, relative to the root.

    Returns:
        The distributions by name, and the entries that none of them lists; directories are left
        out, as those above files come back with the files.

    Raises:
        ContentError: a file cannot be read.
    """
    files = {e.path: e for e in entries if isinstance(e, FileEntry | SymlinkEntry)}
    records = _records(files, site_packages)
    owners = _owners(records, files)
    files |= {path: _as_shared(files[path]) for path in _shared(records)}
    found = [_distribution(info, record, files, owners) for info, record in records.items()]
    rest = [entry for path, entry in files.items() if path not in owners]
    return sorted(found, key=lambda distribution: (distribution.name, distribution.info)), rest


@dataclass(frozen=True, slots=True)
class _Record:
    """A RECORD: its bytes, its path, and the hash of every path that it lists.

    A path that nothing stands at is in ``gone``, if it has a hash; caches may be listed, and need
    not be there.
    """

    data: bytes
    path: str
    hashes: Mapping[str, str]
    gone: tuple[str, ...]


def _records(
    files: Mapping[str, FileEntry | SymlinkEntry], site_packages: str
) -> dict[str, _Record]:
    """By the names of ``dist-info`` directories, in their order."""
    found = {}
    for path, entry in files.items():
        directory, _, name = path.rpartition("/")
        site, _, info = directory.rpartition("/")
        if name == "RECORD" and site == site_packages and info.endswith(_DIST_INFO):
            data = _read(entry)
            listed = _listed(data, site)
            found[info] = _Record(
                data=data,
                path=path,
                hashes={path: digest for path, digest in listed.items() if path in files},
                gone=tuple(sorted(p for p, digest in listed.items() if digest and p not in files)),
            )
    return dict(sorted(found.items()))


def _read(entry: Entry) -> bytes:
    if not isinstance(entry, FileEntry):
        return b""
    with entry.content.open() as stream:
        return stream.read()


def _listed(data: bytes, site: str) -> dict[str, str]:
    """Hashes, or nothing, by path in the image."""
    found = {}
    for row in csv.reader(io.StringIO(data.decode(*_AS_PATHS), newline="")):
        if row:
            path = f"{site}/{row[0]}"
            if "/." in path or "//" in path:
                path = posixpath.normpath(path)
            found[path] = row[1] if len(row) > 1 else ""
    return found


def _owners(
    records: Mapping[str, _Record], files: Mapping[str, FileEntry | SymlinkEntry]
) -> dict[str, str]:
    """Whose each listed path is, by the name of the ``dist-info`` directory."""
    claims: dict[str, list[str]] = {}
    for info, record in records.items():
        for path in record.hashes:
            claims.setdefault(path, []).append(info)
    return {
        path: infos[0] if len(infos) == 1 else _rightful(path, infos, records, files[path])
        for path, infos in claims.items()
    }


def _shared(records: Mapping[str, _Record]) -> set[str]:
    """Paths that several list."""
    counts = Counter(path for record in records.values() for path in record.hashes)
    return {path for path, count in counts.items() if count > 1}


def _as_shared(entry: FileEntry | SymlinkEntry) -> FileEntry | SymlinkEntry:
    """With the usual mode of its place: RECORD does not say whose mode it is that is there."""
    if isinstance(entry, SymlinkEntry):
        return entry
    return replace(entry, mode=0o755 if entry.path.rpartition("/")[0].endswith("/bin") else 0o644)


def _rightful(path: str, infos: Sequence[str], records: Mapping[str, _Record], entry: Entry) -> str:
    for info in infos:
        wanted = records[info].hashes[path]
        if isinstance(entry, FileEntry) and wanted and _is_as_hashed(entry, wanted):
            return info
    return infos[0]


def _is_as_hashed(entry: FileEntry, wanted: str) -> bool:
    algorithm = wanted.partition("=")[0]
    try:
        return record_hash(entry, algorithm) == wanted
    except ValueError:
        return False  # an algorithm that nobody knows


def record_hash(entry: FileEntry, algorithm: str = "sha256") -> str:
    """A file's hash as RECORD writes it.

    Raises:
        ContentError: the file cannot be read, or changed meanwhile.
        ValueError: there is no such algorithm.
    """
    digest = urlsafe_b64encode(bytes.fromhex(content_hash(entry, algorithm))).rstrip(b"=")
    return f"{algorithm}={digest.decode()}"


def _distribution(
    info: str,
    record: _Record,
    files: Mapping[str, FileEntry | SymlinkEntry],
    owners: Mapping[str, str],
) -> Distribution:
    own = [path for path in record.hashes if owners[path] == info]
    name, _, version = info.removesuffix(_DIST_INFO).rpartition("-")
    return Distribution(
        name=canonicalize_name(name),
        version=version,
        info=info,
        record=Digest.of(record.data),
        files=tuple(files[path] for path in sorted(own)),
        hashes={path: record.hashes[path] for path in own if record.hashes[path]},
        unhashed={
            path: record_hash(entry)
            for path in sorted(own)
            if path != record.path and not record.hashes[path].startswith(_TRUSTED)
            if isinstance(entry := files[path], FileEntry)
        },
        lost={path: found for path, found in record.hashes.items() if owners[path] != info},
        gone=record.gone,
        is_native=_is_native([files[path] for path in own], f"/{info}/WHEEL"),
    )


def _is_native(files: Iterable[Entry], wheel: str) -> bool:
    for file in files:
        if file.path.endswith(wheel) and not says_pure(_read(file).decode("utf-8", "replace")):
            return True
    return any(is_native_name(file.path) for file in files)
