"""A local archive with one package in it, and asking it."""

from builder.debian.archive.archive import Archive
from builder.debian.archive.sources import AptSource
from builder.debian.package import PackageIndex, Pin, candidate
from builder.events import Event, Notice
from builder.retry import Retry
from builder.store.layout import Store
from layers.digest import Digest
from tests.debian.archives import LocalArchive

HELLO = {"Package": "hello", "Version": "1:2-3", "Architecture": "amd64"}
BYTES = b"the bytes of a .deb" * 1000
INDEX = "dists/bookworm/main/binary-amd64/Packages"
POOL = "pool/main/hello_2-3_amd64.deb"


def ask(archive: LocalArchive | list[AptSource], store: Store, events: list[Event]) -> Archive:
    sources = [archive.source()] if isinstance(archive, LocalArchive) else archive
    retry = Retry(sleep=lambda _: None)
    return Archive(sources, architecture="amd64", store=store, events=events.append, retry=retry)


def hello(index: PackageIndex) -> Pin:
    package = candidate(index.versions("hello"))
    assert package is not None
    assert package.pin is not None
    return package.pin


def notices(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Notice)]


def is_empty(store: Store) -> bool:
    return not [*store.root.glob("blobs/sha256/*"), *store.root.glob(".ingest-*")]


def by_hash(data: bytes) -> str:
    return f"dists/bookworm/main/binary-amd64/by-hash/SHA256/{Digest.of(data).hex}"
