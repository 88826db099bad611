"""Sending images to repositories: what they lack, and nothing else.

Blobs go first, several at a time; then what points at them; the tags of all repositories last, so
that a name never stands for half an image, and no registry gets the new image's name when another
one failed.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

import threading
import time
from collections.abc import Callable, Sequence
from functools import partial

from builder.errors import RegistryError, SettingsError
from builder.events import EventSink, ignore
from builder.oci.blob import Blob
from builder.oci.tree import ManifestTree
from builder.parallel import in_parallel
from builder.registry.delivery import Delivery, Goal, Outcome, Places, pushed_as
from builder.registry.shipment import Shipment
from builder.registry.subject import subject_of

_SOMETHING_MISSING = frozenset({400, 404})
"""What registries answer to a manifest that points at what they have not."""


def push(
    tree: ManifestTree, goals: Sequence[Goal], places: Places, *, done: Callable[[Delivery], None]
) -> tuple[Delivery, ...]:
    """Send an image to repositories, one after the other, and name it everywhere at the end.

    Args:
        tree: the image, or an index of images.
        goals: at least one; their names are checked before anything is sent.
        places: asked where blobs may be mounted from, and told where they are now.
        done: told of each repository that has everything but the names.

    Raises:
        BuilderError: as for ``send``.
    """
    return send(tree, shipments_to(goals, places), places, done=done)


def shipments_to(
    goals: Sequence[Goal], places: Places, events: EventSink = ignore
) -> tuple[Shipment, ...]:
    """A shipment to each repository; of one server, the next may mount what the one before has."""
    found: list[Shipment] = []
    for goal in goals:
        found.append(Shipment(goal, places, before=tuple(found), events=events))
    return tuple(found)


def send(
    tree: ManifestTree,
    shipments: Sequence[Shipment],
    places: Places,
    *,
    done: Callable[[Delivery], None],
) -> tuple[Delivery, ...]:
    """Send what has not gone ahead of an image, one repository after the other; then name it.

    Args:
        tree: the image, or an index of images.
        shipments: at least one; their names are checked before anything is sent.
        places: told where the blobs are now.
        done: told of each repository that has everything but the names.

    Raises:
        SettingsError: a name holds the digest of something else.
        RegistryError: a registry refuses something.
        TransportError: a registry cannot be reached.
        LayerError: a blob's bytes are not its digest's.
    """
    _check_names(tree, shipments)
    deliveries = []
    for shipment in shipments:
        delivery = _deliver(tree, shipment)
        deliveries.append(delivery)
        # The next image may mount what this repository has.
        client = shipment.goal.client
        places.add(client.host, client.repository, [b.descriptor.digest for b, _ in delivery.blobs])
        done(delivery)
    for shipment in shipments:
        _name(tree, shipment)
    return tuple(deliveries)


def foresee(tree: ManifestTree, shipments: Sequence[Shipment]) -> tuple[Delivery, ...]:
    """What ``send`` would do, found out by questions only.

    Whether a registry will mount a blob that another of its repositories has is for the registry
    to say: here it counts as mounted.

    Raises:
        SettingsError: a name holds the digest of something else.
        RegistryError: a registry does not say.
        TransportError: a registry cannot be reached.
    """
    _check_names(tree, shipments)
    return tuple(_foresee(tree, shipment) for shipment in shipments)


def _check_names(tree: ManifestTree, shipments: Sequence[Shipment]) -> None:
    for reference in (reference for each in shipments for reference in each.goal.references):
        if reference.digest not in {None, tree.descriptor.digest}:
            raise SettingsError(
                f"cannot push to {reference}: the image is {tree.descriptor.digest}",
                hint=f"leave the digest out: {reference.given.partition('@')[0]}",
            )


def _deliver(tree: ManifestTree, shipment: Shipment) -> Delivery:
    """Everything but the names."""
    started = time.perf_counter()
    client, lacking = shipment.goal.client, shipment.lacking(tree)
    outcomes = shipment.deliver(tree)
    for document in tree.documents():
        digest = document.descriptor.digest
        if document is not tree and client.digest_of(str(digest)) != digest:
            _put(shipment, str(digest), document)
    return Delivery(
        goal=shipment.goal,
        blobs=tuple((blob, outcomes[blob.descriptor.digest]) for blob in tree.all_blobs()),
        tagged=lacking,
        seconds=time.perf_counter() - started,
    )


def _foresee(tree: ManifestTree, shipment: Shipment) -> Delivery:
    started = time.perf_counter()
    lacking, held = shipment.lacking(tree), shipment.held(tree)

    def outcome(blob: Blob) -> Outcome:
        if blob.descriptor.digest in held or shipment.goal.client.has(blob.descriptor):
            return Outcome.PRESENT
        return Outcome.MOUNTED if shipment.would_mount(blob) else Outcome.SENT

    blobs = tree.all_blobs()
    got = in_parallel(outcome, blobs, stop=threading.Event())
    return Delivery(
        goal=shipment.goal,
        blobs=tuple(zip(blobs, got, strict=True)),
        tagged=lacking,
        seconds=time.perf_counter() - started,
    )


def _name(tree: ManifestTree, shipment: Shipment) -> None:
    """Give the image its names."""
    selectors = [pushed_as(reference) for reference in shipment.lacking(tree)]
    if not selectors and subject_of(tree.raw):
        # Whoever pushed it before may have been stopped before it was listed with its subject.
        selectors = [str(tree.descriptor.digest)]
    for selector in selectors:
        _put(shipment, selector, tree)


def _put(shipment: Shipment, selector: str, document: ManifestTree) -> None:
    """Push a document; when it is refused, first what may have been lost since it was seen."""
    client = shipment.goal.client
    put = partial(client.put_manifest, selector, document.descriptor, document.raw)
    try:
        answer = put()
    except RegistryError as error:
        doubtful = shipment.doubtful(document)
        if not doubtful or error.status not in _SOMETHING_MISSING:
            raise
        shipment.send_again(doubtful)
        answer = put()
    if subject := subject_of(document.raw):
        # Signatures and the like have one; images have none.
        from builder.registry.referrers import announce, referrer_of  # noqa: PLC0415

        referrer = referrer_of(document.raw, document.descriptor.media_type)
        announce(client, subject, referrer, answer)
