"""An OCI image layout directory: blobs by digest, and an index that names images.

https://github.com/opencontainers/image-spec/blob/main/image-layout.md

Every write is a temporary file, synced and renamed, so a name in ``blobs/`` always stands for the
whole blob, whenever the power went. The index is read, changed and replaced under a lock.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, cast

from builder.errors import DocumentError, LayerError, StoreError
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.oci.document import canonical_json, parse_object
from builder.oci.manifest import Index, parse_index
from builder.store.files import REFUSALS, sync_directory, write_atomically, write_hint
from layers.digest import Digest, VerifyingReader, copy_verified

LAYOUT_MARKER = b'{"imageLayoutVersion":"1.0.0"}'
"""What the file ``oci-layout`` says."""

_MEMBERS = frozenset({"blobs", "facts", "index.json", "oci-layout"})
_SCRATCH = ".ingest-"
_STAGING = ".staging-"
_LEFTOVERS = (_SCRATCH, _STAGING, ".docker-")
_LEFT_AFTER_SECONDS = 24 * 60 * 60
_ELSEWHERE = " in BUILDER_STORE"
_REFILL = "remove the store's directory; the next build fills it again"

_unfinished: set[Path] = set()
_beginning = threading.Lock()


def drop_unfinished() -> None:
    """Remove what this process has begun to write into layouts: it ends without finishing it."""
    with _beginning:
        for directory in list(_unfinished):
            shutil.rmtree(directory, ignore_errors=True)


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
        self._sweep()

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the blob is here, in full size."""
        try:
            return self._blob(descriptor.digest).stat().st_size == descriptor.size
        except OSError:
            return False

    def open(self, descriptor: Descriptor) -> BinaryIO:
        """The blob as a stream that refuses, at its end, bytes that are not the blob's.

        Raises:
            StoreError: the blob is not here.
        """
        path = self._blob(descriptor.digest)
        try:
            file = path.open("rb")
        except OSError as error:
            raise StoreError(
                f"store {self.root}: blob {descriptor.digest} cannot be read: {error.strerror}",
                hint=_REFILL,
            ) from error
        return cast("BinaryIO", _VerifiedFile(file, descriptor))

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
        with self._writing("write a blob"), _beginning:
            directory = Path(tempfile.mkdtemp(prefix=_SCRATCH, dir=self.root))
            _unfinished.add(directory)
        try:
            with self._lending("write a blob"):
                yield directory / "blob"
        finally:
            shutil.rmtree(directory, ignore_errors=True)
            _unfinished.discard(directory)

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
        with self._writing("write the index"), self._locked():
            raw = self._raw_index()
            listed = self._parsed(raw).manifests
            index = parse_object(raw, "index")
            others = [
                value
                for value, entry in zip(index["manifests"] or (), listed, strict=True)
                if entry.annotations.get(REF_NAME) != name
            ]
            index["manifests"] = [*others, named.to_json()]
            self._replace(self.root / "index.json", canonical_json(index))

    def index(self) -> Index:
        """What ``index.json`` lists.

        Raises:
            DocumentError: it cannot be read as an index.
            StoreError: the file cannot be read.
        """
        return self._parsed(self._raw_index())

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

    def _blob(self, digest: Digest) -> Path:
        return self.root / "blobs" / digest.algorithm / digest.hex

    def _adopt_marker(self) -> None:
        marker = self.root / "oci-layout"
        if not marker.exists():
            strangers = [
                path.name
                for path in self.root.iterdir()
                if path.name not in _MEMBERS and not path.name.startswith(_LEFTOVERS)
            ]
            if strangers:
                raise StoreError(
                    f"{self.root} holds {min(strangers)!r} and is not an OCI image layout",
                    hint="name an empty or new directory",
                )
            self._replace(marker, LAYOUT_MARKER)
        if not (self.root / "index.json").exists():
            with self._locked():
                if not (self.root / "index.json").exists():
                    self._replace(self.root / "index.json", Index(manifests=()).to_document().raw)

    def _sweep(self) -> None:
        now = time.time()
        with contextlib.suppress(OSError):  # not ours to remove, or removed by somebody else
            for path in self.root.iterdir():
                if not path.name.startswith(_LEFTOVERS):
                    continue
                if now - path.lstat().st_mtime < _LEFT_AFTER_SECONDS:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink()

    def _replace(self, path: Path, data: bytes) -> None:
        with self._writing(f"write {path.name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, data, self.root, _SCRATCH)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        directory = os.open(self.root, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    @contextlib.contextmanager
    def _writing(self, what: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _store_error(self.root, what, error) from error

    @contextlib.contextmanager
    def _lending(self, what: str) -> Iterator[None]:
        """For a block of the caller's: only what the store's own disk refuses is the store's."""
        try:
            yield
        except OSError as error:
            if error.errno not in REFUSALS or not _is_below(self.root, error):
                raise
            raise _store_error(self.root, what, error) from error


class Store(Layout):
    """The builder's own layout, with small facts that were expensive to find out.

    A fact is a JSON object under a name and a key: a base's file index by the base's digest,
    a base's manifest by its reference. Losing one costs time, never correctness.
    """

    @classmethod
    def at_home(cls) -> "Store":
        """The store of this user: ``$BUILDER_STORE``, else under ``$XDG_CACHE_HOME``.

        Raises:
            StoreError: it cannot be made or written.
        """
        if chosen := os.environ.get("BUILDER_STORE"):
            return cls(Path(chosen))
        try:
            cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
        except RuntimeError as error:
            raise StoreError(
                "this user has no home directory to keep a store in",
                hint="name a directory you may write in BUILDER_STORE",
            ) from error
        return cls(cache / "image-builder")

    @contextlib.contextmanager
    def staging(self) -> Iterator[Path]:
        """A directory that is gone afterwards, on the store's disk: uv's cache is usually there.

        Raises:
            StoreError: it cannot be made, or the store's disk refused what the block wrote.
        """
        with self._writing("stage a build"):
            directory = Path(tempfile.mkdtemp(prefix=_STAGING, dir=self.root)).resolve()
        try:
            with self._lending("stage a build"):
                yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    def fact(self, kind: str, key: str) -> dict[str, object] | None:
        """What ``remember`` kept; None when nothing readable is there."""
        try:
            value = json.loads(self._fact_path(kind, key).read_bytes())
        except (OSError, ValueError, RecursionError):
            return None
        return value if isinstance(value, dict) else None

    def remember(self, kind: str, key: str, fact: dict[str, object]) -> None:
        """Keep a fact.

        Raises:
            StoreError: the store cannot be written.
        """
        self._replace(self._fact_path(kind, key), json.dumps(fact).encode())

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


class _VerifiedFile(VerifyingReader):
    """A blob's file, read through its digest."""

    def __init__(self, file: BinaryIO, descriptor: Descriptor) -> None:
        super().__init__(file, descriptor.digest, descriptor.size)
        self._name = file.name

    def read(self, size: int = -1) -> bytes:
        try:
            return super().read(size)
        except LayerError as error:
            hint = f"remove {self._name}; the next build brings it again"
            raise LayerError(error.message, hint=hint) from None


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.read_bytes() == data
    except OSError:
        return False


def _is_below(root: Path, error: OSError) -> bool:
    """Whether an error is about something in a directory; one without a name may be."""
    if not isinstance(error.filename, str | bytes):
        return True
    culprit = Path(os.fsdecode(error.filename))
    return any(map(culprit.is_relative_to, (root, root.absolute(), root.resolve())))


def _store_error(root: Path, what: str, error: OSError) -> StoreError:
    reason = error.strerror or str(error)
    if not _is_below(root, error):
        return StoreError(f"cannot {what}: {os.fsdecode(error.filename)}: {reason}")
    return StoreError(f"cannot {what} in {root}: {reason}", hint=write_hint(error, _ELSEWHERE))
