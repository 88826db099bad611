"""An image on its way to its names in registries."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from builder.events import Notice, step
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.push.places import StoredPlaces
from builder.registry.access import RegistryAccess
from builder.registry.delivery import Delivery, Goal, Outcome, pushed_as
from builder.registry.push import foresee, send, shipments_to
from builder.registry.shipment import Shipment
from builder.units import decimal
from builder.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """The way to the repositories that an image's names are in.

    Attributes:
        shipments: to each of them, in the order of the names.
        places: what is known of where blobs are.
    """

    shipments: tuple[Shipment, ...]
    places: StoredPlaces

    @classmethod
    def to(cls, references: Sequence[Reference], access: RegistryAccess, shop: Workshop) -> "Route":
        """The way to where references are; nobody is asked anything yet.

        Args:
            references: at least one; those of one repository get their blobs once.
            access: makes the clients.
            shop: its store knows where blobs lie.

        Raises:
            SettingsError: a registry is blocked, or a file about registries cannot be read.
            TransportError: certificates of a host cannot be used.
        """
        named: dict[tuple[str, str], dict[str, Reference]] = {}
        for reference in references:
            named.setdefault(access.place(reference), {})[pushed_as(reference)] = reference
        goals = [
            Goal(
                client=access.push_client(next(iter(chosen.values()))),
                references=tuple(chosen.values()),
            )
            for chosen in named.values()
        ]
        places = StoredPlaces(shop.store, access)
        return cls(shipments=shipments_to(goals, places, shop.events), places=places)


def deliver(
    tree: ManifestTree, route: Route, shop: Workshop, *, dry_run: bool = False
) -> tuple[Delivery, ...]:
    """Send an image to all of its names.

    Args:
        tree: the image, or an index of images.
        route: to where its names are; what went ahead on it is not sent again.
        shop: is told what happens.
        dry_run: whether to ask only, and send nothing.

    Returns:
        What each repository took, in the order of the references.

    Raises:
        BuilderError: of the settings, registry, transport, layer and store kinds.
    """
    route.places.add_bases_of(tree)
    for shipment in route.shipments:
        shipment.expect(blob.descriptor.digest for blob in tree.all_blobs())
    if dry_run:
        return foresee(tree, route.shipments)
    with step(shop.events, "push") as done:
        deliveries = send(
            tree,
            route.shipments,
            route.places,
            done=lambda delivery: shop.events(Notice(_summary(delivery))),
        )
        done.detail = str(tree.descriptor.digest)
    return deliveries


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
