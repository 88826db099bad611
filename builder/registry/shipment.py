"""What is on its way to one repository: each blob goes once, whoever brings it first."""

import threading
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus

from builder.errors import BuilderError, DocumentError, RegistryError
from builder.events import EventSink, ignore, span
from builder.oci import media_types
from builder.oci.blob import Blob
from builder.oci.manifest import parse_index, parse_manifest
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.parallel import GRACE_SECONDS, Crew, stopped
from builder.registry.client import Fetched, RegistryClient
from builder.registry.delivery import Goal, Outcome, Places, most_promising, pushed_as
from builder.registry.names import Names
from layers.digest import Digest

_MOST_SIBLINGS = 16
"""Repositories that permission is asked for; the question has to fit into an address."""
_WORTH_A_QUESTION = 64 << 10
"""Bytes of a blob that are sent as fast as it is found out whether they have to be."""
_MOST_CHILDREN = 8
"""Images of an index that are read to know what they hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """A blob that is on its way, or was; ahead of its image, perhaps."""

    future: Future[Outcome]
    ahead: bool


class Shipment:
    """Blobs on their way to a repository, in threads; and what the repository had before.

    Blobs may go ahead, while nobody waits for them and there is no image yet. Once one of those
    failed, no other one tries; ``deliver`` brings them anew, and says what goes wrong then.

    Args:
        goal: which repository, and the names that count.
        places: asked where blobs may be mounted from.
        before: shipments that get each blob first; those to the same server count.
        events: told what takes how long, from any thread.
    """

    def __init__(
        self,
        goal: Goal,
        places: Places,
        *,
        before: Sequence["Shipment"] = (),
        events: EventSink = ignore,
    ) -> None:
        self.goal = goal
        self._client = goal.client
        self._places = places
        self._before = tuple(each for each in before if each.goal.client.host == goal.client.host)
        self._events = events
        self._crew = Crew()
        self._stop = threading.Event()
        self._has_failed = False
        self._siblings: frozenset[str] = frozenset()
        self._taken: dict[Digest, _Taken] = {}
        self._names = Names(map(pushed_as, goal.references), self._ask_name)
        self._seen: set[Digest] = set()
        self._held: frozenset[Digest] = frozenset()
        self._looking = threading.Lock()
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Ask what the names stand for now, and do not wait for the answer."""
        self._crew.take(self._names)

    def expect(self, digests: Iterable[Digest]) -> None:
        """Have permission asked for at once for all that these blobs may be mounted from."""
        near = {place for digest in digests for place in self._near(digest, ())}
        earlier = {each.goal.client.repository for each in self._before}
        self._read_also(sorted(near | earlier)[:_MOST_SIBLINGS])

    def send_ahead(self, blob: Blob) -> None:
        """Send a blob soon, unless it is on its way or the repository has it; threads may call."""
        self._names.let_time_pass()
        with self._lock:
            if blob.descriptor.digest not in self._taken:
                self._take(blob, ahead=True)

    def lacking(self, tree: ManifestTree) -> tuple[Reference, ...]:
        """The names that the repository does not give to an image now.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        lacking = self._names.lacking(tree.descriptor.digest)
        return tuple(each for each in self.goal.references if pushed_as(each) in lacking)

    def held(self, tree: ManifestTree | None = None) -> frozenset[Digest]:
        """The blobs that the repository has, since an image there points at them.

        Args:
            tree: what will be pushed; a name that stands for it already tells enough.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        stands = self._names()
        with self._looking:
            # Of an index its manifests may be gone: some people remove what has no tag.
            if tree and not tree.children and tree.descriptor.digest in stands.values():
                self._seen.add(tree.descriptor.digest)
                self._held |= {blob.descriptor.digest for blob in tree.blobs}
            for selector, digest in stands.items():
                if digest and digest not in self._seen:
                    self._held |= self._look(selector)
                    self._seen.add(digest)
            return self._held

    def deliver(self, tree: ManifestTree) -> dict[Digest, Outcome]:
        """Have all blobs of an image in the repository, and wait for that.

        Returns:
            What became of each, also of those that went ahead.

        Raises:
            RegistryError: the registry refuses a blob.
            TransportError: the registry cannot be reached.
            LayerError: a blob's bytes are not its digest's.
        """
        held, blobs = self.held(tree), tree.all_blobs()
        self._bring([blob for blob in blobs if blob.descriptor.digest not in held])
        return {blob.descriptor.digest: self._outcome(blob) for blob in blobs}

    def send_again(self, blobs: Collection[Blob]) -> None:
        """Have blobs in the repository that only seemed to be there.

        Raises:
            BuilderError: as for ``deliver``.
        """
        lost = {blob.descriptor.digest for blob in blobs}
        self._held -= lost
        self._taken = {digest: each for digest, each in self._taken.items() if digest not in lost}
        self._bring(blobs)

    def doubtful(self, document: ManifestTree) -> list[Blob]:
        """The blobs of a document that were there already; perhaps they are not any more."""
        return [blob for blob in document.blobs if self._outcome(blob) is Outcome.PRESENT]

    def would_mount(self, blob: Blob) -> bool:
        """Whether another repository that may be asked for a blob has it."""
        near = self._near(blob.descriptor.digest, ())
        return any(self._client.sibling(place).has(blob.descriptor) for place in near)

    def arrives(self, digest: Digest) -> bool:
        """Whether a blob will have come to the repository; waits for that."""
        taken = self._taken.get(digest)
        return taken.future.exception() is None if taken else digest in self._held

    def give_up(self, *, grace_seconds: float) -> None:
        """Send nothing more.

        Args:
            grace_seconds: for what is under way to end, and to tell the registry so.
        """
        self._stop.set()
        self._crew.give_up(grace_seconds=grace_seconds)

    def _bring(self, blobs: Collection[Blob]) -> None:
        """Have blobs in the repository; those that are not on their way begin now."""
        try:
            # The largest first: one that begins last would be waited for alone.
            for blob in sorted(blobs, key=lambda blob: -blob.descriptor.size):
                if blob.descriptor.digest not in self._taken:
                    self._take(blob, ahead=False)
            while failed := self._failed(blobs):
                for blob in failed:
                    self._take(blob, ahead=False)
        except BaseException as error:
            # Whoever pressed Ctrl-C does not wait for a server that says nothing.
            self.give_up(grace_seconds=GRACE_SECONDS if isinstance(error, Exception) else 0)
            raise

    def _failed(self, blobs: Collection[Blob]) -> list[Blob]:
        """Wait; the blobs that only failed while they went ahead."""
        taken = [(blob, self._taken[blob.descriptor.digest]) for blob in blobs]
        done, _ = wait([each.future for _, each in taken], return_when=FIRST_EXCEPTION)
        failed = [(b, t) for b, t in taken if t.future in done and t.future.exception()]
        for _, each in failed:
            if not each.ahead:
                each.future.result()
        return [blob for blob, _ in failed]

    def _take(self, blob: Blob, *, ahead: bool) -> None:
        future = self._crew.take(partial(self._carry, blob, ahead=ahead))
        self._taken[blob.descriptor.digest] = _Taken(future=future, ahead=ahead)

    def _outcome(self, blob: Blob) -> Outcome:
        taken = self._taken.get(blob.descriptor.digest)
        return taken.future.result() if taken else Outcome.PRESENT

    def _carry(self, blob: Blob, *, ahead: bool) -> Outcome:
        if self._stop.is_set() or (ahead and self._has_failed):
            raise stopped()
        try:
            outcome = self._carried(blob)
        except BaseException:
            self._has_failed = True
            raise
        if ahead:
            self._note(blob)
        return outcome

    def _note(self, blob: Blob) -> None:
        """Keep where a blob is while there is time: the disk takes its own for each."""
        client = self.goal.client
        # Whatever the store has against it, it says again of the whole image.
        with suppress(BuilderError):
            self._places.add(client.host, client.repository, [blob.descriptor.digest])

    def _carried(self, blob: Blob) -> Outcome:
        # Most pushes find everything there.
        from builder.registry.upload import upload  # noqa: PLC0415

        digest = blob.descriptor.digest
        if digest in self.held():
            return Outcome.PRESENT
        places, client = None, self._client
        if not self._is_new(blob):
            places = self._near(digest, [each for each in self._before if each.arrives(digest)])
            client = self._read_also(places)
        with span(self._events, f"blob {_short(digest)} to {client.name}"):
            return upload(client, blob, places=places, stop=self._stop, events=self._events)

    def _is_new(self, blob: Blob) -> bool:
        """Whether a blob is in no image of these names, and costs no more than a question does."""
        return bool(self._held) and blob.descriptor.size <= _WORTH_A_QUESTION

    def _near(self, digest: Digest, first: Iterable["Shipment"]) -> tuple[str, ...]:
        repositories = [each.goal.client.repository for each in first]
        return most_promising(self._places, self._client, digest, repositories)

    def _read_also(self, repositories: Collection[str]) -> RegistryClient:
        """The client, with permission to read these as well, as long as it may ask for more."""
        with self._lock:
            if len(wanted := self._siblings.union(repositories)) <= _MOST_SIBLINGS:
                self._siblings = wanted
                self._client = self._client.reading(wanted)
            return self._client

    def _ask_name(self, selector: str) -> Digest | None:
        client = self._client
        with span(self._events, f"ask for {selector} of {client.name}"):
            return _unless_denied(partial(client.digest_of, selector))

    def _look(self, selector: str) -> set[Digest]:
        with span(self._events, f"read {selector} of {self._client.name}"):
            found = _unless_denied(partial(self._client.find_manifest, selector))
        if found is None:
            return set()
        children = _children_of(found)
        return _blobs_of(found).union(*(self._look(str(child)) for child in children))


def _short(digest: Digest) -> str:
    return digest.hex[:12]


def _unless_denied[T](ask: Callable[[], T | None]) -> T | None:
    try:
        return ask()
    except RegistryError as error:
        # Who may push need not be allowed to pull.
        if error.status != HTTPStatus.FORBIDDEN:
            raise
        return None


def _children_of(found: Fetched) -> list[Digest]:
    """Of an index, the images that it lists; of a long one the first, to ask no more than helps."""
    if found.media_type not in media_types.INDEXES:
        return []
    try:
        manifests = parse_index(found.raw, found.media_type).value.manifests
    except DocumentError:
        return []
    return [manifest.digest for manifest in manifests if manifest.platform][:_MOST_CHILDREN]


def _blobs_of(found: Fetched) -> set[Digest]:
    if found.media_type in media_types.INDEXES:
        return set()
    try:
        manifest = parse_manifest(found.raw, found.media_type).value
    except DocumentError:
        # Whatever it is, it is about to be replaced.
        return set()
    return {part.digest for part in (manifest.config, *manifest.layers)}
