"""Sending images to repositories: what they lack, and nothing else.

Blobs go first, several at a time; then what points at them; the tags of all repositories last, so
that a name never stands for half an image, and no registry gets the new image's name when another
one failed.
https://github.com/opencontainers/distribution-spec/blob/main/spec.md#push
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from typing import Protocol

from builder.errors import DocumentError, RegistryError, SettingsError
from builder.oci import media_types
from builder.oci.blob import Blob
from builder.oci.manifest import parse_manifest
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.parallel import in_parallel
from builder.registry.client import Fetched, RegistryClient
from builder.registry.referrers import announce, referrer_of, subject_of
from builder.registry.upload import Outcome, upload
from layers.digest import Digest

_SOMETHING_MISSING = frozenset({400, 404})
"""What registries answer to a manifest that points at what they have not."""
_MOST_PLACES = 2
"""Repositories that are asked for a mount; each is one more request."""


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
        seconds: from the first question to the last answer.
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
        SettingsError: a name holds the digest of something else.
        RegistryError: a registry refuses something.
        TransportError: a registry cannot be reached.
        LayerError: a blob's bytes are not its digest's.
    """
    _check_names(tree, goals)
    deliveries = []
    for goal in goals:
        survey = Survey.of(tree, goal)
        delivery = _deliver(tree, survey, places)
        deliveries.append((survey, delivery))
        # The next repository may mount what this one has.
        digests = [blob.descriptor.digest for blob, _ in delivery.blobs]
        places.add(goal.client.host, goal.client.repository, digests)
        done(delivery)
    for survey, _ in deliveries:
        _name(tree, survey, places)
    return tuple(delivery for _, delivery in deliveries)


def foresee(tree: ManifestTree, goals: Sequence[Goal], places: Places) -> tuple[Delivery, ...]:
    """What ``push`` would do, found out by questions only.

    Whether a registry will mount a blob that another of its repositories has is for the registry
    to say: here it counts as mounted.

    Raises:
        SettingsError: a name holds the digest of something else.
        RegistryError: a registry does not say.
        TransportError: a registry cannot be reached.
    """
    _check_names(tree, goals)
    return tuple(_foresee(tree, Survey.of(tree, goal), places) for goal in goals)


def most_promising(places: Places, host: str, repository: str, digest: Digest) -> tuple[str, ...]:
    """The repositories of a server to ask for a blob, other than the one that is to have it."""
    near = places.find(host, digest)
    return tuple(place for place in near if place != repository)[:_MOST_PLACES]


def _check_names(tree: ManifestTree, goals: Sequence[Goal]) -> None:
    for reference in (reference for goal in goals for reference in goal.references):
        if reference.digest not in {None, tree.descriptor.digest}:
            raise SettingsError(
                f"cannot push to {reference}: the image is {tree.descriptor.digest}",
                hint=f"leave the digest out: {reference.given.partition('@')[0]}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a repository has of an image, as far as its names tell.

    Attributes:
        goal: which repository.
        lacking: the names that it does not give to this image.
        held: blobs that it has, since an image there points at them.
    """

    goal: Goal
    lacking: tuple[Reference, ...]
    held: frozenset[Digest]

    @classmethod
    def of(cls, tree: ManifestTree, goal: Goal) -> "Survey":
        """Ask for what the names stand for now.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        lacking = []
        held: set[Digest] = set()
        for reference in goal.references:
            selector = pushed_as(reference)
            got = _unless_denied(partial(goal.client.digest_of, selector))
            if got == tree.descriptor.digest:
                continue
            lacking.append(reference)
            if got and (found := _unless_denied(partial(goal.client.find_manifest, selector))):
                held |= _blobs_of(found)
        # Of an index that is there its manifests may be gone: some people remove what has no tag.
        if len(lacking) < len(goal.references) and not tree.children:
            held |= {blob.descriptor.digest for blob in tree.all_blobs()}
        return cls(goal=goal, lacking=tuple(lacking), held=frozenset(held))

    def doubtful(self, document: ManifestTree) -> list[Blob]:
        """The blobs of a document that the repository has by no other sign than these names."""
        return [blob for blob in document.blobs if blob.descriptor.digest in self.held]


def pushed_as(reference: Reference) -> str:
    """What a name is at its repository: the tag; a digest beside it says what it has to mean."""
    return reference.tag or str(reference.digest)


def _unless_denied[T](ask: Callable[[], T | None]) -> T | None:
    try:
        return ask()
    except RegistryError as error:
        # Who may push need not be allowed to pull.
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return None


def _blobs_of(found: Fetched) -> set[Digest]:
    if found.media_type in media_types.INDEXES:
        return set()
    try:
        manifest = parse_manifest(found.raw, found.media_type).value
    except DocumentError:
        # Whatever it is, it is about to be replaced.
        return set()
    return {part.digest for part in (manifest.config, *manifest.layers)}


def _deliver(tree: ManifestTree, survey: Survey, places: Places) -> Delivery:
    """Everything but the names."""
    started = time.perf_counter()
    client = survey.goal.client
    outcomes = {
        blob.descriptor.digest: (blob, Outcome.PRESENT)
        for blob in tree.all_blobs()
        if blob.descriptor.digest in survey.held
    }
    missing = [b for b in tree.all_blobs() if b.descriptor.digest not in outcomes]
    for blob, outcome in zip(missing, _upload(client, missing, places), strict=True):
        outcomes[blob.descriptor.digest] = (blob, outcome)
    for document in tree.documents():
        digest = document.descriptor.digest
        if document is not tree and client.digest_of(str(digest)) != digest:
            _put(client, str(digest), document, survey.doubtful(document), places)
    return Delivery(
        goal=survey.goal,
        blobs=tuple(outcomes.values()),
        tagged=survey.lacking,
        seconds=time.perf_counter() - started,
    )


def _foresee(tree: ManifestTree, survey: Survey, places: Places) -> Delivery:
    started = time.perf_counter()
    client = survey.goal.client

    def outcome(blob: Blob) -> Outcome:
        digest = blob.descriptor.digest
        if digest in survey.held or client.has(blob.descriptor):
            return Outcome.PRESENT
        near = most_promising(places, client.host, client.repository, digest)
        can_mount = any(client.sibling(place).has(blob.descriptor) for place in near)
        return Outcome.MOUNTED if can_mount else Outcome.SENT

    blobs = tree.all_blobs()
    got = in_parallel(outcome, blobs, stop=threading.Event())
    return Delivery(
        goal=survey.goal,
        blobs=tuple(zip(blobs, got, strict=True)),
        tagged=survey.lacking,
        seconds=time.perf_counter() - started,
    )


def _upload(client: RegistryClient, blobs: Sequence[Blob], places: Places) -> list[Outcome]:
    if not blobs:
        return []
    stop = threading.Event()

    def one(blob: Blob) -> Outcome:
        near = most_promising(places, client.host, client.repository, blob.descriptor.digest)
        return upload(client, blob, places=near, stop=stop)

    # The largest first: one that begins last would be waited for alone.
    by_size = sorted(range(len(blobs)), key=lambda i: -blobs[i].descriptor.size)
    got = in_parallel(lambda i: one(blobs[i]), by_size, stop=stop)
    outcomes = dict(zip(by_size, got, strict=True))
    return [outcomes[i] for i in range(len(blobs))]


def _name(tree: ManifestTree, survey: Survey, places: Places) -> None:
    """Give the image its names."""
    client = survey.goal.client
    selectors = [pushed_as(reference) for reference in survey.lacking]
    if not selectors and subject_of(tree.raw):
        # Whoever pushed it before may have been stopped before it was listed with its subject.
        selectors = [str(tree.descriptor.digest)]
    for selector in selectors:
        _put(client, selector, tree, survey.doubtful(tree), places)


def _put(
    client: RegistryClient,
    selector: str,
    document: ManifestTree,
    doubtful: Sequence[Blob],
    places: Places,
) -> None:
    """Push a document; when it is refused, first what may have been lost since it was seen."""
    put = partial(client.put_manifest, selector, document.descriptor, document.raw)
    try:
        answer = put()
    except RegistryError as error:
        if not doubtful or error.status not in _SOMETHING_MISSING:
            raise
        _upload(client, doubtful, places)
        answer = put()
    if subject := subject_of(document.raw):
        referrer = referrer_of(document.raw, document.descriptor.media_type)
        announce(client, subject, referrer, answer)
