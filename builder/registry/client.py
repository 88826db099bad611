"""One repository of a registry, asked for manifests and blobs, and given them.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md
"""

import threading
from collections.abc import Collection
from dataclasses import dataclass, replace
from http import HTTPStatus
from typing import BinaryIO

from builder.errors import DocumentError, LayerError, RegistryError, TransportError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import MAX_DOCUMENT, parse_object
from builder.oci.members import optional_text
from builder.registry.auth import Authorization
from builder.registry.download import Download, Opened
from builder.registry.hosts import Endpoint
from builder.retry import PASSING, Retry, Transient, passing, retry_after
from builder.transport import Request, Response, Transport
from layers.digest import Digest

_ACCEPT = ", ".join(sorted(media_types.DOCUMENTS))
_GREETINGS = frozenset({200, 401, 403})
"""What registries answer to somebody who only wants to know whether they are one."""
_DIGEST = "docker-content-digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A manifest or index as a registry gave it."""

    raw: bytes
    media_type: str

    def kind(self, name: str) -> str:
        """Its media type: the document's own word, else its sender's, else what its shape says.

        Raises:
            DocumentError: it is of a kind that nobody can use any more, or no JSON object; the
                message is about ``name``.
        """
        value = parse_object(self.raw, name)
        if value.get("schemaVersion") == 1:
            raise DocumentError(
                f"{name} is a Docker image of schema 1, a format that registries gave up; "
                "wanted schema 2 or an OCI image",
                hint="pull it with an engine of its time and push it again, or choose a newer one",
            )
        if said := optional_text(value, "mediaType", name):
            return said
        if self.media_type in media_types.DOCUMENTS:
            return self.media_type
        return media_types.INDEX if "manifests" in value else media_types.MANIFEST


class RegistryClient:
    """Asks one repository of one server; threads may share it.

    Args:
        transport: opens the connections.
        endpoint: which repository of which server.
        authorization: how this user is let in there.
        retry: how often to ask again.
        scopes: what to ask permission for, up front; pulling when nothing is said.
    """

    def __init__(
        self,
        transport: Transport,
        endpoint: Endpoint,
        *,
        authorization: Authorization,
        retry: Retry,
        scopes: Collection[str] = (),
    ) -> None:
        self.retry = retry
        self._has_answered = False
        self._endpoint = endpoint
        self._transport = transport
        self._authorization = authorization
        self._scopes = frozenset(scopes or {f"repository:{endpoint.repository}:pull"})
        self._lock = threading.Lock()

    @property
    def host(self) -> str:
        """And port of the server."""
        return self._endpoint.host

    @property
    def repository(self) -> str:
        """Its whole name at the server."""
        return self._endpoint.repository

    @property
    def name(self) -> str:
        """Server and repository, for messages."""
        return f"{self.host}/{self.repository}"

    @property
    def reached(self) -> bool:
        """Whether the server has ever answered; its tokens and blobs may lie with others."""
        return self._has_answered or self._authorization.was_asked

    def sibling(self, repository: str) -> "RegistryClient":
        """A client of another repository of the server, by the same permission."""
        return RegistryClient(
            self._transport,
            replace(self._endpoint, repository=repository),
            authorization=self._authorization,
            retry=self.retry,
            scopes=self._scopes,
        )

    def reading(self, repositories: Collection[str]) -> "RegistryClient":
        """A client of the same repository that asks to read others, too: to mount from them."""
        scopes = self._scopes.union(f"repository:{other}:pull" for other in repositories)
        if scopes == self._scopes:
            return self
        return RegistryClient(
            self._transport,
            self._endpoint,
            authorization=self._authorization,
            retry=self.retry,
            scopes=scopes,
        )

    def url(self, path: str) -> str:
        """The address of something in the repository, e.g. ``manifests/latest``.

        A server that may speak plain HTTP is asked which, once.

        Raises:
            TransportError: it cannot be reached, or its certificate is not trusted.
        """
        with self._lock:
            if len(self._endpoint.schemes) > 1:
                self._endpoint = self.retry.run(self._settled)
        return self._endpoint.url(path)

    def manifest(self, selector: str, accept: str = _ACCEPT) -> Fetched:
        """A manifest or index, by tag or digest.

        Its bytes are checked against the digest asked for, or else the one the registry gives.

        Raises:
            RegistryError: the registry does not give it, or gives something else.
            TransportError: the registry cannot be reached.
        """
        joint = "@" if ":" in selector else ":"
        attempt = f"asking {self.host} for {self.repository}{joint}{selector}"
        request = Request(url=self.url(f"manifests/{selector}"), headers={"Accept": accept})

        def fetch() -> Fetched:
            with self.ask(request, attempt) as answer, passing():
                raw = answer.read(MAX_DOCUMENT + 1)
                promised = answer.headers.get(_DIGEST)
                kind = answer.headers.get("content-type", "").partition(";")[0].strip()
            if len(raw) > MAX_DOCUMENT:
                raise RegistryError(
                    f"{attempt}: the manifest is longer than {MAX_DOCUMENT >> 20} MiB",
                    status=answer.status,
                )
            _check_digest(raw, selector if ":" in selector else promised, attempt)
            return Fetched(raw=raw, media_type=kind)

        return self.retry.run(fetch)

    def find_manifest(self, selector: str) -> Fetched | None:
        """A manifest or index, or None when the repository has none of that name.

        Raises:
            RegistryError: the registry does not say, or gives something else.
            TransportError: the registry cannot be reached.
        """
        try:
            return self.manifest(selector)
        except RegistryError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def digest_of(self, selector: str) -> Digest | None:
        """The digest of a manifest or index; None when there is none, or nobody says.

        A registry that counts pulls does not count this question.

        Raises:
            RegistryError: the registry refuses to say.
            TransportError: the registry cannot be reached.
        """
        attempt = f"asking {self.name} what {selector} is"
        url = self.url(f"manifests/{selector}")
        request = Request(url=url, method="HEAD", headers={"Accept": _ACCEPT})
        try:
            with self.retry.run(lambda: self.ask(request, attempt)) as answer:
                return Digest(answer.headers.get(_DIGEST, ""))
        except LayerError:
            return None
        except RegistryError as error:
            if error.status != HTTPStatus.NOT_FOUND:
                raise
            return None

    def put_manifest(self, selector: str, descriptor: Descriptor, raw: bytes) -> Response:
        """Give the repository a manifest or index, in exactly these bytes; the answer, read.

        Args:
            selector: a tag, or the digest.
            descriptor: of the document.
            raw: the document.

        Raises:
            RegistryError: the registry refuses it, or says that it got other bytes.
            TransportError: the registry cannot be reached.
        """
        joint = "@" if ":" in selector else ":"
        attempt = f"pushing the manifest {self.name}{joint}{selector}"
        request = Request(
            url=self.url(f"manifests/{selector}"),
            method="PUT",
            headers={"Content-Type": descriptor.media_type},
            body=raw,
        )

        def put() -> Response:
            with self.ask(request, attempt, HTTPStatus.CREATED, HTTPStatus.OK) as answer:
                got = answer.headers.get(_DIGEST)
            if got is None:
                # Nothing said what came of it, so it is looked at.
                got = str(Digest.of(self.manifest(selector, descriptor.media_type).raw))
            if got != str(descriptor.digest):
                # A tag may stand for the wrong bytes now; sending the right ones mends that.
                raise Transient(_changed(attempt, got, descriptor.digest))
            return answer

        return self.retry.run(put)

    def has(self, descriptor: Descriptor) -> bool:
        """Whether the repository has a blob, as far as this user may know.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
        """
        attempt = f"asking {self.host} whether {self.repository} has {descriptor.digest}"
        request = Request(url=self.url(f"blobs/{descriptor.digest}"), method="HEAD")
        try:
            with self.retry.run(lambda: self.ask(request, attempt)) as answer:
                size = answer.headers.get("content-length")
        except RegistryError as error:
            # Who may push need not be allowed to look.
            if error.status in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
                return False
            raise
        return size is None or size == str(descriptor.size)

    def blob(self, descriptor: Descriptor) -> BinaryIO:
        """A blob's bytes, which refuse at their end to be others; a broken connection is mended.

        Whoever closes the stream, by ``with``, lets go of the connection.

        Raises:
            RegistryError: the registry does not give it.
            TransportError: the registry cannot be reached.
        """
        return Download(self._opened_at(descriptor), descriptor, self.host, self.retry).verified()

    def ask(self, request: Request, attempt: str, *wanted: int) -> Response:
        """The answer to a request, if its status is one of those wanted; 200 when none is named.

        Raises:
            Transient: the next try may go better.
            RegistryError: it is not.
            TransportError: there is none.
        """
        with passing():
            answer = self._authorized(request)
            if answer.status in (wanted or (HTTPStatus.OK,)):
                return answer
            with answer:
                error = self._refusal(answer, attempt, request)
        if error.status in PASSING:
            wait = retry_after(answer.headers.get("retry-after"))
            raise Transient(error, wait_seconds=wait)
        raise error

    def _refusal(self, answer: Response, attempt: str, request: Request) -> RegistryError:
        # What registries mean when they refuse: mostly they do not.
        from builder.registry.refusal import Asker, refusal  # noqa: PLC0415

        writes = request.method not in {"GET", "HEAD"}
        asker = Asker(
            host=self.host,
            is_known=self._authorization.is_known,
            pushes=writes or any("push" in scope.rpartition(":")[2] for scope in self._scopes),
        )
        return refusal(answer, attempt, asker)

    def _opened_at(self, descriptor: Descriptor) -> Opened:
        attempt = f"asking {self.host} for blob {descriptor.digest} of {self.repository}"
        url = self.url(f"blobs/{descriptor.digest}")

        def opened(start: int) -> Response:
            request = Request(url=url, headers={"Range": f"bytes={start}-"} if start else {})
            return self.ask(request, attempt, HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)

        return opened

    def _settled(self) -> Endpoint:
        """The endpoint by the scheme that its server speaks."""
        secure, plain = (replace(self._endpoint, schemes=(s,)) for s in self._endpoint.schemes)
        with passing():
            try:
                self._greet(secure)
            except TransportError as error:
                if error.plain_http:
                    return plain
                # A server that is just starting must not be taken for one without TLS.
                if error.unreached and self._greet(plain) in _GREETINGS:
                    return plain
                raise
        return secure

    def _greet(self, endpoint: Endpoint) -> int:
        url = f"{endpoint.schemes[0]}://{self.host}/v2/"
        # Nothing is told, and nothing that is answered is believed but which scheme it speaks.
        request = Request(url=url, follows=False, verifies=False)
        with self._transport.send(request) as answer:
            return answer.status

    def _authorized(self, request: Request) -> Response:
        answer = self._authorization.send(self._transport, request, self._scopes)
        self._has_answered = True
        return answer


def _changed(attempt: str, got: str, wanted: Digest) -> RegistryError:
    return RegistryError(
        f"{attempt}: wanted {wanted}, the registry says that it got {got}",
        status=HTTPStatus.CREATED,
        hint="something on the way changes what is sent",
    )


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
