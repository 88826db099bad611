"""One archive after the other, asked for files over HTTP."""

import base64
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from http import HTTPStatus
from threading import Event
from typing import BinaryIO, cast
from urllib.parse import quote, unquote, urlsplit

from builder.debian.archive.sources import AptSource
from builder.errors import ArchiveError, LayerError, TransportError
from builder.events import EventSink, Notice
from builder.oci.descriptor import Descriptor
from builder.parallel import Stoppable
from builder.retry import PASSING, Retry, Transient, passing, retry_after
from builder.store.layout import Store
from builder.transport import Request, Response, Transport
from layers.digest import VerifyingReader

_ABSENT = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
_FORBIDDEN = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_SAFE = "/~!$&'()*,;=:@"
"""Characters that a path in an address may have; some servers read a plus sign as a space."""

type Unpack = Callable[[BinaryIO, str], BinaryIO]
"""From a file's stream, and its name for messages, to the stream of what is stored."""


@dataclass(frozen=True, slots=True)
class Location:
    """A file of an archive: by its source, and its path from the archive's root."""

    source: AptSource
    path: str

    def __str__(self) -> str:
        return f"{self.source.host}{urlsplit(self.source.uri).path}/{self.path}"

    def request(self) -> Request:
        """What asks for it; credentials of the source's address go into a header."""
        scheme, _, rest = self.source.uri.partition("://")
        authority, slash, above = rest.partition("/")
        userinfo, _, host = authority.rpartition("@")
        headers = {"Authorization": _basic(userinfo)} if userinfo else {}
        url = f"{scheme}://{host}{slash}{above}/{quote(self.path, safe=_SAFE)}"
        return Request(url=url, headers=headers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """Brings files, and asks again when that may help; threads may share it.

    Attributes:
        transport: opens the connections.
        retry: how often to ask again.
        store: takes what has a digest.
        events: told when another place is asked instead; threads may call it.
        stop: set when nobody wants the files any more.
        silent: hosts that did not answer, which are asked last from then on.
    """

    transport: Transport
    retry: Retry
    store: Store
    events: EventSink
    stop: Event
    silent: set[str] = field(default_factory=set)

    def small(self, location: Location, limit: int) -> bytes | None:
        """A file of at most ``limit`` bytes; None when the archive has none of that name.

        Raises:
            ArchiveError: the archive does not give it, or it is longer.
            TransportError: the archive cannot be reached.
        """

        def fetch() -> bytes | None:
            with self._asked(location) as answer, passing():
                data = answer.read(limit + 1) if answer else None
            if data is not None and len(data) > limit:
                raise ArchiveError(f"{location} is longer than {limit >> 20} MiB")
            return data

        return self.retry.run(fetch)

    def bring(
        self,
        locations: Sequence[Location],
        descriptor: Descriptor,
        *,
        what: str,
        stored: Descriptor | None = None,
        unpack: Unpack | None = None,
    ) -> bool:
        """Put a file into the store, from the first place that gives it.

        Whatever is wrong with one place, the next one is asked: the digest says what is right.

        Args:
            locations: where it may be.
            descriptor: of the file as it is sent; bytes that differ are refused.
            what: the file, for messages.
            stored: of what is stored, when that is not the file itself.
            unpack: makes of the file what is stored.

        Returns:
            Whether some place had it; not, when none of them knows it.

        Raises:
            ArchiveError: no archive gives it, and the first that went wrong refused, or gave
                something else; nothing is kept.
            TransportError: the same, and that one could not be reached.
        """
        # A body that breaks is fetched anew; how long it takes is no reason to give up.
        patient = replace(self.retry, patience_seconds=float("inf"))

        def fetch(location: Location) -> bool:
            with self._asked(location) as answer, passing():
                if answer is None:
                    return False
                body = cast("BinaryIO", answer.body)
                reader = VerifyingReader(body, descriptor.digest, descriptor.size)
                stream = cast("BinaryIO", reader)
                content = unpack(stream, str(location)) if unpack else stream
                with _named(f"{what} at {location}"):
                    self.store.add(content, stored or descriptor)
                return True

        left = sorted(locations, key=lambda location: location.source.host in self.silent)
        refusals: list[ArchiveError | TransportError] = []
        while left:
            location = left.pop(0)
            try:
                if patient.run(partial(fetch, location)):
                    return True
            except (ArchiveError, TransportError) as error:
                if self.stop.is_set():
                    raise
                refusals.append(error)
                if isinstance(error, TransportError):
                    self.silent.add(location.source.host)
                    left = [other for other in left if other.source.host != location.source.host]
                if left:
                    self.events(Notice(f"{error.message}; asking for {left[0]} instead"))
        if refusals:
            raise refusals[0]
        return False

    @contextmanager
    def _asked(self, location: Location) -> Iterator[Response | None]:
        """The answer that has the file; None when there is no such file.

        Raises:
            Transient: the next try may go better.
            ArchiveError: the archive refuses.
            TransportError: there is no answer, or nobody wants it any more.
        """
        if self.stop.is_set():
            raise TransportError(f"stopped: {location} was not asked for any more")
        with passing():
            answer = self.transport.send(location.request())
        with answer:
            if answer.status == HTTPStatus.OK:
                yield replace(answer, body=Stoppable(answer.body, self.stop))
            elif answer.status in _ABSENT:
                yield None
            else:
                raise _refusal(location, answer, self.retry.patience_seconds)


@contextmanager
def _named(what: str) -> Iterator[None]:
    try:
        yield
    except LayerError as error:
        raise ArchiveError(
            f"{what}: {error.message}",
            hint="the mirror is damaged or in the midst of an update: try again later, or use "
            "another (apt-mirror)",
        ) from None


def _refusal(location: Location, answer: Response, patience_seconds: float) -> Exception:
    status = answer.status
    words = HTTPStatus(status).phrase if status in HTTPStatus else "an unknown status"
    error = ArchiveError(f"asking for {location}: the answer is {status} {words}")
    if status in PASSING:
        wait = retry_after(answer.headers.get("retry-after"))
        if wait is None or wait <= patience_seconds:
            return Transient(error, wait_seconds=wait)
        error.hint = f"it asks to wait for {wait:.0f} s; try again then, or use a mirror"
    if status in _FORBIDDEN:
        error.hint = "give user and password in the address: https://USER:PASSWORD@HOST/..."
    return error


def _basic(userinfo: str) -> str:
    return "Basic " + base64.b64encode(unquote(userinfo).encode()).decode()
