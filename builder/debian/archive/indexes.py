"""A suite's Release file and the indexes that it answers for, brought into the store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, cast

from builder.debian.archive.compressed import SUFFIXES, Decompressed
from builder.debian.archive.download import Downloader, Location
from builder.debian.archive.last_release import KIND, newer_release
from builder.debian.archive.release import (
    IndexFile,
    Release,
    parse_release,
    shown,
    verify_detached,
    verify_inline,
)
from builder.debian.archive.sources import AptSource
from builder.errors import ArchiveError
from builder.events import Notice
from builder.oci.descriptor import Descriptor
from builder.store.layout import Store
from layers.digest import CHUNK

_TEXT = "text/plain"
_PACKED = "application/octet-stream"
_MAX_RELEASE = 32 << 20
_MAX_INDEX = 1 << 30
"""Bytes of an index, unpacked or not; the longest of Debian's has 600 MB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A source with its verified Release file.

    Attributes:
        source: the source.
        release: the file.
        is_remembered: the source gave an older one now, and this one before.
    """

    source: AptSource
    release: Release
    is_remembered: bool = False

    def packages(self, component: str, architecture: str) -> list[str]:
        """Paths of its lists of packages; ``component`` is empty in a flat repository."""
        if not component:
            return ["Packages"]
        names = [architecture, "all"] if self.release.all_apart else [architecture]
        return [f"{component}/binary-{name}/Packages" for name in names]

    def contents(self, component: str, architecture: str) -> list[str]:
        """Paths of its lists of files, with the component's own before that of all of them."""
        names = [f"{component}/Contents-{architecture}", f"Contents-{architecture}"]
        return [name for name in names if _choices(self, name)][:1]


type Paths = Callable[[Suite, str, str], list[str]]
"""From a suite, a component and an architecture to paths of indexes, without suffix."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """One index, as its archive sends it and as the store keeps it.

    Attributes:
        suite: whose it is.
        sent: the file that is fetched.
        suffix: what it is compressed by.
        kept: what the store keeps: its text, or the file as it was sent.
    """

    suite: Suite
    sent: IndexFile
    suffix: str
    kept: Descriptor

    def __str__(self) -> str:
        return str(_location(self.suite.source, self.sent.path))

    def open(self, store: Store) -> BinaryIO:
        """Its text, verified when read to its end.

        Raises:
            StoreError: the store has not got it.
        """
        stream = store.open(self.kept)
        return self._unpacked(stream, str(self)) if self.kept.media_type == _PACKED else stream

    def read(self, store: Store) -> bytes:
        """Its whole text.

        Raises:
            ArchiveError: it is absurdly long.
            LayerError: the store's copy is damaged.
            StoreError: the store has not got it.
        """
        with store.open(self.kept) as stream:
            if self.kept.media_type == _TEXT:
                return stream.read()
            text, unpacked = bytearray(), self._unpacked(stream, str(self))
            while data := unpacked.read(CHUNK):
                text += data
                if len(text) > _MAX_INDEX:
                    raise ArchiveError(f"{self} unpacks to more than {_MAX_INDEX >> 20} MiB")
            return bytes(text)

    def bring(self, downloader: Downloader) -> None:
        """Put it into the store, when it is not there.

        Raises:
            ArchiveError: the archive does not give it, or something else; nothing is kept.
            StoreError: the store cannot be written.
            TransportError: the archive cannot be reached.
        """
        if downloader.store.has(self.kept):
            return
        try:
            self._fetch(downloader)
        except ArchiveError as error:
            if self.suite.is_remembered:
                facts = downloader.store.root / "facts" / KIND
                way_out = f"if the archive went back in time for good, remove {facts}"
                error.hint = "; ".join(filter(None, (error.hint, way_out)))
            raise

    def _fetch(self, downloader: Downloader) -> None:
        source, path = self.suite.source, self.sent.path
        places = [_location(source, path)]
        if self.suite.release.by_hash:
            above = path.rpartition("/")[0]
            hashed = f"{above}/by-hash/SHA256/{self.sent.digest.hex}".lstrip("/")
            places.insert(0, _location(source, hashed))
        sent = Descriptor(media_type=_PACKED, digest=self.sent.digest, size=self.sent.size)
        is_unpacked = self.kept.media_type == _TEXT
        there = downloader.bring(
            places,
            sent,
            what=path,
            stored=self.kept,
            unpack=self._unpacked if is_unpacked else None,
        )
        if not there:
            raise ArchiveError(
                f"{source}: its Release file lists {path}, and it is not at {self}",
                hint="the mirror is in the midst of an update: try again later, or use another "
                "(apt-mirror)",
            )

    def _unpacked(self, stream: BinaryIO, what: str) -> BinaryIO:
        return cast("BinaryIO", Decompressed(stream, self.suffix, what))


def fetch_suite(downloader: Downloader, source: AptSource, now: datetime) -> Suite:
    """Ask a source for its Release file, and verify it.

    The newest one is remembered, and stands in when the source gives an older one.

    Raises:
        ArchiveError: there is none, or it cannot be trusted.
        StoreError: the store cannot be written.
        TransportError: the archive cannot be reached.
    """

    def ask(name: str) -> bytes | None:
        return downloader.small(_location(source, name), _MAX_RELEASE)

    inline = ask("InRelease")
    if inline is not None:
        signed = verify_inline(inline, source, now)
    else:
        signed = _detached(ask("Release"), ask("Release.gpg"), source, now)
    release = parse_release(signed, source, now)
    newer = newer_release(release, signed, source, now, downloader.store)
    if newer is None or newer.date is None or release.date is None:
        return Suite(source=source, release=release)
    downloader.events(
        Notice(
            f"{source}: the Release file of {shown(release.date)} is older than that of "
            f"{shown(newer.date)}, which it gave before and which counts"
        )
    )
    return Suite(source=source, release=newer, is_remembered=True)


def _detached(
    text: bytes | None, signature: bytes | None, source: AptSource, now: datetime
) -> bytes:
    if text is None:
        raise ArchiveError(
            f"{source.host} has no suite {source.suite}: neither InRelease nor Release is at "
            f"{_location(source, '')}",
            hint="releases that are no longer supported move to an archive of their own; "
            "see the settings apt-mirror and apt-sources",
        )
    if signature is None:
        raise ArchiveError(
            f"{source} is not signed: it has neither InRelease nor Release.gpg",
            hint="only signed archives are taken; trusted=yes is not honoured",
        )
    return verify_detached(text, signature, source, now)


def find_indexes(
    suite: Suite, component: str, architecture: str, paths: Paths, *, packed: bool
) -> Iterator[Index]:
    """The indexes that a suite has for a component; none when it has none.

    Args:
        suite: which one.
        component: empty in a flat repository.
        architecture: ``amd64``.
        paths: which kind.
        packed: the store keeps what was sent, and not its text.

    Raises:
        ArchiveError: one is absurdly long.
    """
    for path in paths(suite, component, architecture):
        for suffix in _choices(suite, path)[:1]:
            yield _index(suite, path, suffix, packed=packed)


def _choices(suite: Suite, path: str) -> list[str]:
    return [suffix for suffix in SUFFIXES if f"{path}{suffix}" in suite.release.files]


def _index(suite: Suite, path: str, suffix: str, *, packed: bool) -> Index:
    sent = suite.release.files[f"{path}{suffix}"]
    text = suite.release.files.get(path)
    is_text = text is not None and not packed
    kept = text if is_text and text else sent
    if max(kept.size, sent.size) > _MAX_INDEX:
        raise ArchiveError(f"{suite.source}: {path} is longer than {_MAX_INDEX >> 20} MiB")
    kind = _TEXT if is_text else _PACKED
    descriptor = Descriptor(media_type=kind, digest=kept.digest, size=kept.size)
    return Index(suite=suite, sent=sent, suffix=suffix, kept=descriptor)


def _location(source: AptSource, path: str) -> Location:
    """A file of a suite: below ``dists/``, or in a flat repository's own directory."""
    if not source.suite.endswith("/"):
        return Location(source, f"dists/{source.suite}/{path}")
    above = source.suite.removeprefix("./").strip("/")
    return Location(source, f"{above}/{path}".lstrip("/"))
