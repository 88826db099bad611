"""A layer of a base from a registry: fetched when somebody wants its bytes, and not before."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import BinaryIO

from builder.base.servers import Servers
from builder.errors import RegistryError, TransportError
from builder.oci.descriptor import Descriptor
from builder.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteBlob:
    """A blob as content: the store's, when it is there by then, else the registry's.

    What comes from the registry is not kept; whoever wants that adds it to the store.

    Attributes:
        descriptor: of the blob.
        store: looked into first.
        servers: of the image that the blob is a part of.
    """

    descriptor: Descriptor
    store: Store
    servers: Servers

    def open(self) -> BinaryIO:
        """The blob, verified while it is read to its end; a broken connection is mended.

        Raises:
            RegistryError: it is not in the store, and no server gives it.
            TransportError: it is not in the store, and no server can be reached.
        """
        if self.store.has(self.descriptor):
            return self.store.open(self.descriptor)
        with self._told():
            return self.servers.ask(lambda client: client.blob(self.descriptor))

    @contextmanager
    def _told(self) -> Iterator[None]:
        attempt = (
            f"layer {self.descriptor.digest} of {self.servers.reference.full} is not in "
            f"the store {self.store.root}, and cannot be fetched"
        )
        try:
            yield
        except RegistryError as error:
            message = f"{attempt}: {error.message}"
            raise RegistryError(
                message, status=error.status, code=error.code, hint=error.hint
            ) from error
        except TransportError as error:
            raise TransportError(
                f"{attempt}: {error.message}", transient=error.transient, hint=error.hint
            ) from error
