"""One push and one pull by our client, watched: how it ends, what is said, what arrives."""

import random
import threading
import traceback
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from builder.errors import BuilderError
from builder.events import Event
from builder.oci.blob import Blob
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.registry.auth import Authorization
from builder.registry.client import RegistryClient
from builder.registry.credential import Credential
from builder.registry.delivery import Goal
from builder.registry.endpoint import Endpoint
from builder.registry.push import send, shipments_to
from builder.retry import Retry
from builder.transport import HttpTransport, Tls
from layers.digest import Digest
from layers.entries import BytesContent
from tests.registry import PASSWORD, Registry
from tests.registry_client.proxy import FaultProxy

_WATCHDOG_SECONDS = 60
_TAG = "1"
_LARGEST = 300_000
SIBLING = "faults/sibling"
"""A repository that blobs are mounted from."""


@dataclass(slots=True)
class _Places:
    """Half of the blobs are known to lie in a sibling repository."""

    known: frozenset[Digest] = frozenset()
    added: list[str] = field(default_factory=list)

    def find(self, _host: str, digest: Digest) -> Sequence[str]:
        return (SIBLING,) if digest in self.known else ()

    def add(self, _host: str, repository: str, _digests: Iterable[Digest]) -> None:
        self.added.append(repository)


@dataclass(slots=True, kw_only=True)
class Run:
    registry: Registry
    repository: str
    read_seconds: float = 30
    said: list[str] = field(default_factory=list)

    def push(
        self, host: str, tree: ManifestTree, known: Iterable[Blob] = (), *, ahead: bool = False
    ) -> None:
        """Push; the layers before there is an image of them, perhaps."""
        reference = Reference.parse(f"{host}/{self.repository}:{_TAG}")
        places = _Places(frozenset(blob.descriptor.digest for blob in known))
        with self._transport(host) as transport:
            goal = Goal(client=self._client(transport, host), references=(reference,))
            shipments = shipments_to([goal], places)
            for shipment in shipments if ahead else ():
                shipment.begin()
                for blob in tree.blobs[1:]:
                    shipment.send_ahead(blob)
            send(tree, shipments, places, done=lambda _: None)
        # What went ahead was noted by itself, the whole image at the end.
        assert set(places.added) == {self.repository}
        assert ahead or len(places.added) == 1

    def pull(self, host: str, tree: ManifestTree) -> tuple[bytes, list[bytes]]:
        with self._transport(host) as transport:
            client = self._client(transport, host)
            raw = client.manifest(_TAG).raw
            blobs = []
            for blob in tree.blobs:
                with client.blob(blob.descriptor) as stream:
                    blobs.append(stream.read())
        return raw, blobs

    def end_of(self, operation: Callable[[], object]) -> BuilderError | None:
        """The one error that an operation ends in, or None; nothing else, and not never."""
        raised: list[BaseException] = []

        def run() -> None:
            try:
                operation()
            except BaseException as error:  # noqa: BLE001 - judged below, in the test's own thread
                raised.append(error)

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        thread.join(_WATCHDOG_SECONDS)
        assert not thread.is_alive(), "it hangs"
        if not raised:
            return None
        (error,) = raised
        if not isinstance(error, BuilderError):
            raise error
        self.said += [error.message, str(error.hint), repr(error)]
        self.said += traceback.format_exception(error)
        return error

    def tagged(self) -> bytes | None:
        return self.registry.read(self.repository, f"manifests/{_TAG}")

    def check_whole(self, tree: ManifestTree) -> None:
        """Everything lies in the registry as it was pushed, byte for byte."""
        assert self.tagged() == tree.raw
        for blob in tree.blobs:
            with blob.open() as stream:
                wanted = stream.read()
            got = self.registry.read(self.repository, f"blobs/{blob.descriptor.digest}")
            assert got == wanted, blob.descriptor

    def check_discreet(self, proxy: FaultProxy) -> None:
        """No secret was said, nor sent to the other host."""
        sent = [seen.headers for seen in proxy.seen()]
        secrets = {
            PASSWORD,
            *(h["authorization"].split()[-1] for h in sent if "authorization" in h),
        }
        told = "\n".join(self.said)
        assert not [secret for secret in secrets if secret in told]
        for seen in proxy.seen_by_storage():
            assert "authorization" not in seen.headers
            assert not [s for s in secrets if s in f"{seen.path} {seen.headers}"]

    def _transport(self, host: str) -> HttpTransport:
        signed = self.registry.certificates
        tls = Tls()
        if signed:
            tls = Tls(
                authorities=(signed.authority.certificate,),
                certificates=((signed.client.certificate, signed.client.key),),
            )
        return HttpTransport(tls=tls, host=host, read_seconds=self.read_seconds)

    def _client(self, transport: HttpTransport, host: str) -> RegistryClient:
        scheme = "https" if self.registry.certificates else "http"
        credential = None
        if self.registry.credentials:
            username, password = self.registry.credentials
            credential = Credential(username=username, password=password)
        return RegistryClient(
            transport,
            Endpoint(schemes=(scheme,), host=host, repository=self.repository),
            authorization=Authorization(credential),
            retry=Retry(sleep=lambda _: None, events=self._hear),
            scopes=[f"repository:{self.repository}:pull,push", f"repository:{SIBLING}:pull"],
        )

    def _hear(self, event: Event) -> None:
        self.said.append(repr(event))


def random_image(dice: random.Random) -> ManifestTree:
    sizes = [int(_LARGEST * dice.random() ** 2) for _ in range(dice.randint(3, 4))]
    if dice.random() < 0.2:
        sizes[0] = 0
    layers = [
        _blob("application/vnd.oci.image.layer.v1.tar+gzip", dice.randbytes(size)) for size in sizes
    ]
    config = _blob(
        "application/vnd.oci.image.config.v1+json",
        canonical_json({"architecture": "amd64", "os": "linux", "created_by": dice.random()}),
    )
    media_type = "application/vnd.oci.image.manifest.v1+json"
    raw = canonical_json(
        {
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": config.descriptor.to_json(),
            "layers": [layer.descriptor.to_json() for layer in layers],
        }
    )
    return ManifestTree(
        descriptor=Descriptor(media_type=media_type, digest=Digest.of(raw), size=len(raw)),
        raw=raw,
        blobs=(config, *layers),
    )


def _blob(media_type: str, data: bytes) -> Blob:
    descriptor = Descriptor(media_type=media_type, digest=Digest.of(data), size=len(data))
    return Blob(descriptor, BytesContent(data))
