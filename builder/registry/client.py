"""One registry, asked for manifests and blobs.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#pull
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from builder.errors import LayerError, RegistryError
from builder.oci import media_types
from builder.oci.document import MAX_DOCUMENT
from builder.registry.auth import Authorization
from builder.registry.hosts import Endpoint
from builder.registry.refusal import refusal
from builder.retry import PASSING, Retry, Transient, passing, retry_after
from builder.transport import Body, Request, Response, Transport
from layers.digest import Digest

_ACCEPT = ", ".join(sorted(media_types.INDEXES | media_types.MANIFESTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A manifest or index as a registry gave it."""

    raw: bytes
    media_type: str


class RegistryClient:
    """Asks one server, on behalf of nobody; threads may share it.

    Args:
        transport: opens the connections.
        endpoint: which server.
        retry: how often to ask again.
    """

    def __init__(self, transport: Transport, endpoint: Endpoint, retry: Retry) -> None:
        self.endpoint = endpoint
        self._transport = transport
        self._retry = retry
        self._authorization = Authorization()

    def manifest(self, repository: str, selector: str) -> Fetched:
        """A manifest or index, by tag or digest.

        Its bytes are checked against the digest asked for, or else the one the registry gives.

        Raises:
            RegistryError: the registry does not give it, or gives something else.
            TransportError: the registry cannot be reached.
        """
        attempt = f"asking {self.endpoint.host} for {repository}:{selector}".replace(":sha", "@sha")
        request = Request(
            url=self.endpoint.url(repository, f"manifests/{selector}"),
            headers={"Accept": _ACCEPT},
        )

        def fetch() -> Fetched:
            with self._ask(request, self._pull(repository), attempt) as answer, passing():
                raw = answer.read(MAX_DOCUMENT + 1)
                promised = answer.headers.get("docker-content-digest")
                kind = answer.headers.get("content-type", "").partition(";")[0].strip()
            if len(raw) > MAX_DOCUMENT:
                raise RegistryError(
                    f"{attempt}: the manifest is longer than {MAX_DOCUMENT >> 20} MiB",
                    status=answer.status,
                )
            _check_digest(raw, selector if ":" in selector else promised, attempt)
            return Fetched(raw=raw, media_type=kind)

        return self._retry.run(fetch)

    @contextmanager
    def blob(self, repository: str, digest: Digest) -> Iterator[Body]:
        """A blob's bytes as they come, unchecked; a broken connection shows while they are read.

        Raises:
            RegistryError: the registry does not give it.
            TransportError: the registry cannot be reached.
        """
        attempt = f"asking {self.endpoint.host} for blob {digest} of {repository}"
        request = Request(url=self.endpoint.url(repository, f"blobs/{digest}"))
        scope = self._pull(repository)
        with self._retry.run(lambda: self._ask(request, scope, attempt)) as answer:
            yield answer.body

    def _pull(self, repository: str) -> str:
        return f"repository:{self.endpoint.repository(repository)}:pull"

    def _ask(self, request: Request, scope: str, attempt: str) -> Response:
        """The answer to a request, if it is the one wanted.

        Raises:
            Transient: the next try may go better.
            RegistryError: it is not.
            TransportError: there is none.
        """
        with passing():
            answer = self._authorized(request, scope)
            if answer.status == HTTPStatus.OK:
                return answer
            with answer:
                error = refusal(answer, attempt)
        if error.status in PASSING:
            wait = retry_after(answer.headers.get("retry-after"))
            raise Transient(error, wait_seconds=wait)
        raise error

    def _authorized(self, request: Request, scope: str) -> Response:
        flow = self._authorization.flow(request, scope)
        answer = self._transport.send(next(flow))
        while True:
            try:
                following = flow.send(answer)
            except StopIteration:
                return answer
            except BaseException:
                answer.close()
                raise
            answer.close()
            answer = self._transport.send(following)


def _check_digest(raw: bytes, expected: str | None, attempt: str) -> None:
    if expected is None:
        return
    try:
        digest = Digest(expected)
    except LayerError as error:
        raise RegistryError(f"{attempt}: {error.message}", status=HTTPStatus.OK) from None
    got = Digest.of(raw)
    if got != digest:
        raise RegistryError(
            f"{attempt}: wanted the manifest {digest}, got {len(raw)} bytes that hash to {got}",
            status=HTTPStatus.OK,
            hint="something on the way changes what the registry sends; use another mirror",
        )
