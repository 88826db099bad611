"""One blob on its way into a repository: mounted, in one piece, or in chunks.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pushing-blobs
"""

import re
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import BinaryIO, Self, cast
from urllib.parse import urlencode, urljoin

from builder.errors import BuilderError, RegistryError
from builder.events import EventSink, ignore, span
from builder.oci.blob import Blob
from builder.parallel import Stoppable
from builder.registry.client import RegistryClient
from builder.registry.delivery import Outcome
from builder.retry import Transient, passing
from builder.transport import Request, Response
from layers.digest import CHUNK

_LARGEST_CHUNK = 8 << 20
_SMALLEST_CHUNK = 1 << 20
_MOST_AT_HAND = 64 << 20
"""Bytes of a chunk that are kept in memory: they are sent again when it fails."""
_RANGE = re.compile(r"(?:bytes=)?0-(\d+)")
_WANTS_CHUNKS = frozenset({405, 413, 501})
"""Answers to a body in one piece that is too long, for a proxy perhaps."""
_FORGOTTEN = frozenset({404, 416})
"""Answers to a piece of an upload that the registry knows nothing of, or knows otherwise."""


_NOT_ALLOWED = frozenset({401, 403})


def upload(
    client: RegistryClient,
    blob: Blob,
    *,
    places: Sequence[str] | None,
    stop: threading.Event,
    events: EventSink = ignore,
) -> Outcome:
    """Have a blob in a repository.

    Args:
        client: of the repository.
        blob: opened when its bytes are needed, and not before.
        places: repositories of the same server that may have it, to mount it from; None when
            nobody needs to ask whether the repository has it.
        stop: once it is set, sending ends in an error.
        events: told what takes how long.

    Raises:
        RegistryError: the registry refuses the blob.
        TransportError: the registry cannot be reached, or ``stop`` is set.
        LayerError: the bytes at hand are not the blob's.
    """
    return _Upload(client, blob, stop, events).run(places)


@dataclass(frozen=True, slots=True)
class _Watched:
    """A blob's content that ends in an error once nobody wants it any more."""

    blob: Blob
    stop: threading.Event

    def open(self) -> BinaryIO:
        return cast("BinaryIO", _Closing(self.blob.open(), self.stop))


class _Closing(Stoppable):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class _Upload:
    def __init__(
        self, client: RegistryClient, blob: Blob, stop: threading.Event, events: EventSink
    ) -> None:
        self._client = client
        self._events = events
        self._what = f"{blob.descriptor.digest.hex[:12]} to {client.name}"
        self._blob = blob
        self._content = _Watched(blob, stop)
        self._attempt = f"pushing blob {blob.descriptor.digest} to {client.name}"
        self._location: str | None = None
        self._offset = 0
        self._chunk: int | None = None
        self._least = 0
        self._has_failed = False

    def run(self, places: Sequence[str] | None) -> Outcome:
        try:
            for place in places or ():
                if self._is_mounted({"from": place}):
                    return Outcome.MOUNTED
            if places is not None and self._is_there():
                self._cancel()
                return Outcome.PRESENT
            # Some registries know by themselves where else they have it.
            if self._location is None and self._is_mounted({}):
                return Outcome.MOUNTED
            with span(self._events, f"send {self._what}"):
                self._client.retry.run(self._send, progress=lambda: self._offset)
        except BaseException:
            self._cancel()
            raise
        return Outcome.SENT

    def _is_there(self) -> bool:
        with span(self._events, f"ask for {self._what}"):
            return self._client.has(self._blob.descriptor)

    def _is_mounted(self, place: dict[str, str]) -> bool:
        """Ask for a mount; a registry that will not do it begins an upload, which is kept."""
        query = {"mount": str(self._blob.descriptor.digest), **place}
        try:
            with span(self._events, f"mount {self._what}"):
                answer = self._client.retry.run(lambda: self._post(query))
        except RegistryError:
            # There may be no such repository any more, or not for this user.
            return False
        # What another place began.
        self._cancel()
        if answer.status == HTTPStatus.CREATED:
            return True
        self._location = self._next(answer)
        self._least = _least(answer)
        return False

    def _send(self) -> None:
        """One try to send what the registry has not."""
        if self._has_failed and self._is_saved():
            return
        self._has_failed = True
        try:
            with passing():
                self._transfer()
        except RegistryError as error:
            if error.status in _WANTS_CHUNKS and self._takes_smaller():
                self._send()
                return
            # What was resumed may fail in many ways: some registries take one chunk only.
            resumed = bool(self._offset) and error.status not in _NOT_ALLOWED
            if resumed or error.status in _FORGOTTEN:
                self._cancel()
                raise Transient(error) from error
            raise

    def _is_saved(self) -> bool:
        """After a failed try: whether only its answer was lost; if not, where to go on."""
        if self._client.has(self._blob.descriptor):
            return True
        if self._location is not None:
            self._resume(self._location)
        return False

    def _resume(self, location: str) -> None:
        request = Request(url=location)
        ok = (HTTPStatus.NO_CONTENT, HTTPStatus.ACCEPTED)
        try:
            with self._client.ask(request, self._attempt, *ok) as answer:
                got = _RANGE.fullmatch(answer.headers.get("range", ""))
        except (BuilderError, Transient):
            self._forget()
            return
        # Registries say 0-0 of an upload that is empty.
        kept = int(got[1]) + 1 if got and got[1] != "0" else 0
        if not 0 < kept <= self._blob.descriptor.size:
            self._cancel()
            return
        self._location = self._next(answer, location)
        self._offset = kept

    def _transfer(self) -> None:
        if self._location is None:
            answer = self._post({})
            self._location = self._next(answer)
            self._least = _least(answer)
        if self._chunk is None and not self._offset:
            self._finish(self._content, self._blob.descriptor.size)
        else:
            self._send_chunks()
            self._finish(b"", 0)
        self._location = None

    def _send_chunks(self) -> None:
        size = max(self._chunk or _LARGEST_CHUNK, self._least)
        with self._content.open() as stream:
            _skip(stream, self._offset)
            while data := _read_full(stream, size):
                end = self._offset + len(data) - 1
                headers = {
                    "Content-Type": "application/octet-stream",
                    "Content-Range": f"{self._offset}-{end}",
                }
                answer = self._ask("PATCH", headers, data, HTTPStatus.ACCEPTED)
                self._location = self._next(answer, self._location)
                self._offset = end + 1

    def _finish(self, body: "_Watched | bytes", size: int) -> None:
        headers = {"Content-Type": "application/octet-stream", "Content-Length": str(size)}
        digest = urlencode({"digest": str(self._blob.descriptor.digest)})
        self._ask("PUT", headers, body, HTTPStatus.CREATED, query=digest)

    def _ask(
        self,
        method: str,
        headers: dict[str, str],
        body: "_Watched | bytes",
        *wanted: int,
        query: str = "",
    ) -> Response:
        url = self._location or ""
        if query:
            url += f"{'&' if '?' in url else '?'}{query}"
        request = Request(url=url, method=method, headers=headers, body=body)
        with self._client.ask(request, self._attempt, *wanted) as answer:
            return answer

    def _post(self, query: dict[str, str]) -> Response:
        url = self._client.url("blobs/uploads/") + (f"?{urlencode(query)}" if query else "")
        request = Request(url=url, method="POST", headers={"Content-Length": "0"})
        wanted = (HTTPStatus.ACCEPTED, *((HTTPStatus.CREATED,) if query else ()))
        with self._client.ask(request, self._attempt, *wanted) as answer:
            return answer

    def _next(self, answer: Response, before: str | None = None) -> str:
        """Where the upload goes on."""
        base = self._client.url("blobs/uploads/")
        location = answer.headers.get("location", "")
        if not location:
            if before is None:
                raise RegistryError(
                    f"{self._attempt}: the answer {answer.status} does not say where to send it: "
                    "it has no Location",
                    status=answer.status,
                )
            return before
        try:
            url = urljoin(base, location)
        except ValueError:
            url = ""
        if base.startswith("https://") and url.startswith("http://"):
            # Behind a proxy that ends TLS, registries take themselves to be on plain HTTP.
            url = f"https://{url.partition('://')[2]}"
        if not url.startswith(("https://", "http://")):
            raise RegistryError(
                f"{self._attempt}: the answer sends to what is no http address",
                status=answer.status,
            )
        return url

    def _takes_smaller(self) -> bool:
        """Whether there is a smaller piece to try than the one that was too large."""
        smaller = self._chunk // 2 if self._chunk else _LARGEST_CHUNK
        if smaller < max(_SMALLEST_CHUNK, self._least):
            return False
        self._cancel()
        self._chunk = smaller
        return True

    def _forget(self) -> None:
        self._location = None
        self._offset = 0

    def _cancel(self) -> None:
        """Tell the registry that an upload comes to nothing; it would keep what it has for long."""
        if self._location is not None:
            request = Request(url=self._location, method="DELETE")
            with suppress(BuilderError, Transient):
                self._client.ask(request, self._attempt, HTTPStatus.NO_CONTENT).close()
        self._forget()


def _least(answer: Response) -> int:
    """Bytes that a chunk has to have, but for the last one."""
    said = answer.headers.get("oci-chunk-min-length", "").strip()
    least = int(said) if said.isdecimal() else 0
    if least > _MOST_AT_HAND:
        raise RegistryError(
            f"the registry wants chunks of at least {least} bytes; "
            f"got at most {_MOST_AT_HAND} to give at a time",
            status=answer.status,
        )
    return least


def _skip(stream: BinaryIO, size: int) -> None:
    while size and (data := stream.read(min(size, CHUNK))):
        size -= len(data)


def _read_full(stream: BinaryIO, size: int) -> bytes:
    data = bytearray()
    while len(data) < size and (more := stream.read(min(size - len(data), CHUNK))):
        data += more
    return bytes(data)
