"""Debian archives: their indexes, verified from the signature down, and their packages."""

import threading
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import KW_ONLY, dataclass, field, replace
from datetime import UTC, datetime
from typing import BinaryIO

from builder.debian.archive.contents import shippers
from builder.debian.archive.download import Downloader, Location
from builder.debian.archive.indexes import Index, Paths, Suite, fetch_suite, find_indexes
from builder.debian.archive.package_index import ArchiveIndex, PackagesFile
from builder.debian.archive.sources import AptSource
from builder.debian.package import PackageIndex, Pin
from builder.errors import ArchiveError
from builder.events import Caution, EventSink, InTurn, Notice
from builder.oci.descriptor import Descriptor
from builder.parallel import LinkedEvent, in_parallel
from builder.retry import Retry
from builder.store.layout import Store
from builder.transport import HttpTransport, Transport
from builder.units import decimal

DEB = "application/vnd.debian.binary-package"
"""https://www.iana.org/assignments/media-types/application/vnd.debian.binary-package"""


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Archive:
    """Sources together, as ``apt-get update`` and ``apt-get download`` see them.

    Attributes:
        sources: in order; of two that offer the same, the first one counts.
        architecture: ``amd64``; sources for others are left out.
        store: keeps indexes and packages, by digest.
        events: told who is asked for what.
        connect: opens a transport, when one is needed at all.
        retry: how often a server is asked again.
        now: the time, with a zone.
        stop: set by whoever does not want anything of it any more: what is under way ends in an
            error soon, and nothing is begun.
    """

    sources: Sequence[AptSource]
    _: KW_ONLY
    architecture: str
    store: Store
    events: EventSink
    connect: Callable[[], Transport] = HttpTransport
    retry: Retry = field(default_factory=Retry)
    now: Callable[[], datetime] = _now
    stop: threading.Event = field(default_factory=threading.Event)

    def index(self) -> PackageIndex:
        """What the archives offer now.

        Only Release files are asked for when the store has what they list.

        Raises:
            ArchiveError: an archive does not answer as it should, or cannot be trusted.
            LayerError: an index in the store is damaged.
            StoreError: the store cannot be read or written.
            TransportError: an archive cannot be reached.
        """
        files = [
            PackagesFile(
                data=index.read(self.store),
                place=str(index),
                suite=index.suite.source.suite,
                priority=index.suite.release.priority,
            )
            for index in self._bring(Suite.packages, packed=False)
        ]
        return ArchiveIndex(files, self.architecture)

    def fetch(self, pins: Sequence[Pin]) -> None:
        """Put packages into the store, those that are not there.

        Raises:
            ArchiveError: no source has a package, or one gives something else; of that, nothing
                is kept.
            StoreError: the store cannot be written.
            TransportError: an archive cannot be reached.
        """
        missing = [pin for pin in dict.fromkeys(pins) if not self.store.has(_descriptor(pin))]
        if not missing:
            return
        self.events(Notice(self._announced(missing)))
        with self._downloading() as downloader:

            def fetch(pin: Pin) -> None:
                places = self._places(pin)
                if not downloader.bring(places, _descriptor(pin), what=f"package {pin}"):
                    raise _gone(pin, places)

            in_parallel(fetch, missing, stop=downloader.stop)

    def open(self, pin: Pin) -> BinaryIO:
        """A package's ``.deb``, verified while it is read to its end.

        Raises:
            StoreError: the store has not got it.
        """
        return self.store.open(_descriptor(pin))

    def contents_of(self, wanted: Collection[str]) -> dict[str, list[str]]:
        """Which packages ship shared libraries in directories where the loader looks by default.

        The indexes that say so are long: 12 MB for a release of Debian, fetched once and then
        kept in the store as they came.

        Args:
            wanted: names of files: ``libpq.so.5``.

        Returns:
            Names of packages, in order, by name of file; a file that no package has is left out.

        Raises:
            ArchiveError: an archive does not answer as it should, or cannot be trusted.
            LayerError: an index in the store is damaged.
            StoreError: the store cannot be read or written.
            TransportError: an archive cannot be reached.
        """
        found: dict[str, set[str]] = {}
        for index in self._bring(Suite.contents, packed=True):
            with closing(index.open(self.store)) as stream:
                for name, package in shippers(stream, wanted):
                    found.setdefault(name, set()).add(package)
        return {name: sorted(found[name]) for name in sorted(found)}

    def _bring(self, paths: Paths, *, packed: bool) -> list[Index]:
        """Indexes of one kind, of every source in order; the store has them."""
        if not self._sources():
            raise ArchiveError(
                f"there is no source of packages for {self.architecture}",
                hint="name some in the setting apt-sources",
            )
        # Several sources may differ in their components only.
        asked = list(dict.fromkeys(replace(source, components=()) for source in self._sources()))
        self._announce(asked)
        with self._downloading() as downloader:
            fetched = in_parallel(
                lambda source: fetch_suite(downloader, source, self.now()),
                asked,
                stop=downloader.stop,
            )
            suites = dict(zip(asked, fetched, strict=True))
            chosen = self._chosen(suites, paths, packed=packed)
            indexes = list({str(index): index for index in chosen}.values())
            in_parallel(lambda index: index.bring(downloader), indexes, stop=downloader.stop)
        return indexes

    def _chosen(
        self, suites: dict[AptSource, Suite], paths: Paths, *, packed: bool
    ) -> Iterator[Index]:
        for source in self._sources():
            suite = suites[replace(source, components=())]
            for component in source.components or ("",):
                chosen = [*find_indexes(suite, component, self.architecture, paths, packed=packed)]
                if not chosen:
                    # As apt: many sources are not there for every architecture.
                    part = f"component {component}" if component else "list"
                    self.events(
                        Caution(f"{source} has no {part} for {self.architecture}: passed over")
                    )
                yield from chosen

    def _sources(self) -> list[AptSource]:
        return [
            s for s in self.sources if not s.architectures or self.architecture in s.architectures
        ]

    def _announce(self, asked: Sequence[AptSource]) -> None:
        for host in dict.fromkeys(source.host for source in asked):
            suites = dict.fromkeys(source.suite for source in asked if source.host == host)
            self.events(Notice(f"asking {host} for {', '.join(suites)} ({self.architecture})"))

    def _announced(self, pins: Sequence[Pin]) -> str:
        hosts = dict.fromkeys(at.source.host for pin in pins for at in self._places(pin))
        count = f"{len(pins)} package{'s' if len(pins) > 1 else ''}"
        size = decimal(sum(pin.size for pin in pins))
        return f"fetching {count} ({size}) from {', '.join(hosts) or 'nowhere'}"

    def _places(self, pin: Pin) -> list[Location]:
        """Where a package may be: a pin names no host."""
        sources = (source for source in self._sources() if source.suite == pin.suite)
        return list(
            {str(at): at for at in (Location(source, pin.path) for source in sources)}.values()
        )

    @contextmanager
    def _downloading(self) -> Iterator[Downloader]:
        with closing(self.connect()) as transport:
            events = InTurn(self.events)  # threads speak one at a time
            yield Downloader(
                transport=transport,
                retry=replace(self.retry, events=events),
                store=self.store,
                events=events,
                stop=LinkedEvent(self.stop),
            )


def _descriptor(pin: Pin) -> Descriptor:
    return Descriptor(media_type=DEB, digest=pin.digest, size=pin.size)


def _gone(pin: Pin, places: Sequence[Location]) -> ArchiveError:
    if not places:
        return ArchiveError(
            f"package {pin} is from the suite {pin.suite}, and no source has that",
            hint="lock anew: builder lock --upgrade, or name the suite in the setting apt-sources",
        )
    return ArchiveError(
        f"package {pin} of {pin.suite} is gone: it is not at {', '.join(map(str, places))}",
        hint="the archive has moved on: lock anew with builder lock --upgrade, "
        "or set apt-snapshot to a time when it was there",
    )
