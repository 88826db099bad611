"""Proving a store: every blob is what its name says, and every image of the index is whole."""

import hashlib
import json
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from builder.errors import DocumentError
from builder.events import EventSink, Notice
from builder.oci.descriptor import REF_NAME, Descriptor
from builder.parallel import cores, in_parallel
from builder.store.inventory import StoredFile, blobs_of, facts_of
from builder.store.layout import Layout
from builder.store.presence import Presence
from builder.store.prune import unlink
from builder.store.whole import lacks
from builder.units import decimal
from layers.digest import CHUNK


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What is wrong in a store.

    Attributes:
        checked: how many blobs were read.
        size: bytes that were read.
        damaged: blobs that are not what their names say.
        unreadable: facts that are no JSON objects.
        incomplete: images of the index that lack something, also by what is damaged.
        index_error: why the index cannot be read; None when it can.
    """

    checked: int
    size: int
    damaged: tuple[StoredFile, ...] = ()
    unreadable: tuple[StoredFile, ...] = ()
    incomplete: tuple[Descriptor, ...] = ()
    index_error: str | None = None

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.damaged or self.unreadable or self.incomplete or self.index_error)

    @property
    def incomplete_names(self) -> tuple[str, ...]:
        """What the incomplete images are called; one without a name, by its digest."""
        names = (image.annotations.get(REF_NAME, str(image.digest)) for image in self.incomplete)
        return tuple(dict.fromkeys(names))


def verify(root: Path, events: EventSink, *, dry_run: bool = False, wait: bool = True) -> Findings:
    """Read all of a store, and remove what is damaged: whoever needs it makes it again.

    Reading goes on beside builds; only what was found is removed, and looked at again before,
    while none is at work.

    Args:
        root: its directory; it is there.
        events: told what is read and waited for.
        dry_run: whether only to say what is damaged.
        wait: whether to wait for builds that are at work, when something has to be removed.

    Returns:
        What was wrong.

    Raises:
        StoreError: this is no store, it cannot be written, or it is in use.
    """
    layout = Layout(root)
    blobs = blobs_of(root)
    events(Notice(f"reading {len(blobs)} blobs, {decimal(sum(b.size for b in blobs))}"))
    findings = _look(layout, blobs, facts_of(root))
    if findings.is_sound or dry_run:
        return findings
    with Presence.of(root).alone(events, wait=wait):
        again = _look(layout, findings.damaged, findings.unreadable)
        _mend(layout, again)
    return replace(again, checked=findings.checked, size=findings.size)


def _look(layout: Layout, blobs: Iterable[StoredFile], facts: Iterable[StoredFile]) -> Findings:
    blobs = list(blobs)
    stop = threading.Event()
    verdicts = in_parallel(
        lambda blob: _is_damaged(blob.path, stop), blobs, stop=stop, workers=cores()
    )
    damaged = tuple(blob for blob, is_damaged in zip(blobs, verdicts, strict=True) if is_damaged)
    findings = Findings(
        checked=len(blobs),
        size=sum(blob.size for blob in blobs),
        damaged=damaged,
        unreadable=tuple(fact for fact in facts if not _is_fact(fact.path)),
    )
    names = {blob.path.name for blob in damaged}

    def has(descriptor: Descriptor) -> bool:
        return descriptor.digest.hex not in names and layout.has(descriptor)

    try:
        index = layout.index()
    except DocumentError as error:
        return replace(findings, index_error=error.message)
    incomplete = (image for image in index.manifests if lacks(image, layout, has))
    return replace(findings, incomplete=tuple(incomplete))


def _mend(layout: Layout, findings: Findings) -> None:
    """As pruning does: what names things goes before the things."""
    if findings.index_error:
        layout.forget_all()
    elif findings.incomplete:
        layout.forget({image.digest for image in findings.incomplete})
    unlink((*findings.unreadable, *findings.damaged), layout.root)


def _is_damaged(path: Path, stop: threading.Event) -> bool:
    """Whether a file is not what its name says; one that is gone by now is no damage."""
    hasher = hashlib.sha256()
    try:
        with path.open("rb") as file:
            while not stop.is_set() and (data := file.read(CHUNK)):
                hasher.update(data)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return not stop.is_set() and hasher.hexdigest() != path.name


def _is_fact(path: Path) -> bool:
    try:
        return isinstance(json.loads(path.read_bytes()), dict)
    except FileNotFoundError:
        return True
    except (OSError, ValueError, RecursionError):
        return False
