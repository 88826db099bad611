"""Making a store smaller: what nothing needs goes, then what was not used for the longest time.

Names go from the index first, then facts, then blobs. So the index names nothing incomplete at any
moment, whenever this is killed; what stays behind in vain then is found by the next one.
"""

import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from builder.events import Caution, EventSink, Notice
from builder.store.files import discard
from builder.store.inventory import Fact, Inventory, NamedImage, StoredFile, take_inventory
from builder.store.layout import Layout, Store
from builder.store.leftovers import weigh
from builder.store.presence import Presence
from builder.store.refusals import refused
from builder.units import decimal

_ROOM = 10
"""One part of so many is made free beyond the bound, so that not every build has to do it."""

type _Item = NamedImage | Fact


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What may stay in a store.

    Attributes:
        max_size: of everything, in bytes; any size when None.
        max_age: since the last use, in seconds; any age when None.
    """

    max_size: int | None = None
    max_age: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What goes, and the bytes of what stays.

    Attributes:
        images: that lose their names.
        facts: that are forgotten.
        blobs: that no image and no fact which stays needs.
        leftovers: of builds that were killed.
        stays: in bytes.
    """

    images: tuple[NamedImage, ...]
    facts: tuple[Fact, ...]
    blobs: tuple[StoredFile, ...]
    leftovers: tuple[StoredFile, ...]
    stays: int

    @property
    def freed(self) -> int:
        """Bytes of what goes."""
        facts = (fact.file for fact in self.facts)
        return sum(file.size for file in (*facts, *self.blobs, *self.leftovers))


def plan_removal(
    found: Inventory, limits: Limits, *, now: float, spared: Collection[Path] = ()
) -> Removal:
    """Choose what goes.

    Args:
        found: what there is.
        limits: what may stay.
        now: the time, in seconds since the epoch.
        spared: the files of images and facts that stay in any case, unless they are broken.
    """
    sound: list[_Item] = [image for image in found.images if image.is_whole]
    sound += [fact for fact in found.facts if fact.is_usable]
    oldest = now - limits.max_age if limits.max_age is not None else None
    staying = [
        item for item in sound if oldest is None or item.used >= oldest or item.path in spared
    ]
    if limits.max_size is not None:
        staying = _fitting(staying, found.blobs, limits.max_size, spared)
    needed = frozenset[str]().union(*(item.needs for item in staying))
    kept = {item.path for item in staying}
    blobs = {name: blob for name, blob in found.blobs.items() if name not in needed}
    removal = Removal(
        images=tuple(image for image in found.images if image.path not in kept),
        facts=tuple(fact for fact in found.facts if fact.path not in kept),
        blobs=tuple(blobs.values()),
        leftovers=found.leftovers,
        stays=0,
    )
    return replace(removal, stays=found.size - removal.freed)


def remove(removal: Removal, layout: Layout) -> None:
    """Do it; nobody else may be at work in the store.

    Raises:
        DocumentError: the index cannot be read.
        StoreError: the store cannot be written.
    """
    if removal.images:
        layout.forget({image.digest for image in removal.images})
    unlink([fact.file for fact in removal.facts], layout.root)
    unlink(removal.blobs, layout.root)
    for left in removal.leftovers:
        discard(left.path)


def prune(
    root: Path, limits: Limits, events: EventSink, *, dry_run: bool = False, wait: bool = True
) -> Removal:
    """Make a store smaller, while no build is at work there.

    Args:
        root: its directory; it is there.
        limits: what may stay of what somebody may need.
        events: told what is waited for.
        dry_run: whether only to say what would go; that waits for nobody.
        wait: whether to wait for builds that are at work.

    Raises:
        DocumentError: the index cannot be read.
        StoreError: this is no store, it cannot be written, or it is in use.
    """
    layout = Layout(root)
    if dry_run:
        return plan_removal(take_inventory(layout), limits, now=time.time())
    with Presence.of(root).alone(events, wait=wait) as is_sure:
        found = take_inventory(layout)
        if not is_sure:
            found = replace(found, leftovers=())  # the layout removed what is old already
        removal = plan_removal(found, limits, now=time.time())
        remove(removal, layout)
    return removal


def prune_to(bound: int, store: Store, events: EventSink) -> None:
    """Make the store of a build smaller if it is too large and nobody else is at work there.

    Args:
        bound: bytes that it may hold.
        store: the one of this process; what it used stays.
        events: told what was done.

    Raises:
        DocumentError: the index cannot be read.
        StoreError: the store cannot be written.
    """
    layout = Layout(store.root)
    if weigh(layout.root / "blobs") + weigh(layout.root / "facts") <= bound:
        return
    with store.presence.alone_at_once() as is_alone:
        if not is_alone:
            return
        found = replace(take_inventory(layout), leftovers=())
        limits = Limits(max_size=bound - bound // _ROOM)
        removal = plan_removal(found, limits, now=time.time(), spared=store.uses.paths)
        remove(removal, layout)
    freed = f"{decimal(removal.freed)} removed from the store, {decimal(removal.stays)} stay"
    if removal.stays <= bound:
        events(Notice(f"{freed}; it may hold {decimal(bound)}"))
        return
    text = f"{freed}, all for this image; it may hold {decimal(bound)}"
    events(Caution(text, "give BUILDER_STORE_MAX_SIZE more"))


def _fitting(
    items: Iterable[_Item], blobs: Mapping[str, StoredFile], room: int, spared: Collection[Path]
) -> list[_Item]:
    """The items that were used last, as many as there is room for.

    Older ones stay, too, when their blobs stay anyway: an old fact about the dependencies of an
    image in use costs little, and spares packing them.
    """
    # A path decides between equals, so that the answer does not depend on the disk.
    latest = sorted(items, key=lambda item: (item.used, str(item.path)), reverse=True)
    staying: list[_Item] = []
    kept: set[str] = set()
    is_full = False
    for item in sorted(latest, key=lambda item: item.path not in spared):
        new = item.needs - kept
        cost = _own_size(item) + sum(blobs[name].size for name in new)
        fits = not cost or (cost <= room and not (new and is_full))
        if fits or item.path in spared:
            staying.append(item)
            kept |= new
            room -= cost
        else:
            is_full = is_full or bool(new)
    return staying


def _own_size(item: _Item) -> int:
    return item.file.size if isinstance(item, Fact) else 0


def unlink(files: Iterable[StoredFile], root: Path) -> None:
    """Remove files of a store; those that are gone already are no error.

    Raises:
        StoreError: the store cannot be written.
    """
    for file in files:
        try:
            file.path.unlink(missing_ok=True)
        except OSError as error:
            raise refused(root, "remove files", error) from error
