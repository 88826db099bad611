"""An image on its way to its names in registries."""

from collections.abc import Sequence
from typing import Any

from builder.events import Notice, step
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.push.places import StoredPlaces
from builder.registry.access import RegistryAccess
from builder.registry.push import Delivery, Goal, foresee, most_promising, push, pushed_as
from builder.registry.upload import Outcome
from builder.units import decimal
from builder.workshop import Workshop

_MOST_SIBLINGS = 16
"""Repositories that permission is asked for; the question has to fit into an address."""


def deliver(
    tree: ManifestTree,
    references: Sequence[Reference],
    access: RegistryAccess,
    shop: Workshop,
    *,
    dry_run: bool = False,
) -> tuple[Delivery, ...]:
    """Send an image to all of its names.

    Args:
        tree: the image, or an index of images.
        references: at least one; those of one repository get their blobs once.
        access: makes the clients.
        shop: its store knows where blobs lie.
        dry_run: whether to ask only, and send nothing.

    Returns:
        What each repository took, in the order of the references.

    Raises:
        BuilderError: of the settings, registry, transport, layer and store kinds.
    """
    places = StoredPlaces.of(tree, shop.store, access)
    goals = _goals(tree, references, access, places)
    if dry_run:
        return foresee(tree, goals, places)
    with step(shop.events, "push") as done:
        deliveries = push(
            tree, goals, places, done=lambda delivery: shop.events(Notice(_summary(delivery)))
        )
        done.detail = str(tree.descriptor.digest)
    return deliveries


def _goals(
    tree: ManifestTree,
    references: Sequence[Reference],
    access: RegistryAccess,
    places: StoredPlaces,
) -> list[Goal]:
    named: dict[tuple[str, str], dict[str, Reference]] = {}
    for reference in references:
        named.setdefault(access.place(reference), {})[pushed_as(reference)] = reference
    goals: list[Goal] = []
    for (host, repository), chosen in named.items():
        earlier = {goal.client.repository for goal in goals if goal.client.host == host}
        near = {
            place
            for blob in tree.all_blobs()
            for place in most_promising(places, host, repository, blob.descriptor.digest)
        }
        client = access.push_client(
            next(iter(chosen.values())), sorted(near | earlier)[:_MOST_SIBLINGS]
        )
        goals.append(Goal(client=client, references=tuple(chosen.values())))
    return goals


def _summary(delivery: Delivery) -> str:
    return f"{delivery.goal.client.name}: {counts(delivery)}"


def counts(delivery: Delivery) -> str:
    """What became of the blobs, in a few words."""
    sent, mounted, present = (
        len(delivery.of(outcome)) for outcome in (Outcome.SENT, Outcome.MOUNTED, Outcome.PRESENT)
    )
    return (
        f"{sent} blobs sent ({decimal(delivery.sent_bytes)}), {mounted} mounted, "
        f"{present} there already"
    )


def report(tree: ManifestTree, deliveries: Sequence[Delivery]) -> dict[str, Any]:
    """What was pushed, as JSON: for ``--json`` and ``--metadata-file``."""
    return {
        "digest": str(tree.descriptor.digest),
        "media_type": tree.descriptor.media_type,
        "size": sum(
            (
                *(len(document.raw) for document in tree.documents()),
                *(blob.descriptor.size for blob in tree.all_blobs()),
            )
        ),
        "platforms": [
            str(document.descriptor.platform)
            for document in tree.documents()
            if document.descriptor.platform
        ],
        "references": [str(name) for name in pushed_names(tree, deliveries)],
        "repositories": [_repository(delivery) for delivery in deliveries],
    }


def pushed_names(tree: ManifestTree, deliveries: Sequence[Delivery]) -> list[str]:
    """Every name with the digest that it stands for: ``REF@sha256:...``."""
    return [
        f"{reference.given.partition('@')[0]}@{tree.descriptor.digest}"
        for delivery in deliveries
        for reference in delivery.goal.references
    ]


def _repository(delivery: Delivery) -> dict[str, Any]:
    client = delivery.goal.client
    return {
        "registry": client.host,
        "repository": client.repository,
        "tags": [reference.tag for reference in delivery.goal.references if reference.tag],
        "changed_tags": [reference.tag for reference in delivery.tagged if reference.tag],
        "layers": {
            "sent": _digests(delivery, Outcome.SENT),
            "mounted": _digests(delivery, Outcome.MOUNTED),
            "skipped": _digests(delivery, Outcome.PRESENT),
        },
        "bytes": delivery.sent_bytes,
        "seconds": round(delivery.seconds, 3),
    }


def _digests(delivery: Delivery, outcome: Outcome) -> list[dict[str, Any]]:
    return [
        {"digest": str(blob.descriptor.digest), "size": blob.descriptor.size}
        for blob in delivery.of(outcome)
    ]
