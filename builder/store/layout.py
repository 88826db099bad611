"""An OCI image layout directory: blobs by digest, and an index that names images.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md

Every write is a temporary file, synced and renamed, so a name in ``blobs/`` always stands for the
whole blob, whenever the power went. The index is read, changed and replaced under a lock.
"""

import contextlib
import json
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from builder.errors import DocumentError, StoreError
from builder.events import EventSink, ignore
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.document import canonical_json, parse_object
from builder.oci.manifest import Index, parse_index
from builder.store.files import (
    REFUSALS,
    sync_directory,
    temporary_directory,
    write_atomically,
)
from builder.store.home import store_home
from builder.store.leftovers import LEFTOVERS, SCRATCH, STAGING, sweep
from builder.store.limits import store_bound
from builder.store.presence import Presence, locked
from builder.store.refusals import is_below, refused
from builder.store.use import Uses
from builder.store.verified import VerifiedFile
from layers.digest import Digest, copy_verified

LAYOUT_MARKER = b'{"imageLayoutVersion":"1.0.0"}'
"""What the file ``oci-layout`` says."""

_MEMBERS = frozenset({"blobs", "facts", "index.json", "oci-layout"})
_REFILL = "see what is wrong with the store, and mend it: python -m builder cache verify"


class Layout:
    """A layout directory, made when it is not there yet.

    What a killed process left there is removed a day later: nobody is at work on it any more.

    Raises:
        StoreError: the directory cannot be made or written, or is something else.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        with self._writing("open a store"):
            root.mkdir(parents=True, exist_ok=True)
            self._adopt_marker()
            (root / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
        sweep(root)

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, in full size."""
        try:
            return self._blob(descriptor.digest).stat().st_size == descriptor.size
        except OSError:
            return False

    def size(self, digest: Digest) -> int:
        """Bytes of a blob.

        Raises:
            StoreError: it is not here.
        """
        try:
            return self._blob(digest).stat().st_size
        except OSError as error:
            raise self._unreadable(digest, error) from error

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The blob as a stream that refuses, at its end, bytes that are not the blob's.

        Raises:
            StoreError: the blob is not here.
        """
        try:
            file = self._blob(descriptor.digest).open("rb")
        except OSError as error:
            raise self._unreadable(descriptor.digest, error) from error
        return cast("BinaryIO", VerifiedFile(file, descriptor))

    def read(self, descriptor: Descriptor) -> bytes:
        """A whole blob, verified; for documents, which are small.

        Raises:
            StoreError: the blob is not here.
            LayerError: its bytes are not the blob's.
        """
        with self.open(descriptor) as stream:
            return stream.read()

    def add(self, stream: BinaryIO, descriptor: Descriptor) -> None:
        """Take in a blob, verified while it is copied.

        Raises:
            LayerError: the bytes are not the blob's; nothing was kept.
            StoreError: the store cannot be written.
        """
        if self.has(descriptor):
            return
        with self.ingest() as path:
            with path.open("xb") as file:
                copy_verified(stream, file, descriptor.digest, descriptor.size)
                file.flush()
                os.fsync(file.fileno())
            self.adopt(path, descriptor.digest)

    def put(self, data: bytes) -> Digest:
        """Take in bytes at hand.

        Raises:
            StoreError: the store cannot be written.
        """
        digest = Digest.of(data)
        path = self._blob(digest)
        if not _holds(path, data):
            self._replace(path, data)
        return digest

    @contextlib.contextmanager
    def ingest(self) -> Iterator[Path]:
        """A path inside the store where a blob may be written before it is adopted.

        Raises:
            StoreError: it cannot be made, or the store's disk refused what the block wrote.
        """
        with self._scratch(SCRATCH, "write a blob") as directory:
            yield directory / "blob"

    def adopt(self, path: Path, digest: Digest) -> None:
        """Make a finished, synced file of ``ingest`` the blob of that digest.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._writing("write a blob"):
            path.chmod(0o644)
            path.replace(self._blob(digest))
            sync_directory(self._blob(digest).parent)

    def tag(self, name: str, descriptor: Descriptor) -> None:
        """Name an image; whatever had that name loses it.

        The index may be shared: what other tools wrote into it stays, also what is unknown here.

        Raises:
            DocumentError: the index cannot be read as one.
            StoreError: the store cannot be written.
        """
        named = replace(descriptor, annotations={**descriptor.annotations, REF_NAME: name})
        if [e for e in self.index().manifests if e.annotations.get(REF_NAME) == name] == [named]:
            return  # to write what stands there costs two waits for the disk
        self._edit_index(lambda entry: entry.annotations.get(REF_NAME) != name, [named.to_json()])

    def forget(self, digests: Collection[Digest]) -> None:
        """Take images out of the index, under every name; their blobs stay.

        Raises:
            DocumentError: the index cannot be read as one.
            StoreError: the store cannot be written.
        """
        self._edit_index(lambda entry: entry.digest not in digests, [])

    def forget_all(self) -> None:
        """Begin a new index, whatever is wrong with the old one.

        Raises:
            StoreError: the store cannot be written.
        """
        with self._writing("write the index"), locked(self.root):
            self._replace(self.root / "index.json", Index(manifests=()).to_document().raw)

    def index(self) -> Index:
        """What ``index.json`` lists.

        Raises:
            DocumentError: it cannot be read as an index.
            StoreError: the file cannot be read.
        """
        return self._parsed(self._raw_index())

    def _edit_index(self, stays: Callable[[Descriptor], bool], added: list[dict[str, Any]]) -> None:
        with self._writing("write the index"), locked(self.root):
            raw = self._raw_index()
            listed = self._parsed(raw).manifests
            index = parse_object(raw, "index")
            pairs = zip(index["manifests"] or (), listed, strict=True)
            index["manifests"] = [*(value for value, entry in pairs if stays(entry)), *added]
            self._replace(self.root / "index.json", canonical_json(index))

    def _raw_index(self) -> bytes:
        try:
            return (self.root / "index.json").read_bytes()
        except FileNotFoundError:
            return Index(manifests=()).to_document().raw
        except OSError as error:
            raise StoreError(f"cannot read the index of {self.root}: {error.strerror}") from error

    def _parsed(self, raw: bytes) -> Index:
        try:
            return parse_index(raw).value
        except DocumentError as error:
            raise DocumentError(f"{self.root}: index.json: {error.message}", hint=_REFILL) from None

    def _unreadable(self, digest: Digest, error: OSError) -> StoreError:
        text = f"store {self.root}: blob {digest} cannot be read: {error.strerror}"
        return StoreError(text, hint=_REFILL)

    def _blob(self, digest: Digest) -> Path:
        return self.root / "blobs" / digest.algorithm / digest.hex

    def _adopt_marker(self) -> None:
        marker, index = self.root / "oci-layout", self.root / "index.json"
        if not marker.exists():
            strangers = [
                path.name
                for path in self.root.iterdir()
                if path.name not in _MEMBERS and not path.name.startswith(LEFTOVERS)
            ]
            if strangers:
                raise StoreError(
                    f"{self.root} holds {min(strangers)!r} and is not an OCI image layout",
                    hint="name an empty or new directory",
                )
        empty = Index(manifests=()).to_document().raw
        for path, content in ((marker, LAYOUT_MARKER), (index, empty)):
            if not path.exists():
                with locked(self.root):
                    # Never twice: who uses a store holds a lock on the marker.
                    if not path.exists():
                        self._replace(path, content)

    def _replace(self, path: Path, data: bytes) -> None:
        with self._writing(f"write {path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data, self.root, SCRATCH)

    @contextlib.contextmanager
    def _scratch(self, prefix: str, what: str) -> Iterator[Path]:
        with contextlib.ExitStack() as stack:
            with self._writing(what):
                directory = stack.enter_context(temporary_directory(self.root, prefix))
            stack.enter_context(self._lending(what))
            yield directory

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise refused(self.root, what, error) from error

    @contextlib.contextmanager
    def _lending(self, what: str) -> Iterator[None]:
        """For a block of the caller's: only what the store's own disk refuses is the store's."""
        try:
            yield
        except OSError as error:
            if error.errno not in REFUSALS or not is_below(self.root, error):
                raise
            raise refused(self.root, what, error) from error


class Store(Layout):
    """The builder's own layout, with small facts that were expensive to find out.

    A fact is a JSON object under a name and a key: a base's file index by the base's digest,
    a base's manifest by its reference. Losing one costs time, never correctness.

    As long as the object lives, no other process removes anything from the store, and what is
    used is marked: when it has to become smaller, what was not used for the longest time goes.

    Args:
        root: its directory.
        events: told when it is waited for whoever prunes the store.

    Attributes:
        presence: that this process uses it.
        uses: what it used.

    Raises:
        StoreError: as for ``Layout``.
    """

    def __init__(self, root: Path, events: EventSink = ignore) -> None:
        super().__init__(root)
        self.presence = Presence.of(root)
        self.presence.enter(events)
        self.uses = Uses()

    @classmethod
    def at_home(cls, events: EventSink = ignore) -> "Store":
        """The store of this user: ``$BUILDER_STORE``, else under ``$XDG_CACHE_HOME``.

        Args:
            events: told when it is waited for whoever prunes the store.

        Raises:
            SettingsError: ``BUILDER_STORE_MAX_SIZE`` is not a size.
            StoreError: it cannot be made or written.
        """
        store_bound(os.environ)  # what is wrong with it shows before anything is built
        return cls(store_home(os.environ), events)

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """As of every layout; the blob counts as used."""
        self.uses.note(self._blob(descriptor.digest))
        return super().open(descriptor)

    def put(self, data: bytes) -> Digest:
        """As of every layout; the blob counts as used."""
        digest = super().put(data)
        self.uses.note(self._blob(digest))
        return digest

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A directory that is gone afterwards, on the store's disk: uv's cache is usually there.

        Raises:
            StoreError: it cannot be made, or the store's disk refused what the block wrote.
        """
        with self._scratch(STAGING, "stage a build") as directory:
            yield directory.resolve()

    def fact(self, kind: str, key: str) -> dict[str, object] | None:
        """What ``remember`` kept; None when nothing readable is there."""
        path = self._fact_path(kind, key)
        try:
            value = json.loads(path.read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        self.uses.note(path)
        return value if isinstance(value, dict) else None

    def remember(self, kind: str, key: str, fact: dict[str, object]) -> None:
        """Keep a fact.

        Raises:
            StoreError: the store cannot be written.
        """
        path = self._fact_path(kind, key)
        self._replace(path, json.dumps(fact).encode())
        self.uses.note(path)

    def _fact_path(self, kind: str, key: str) -> Path:
        return self.root / "facts" / kind / f"{Digest.of(key.encode()).hex}.json"


@dataclass(frozen=True, slots=True)
class StoredBlob:
    """A blob of the store as a layer's content."""

    store: Layout
    descriptor: Descriptor

    def open(self) -> BinaryIO:
        """The blob, verified while it is read to its end."""
        return self.store.open(self.descriptor)


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False
