"""Where an image goes, and what became of it there."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from builder.oci.blob import Blob
from builder.oci.reference import Reference
from builder.registry.client import RegistryClient
from layers.digest import Digest

_MOST_PLACES = 2
"""Repositories that are asked for a mount; each is one more request."""


class Outcome(StrEnum):
    """What it took to have a blob in a repository."""

    PRESENT = "present"
    """Nothing: it was there."""
    MOUNTED = "mounted"
    """A word: another repository of the registry had it."""
    SENT = "sent"
    """All of its bytes."""


class Places(Protocol):
    """Where in registries blobs are known to lie."""

    def find(self, host: str, digest: Digest) -> Sequence[str]:
        """Repositories of a server, the most promising first."""
        ...

    def add(self, host: str, repository: str, digests: Iterable[Digest]) -> None:
        """Take note of where blobs are."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One repository, and the names that the image gets there."""

    client: RegistryClient
    references: tuple[Reference, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What it took to have an image in a repository.

    Attributes:
        goal: which repository.
        blobs: of the image, and what became of each.
        tagged: the names that the repository did not give to this image before.
        seconds: from when the image was there to the last answer; what went ahead of it is not
            in this.
    """

    goal: Goal
    blobs: tuple[tuple[Blob, Outcome], ...]
    tagged: tuple[Reference, ...]
    seconds: float = field(compare=False)

    def of(self, outcome: Outcome) -> tuple[Blob, ...]:
        """The blobs that had this outcome."""
        return tuple(blob for blob, got in self.blobs if got is outcome)

    @property
    def sent_bytes(self) -> int:
        """Bytes of blobs that went over the line."""
        return sum(blob.descriptor.size for blob in self.of(Outcome.SENT))


def pushed_as(reference: Reference) -> str:
    """What a name is at its repository: the tag; a digest beside it says what it has to mean."""
    return reference.tag or str(reference.digest)


def most_promising(
    places: Places, client: RegistryClient, digest: Digest, first: Iterable[str] = ()
) -> tuple[str, ...]:
    """The repositories of a server to ask for a blob, other than the one that is to have it.

    Args:
        places: where blobs are known to lie.
        client: of the repository that is to have it.
        digest: of the blob.
        first: repositories that have it for sure.
    """
    near = dict.fromkeys((*first, *places.find(client.host, digest)))
    return tuple(place for place in near if place != client.repository)[:_MOST_PLACES]
