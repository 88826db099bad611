"""An image in a registry, to be sent on: documents are fetched, blobs when somebody opens them."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import BinaryIO

from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from builder.oci.tree import ManifestTree
from builder.oci.tree_reader import read_tree
from builder.registry.client import RegistryClient
from layers.digest import Digest
from layers.entries import Content


@dataclass(frozen=True, slots=True)
class RemoteContent:
    """A blob of a repository as content."""

    client: RegistryClient
    descriptor: Descriptor

    def open(self) -> BinaryIO:
        """The blob, verified while it is read to its end; a broken connection is mended.

        Raises:
            RegistryError: the registry does not give it.
            TransportError: the registry cannot be reached.
        """
        return self.client.blob(self.descriptor)


def remote_tree(
    client: RegistryClient,
    selector: str,
    platform: Platform | None = None,
    *,
    content: Callable[[Descriptor], Content] | None = None,
) -> ManifestTree:
    """A manifest or index of a repository, with all that it points at.

    Args:
        client: of the repository.
        selector: a tag or digest.
        platform: of the one manifest that is wanted; everything when nothing is said.
        content: a blob of the image; from this repository when nothing is said.

    Raises:
        DocumentError: a document cannot be read, or there is nothing for the platform.
        RegistryError: the registry does not give a document.
        TransportError: the registry cannot be reached.
    """
    fetched = client.manifest(selector)
    top = Descriptor(
        media_type=fetched.kind(f"{client.name} {selector}"),
        digest=Digest.of(fetched.raw),
        size=len(fetched.raw),
    )
    given = content or (lambda descriptor: RemoteContent(client, descriptor))
    return read_tree(top, _RemoteBlobs(client, top, fetched.raw, given), platform)


@dataclass(frozen=True, slots=True)
class _RemoteBlobs:
    client: RegistryClient
    top: Descriptor
    raw: bytes
    given: Callable[[Descriptor], Content]

    @property
    def place(self) -> str:
        return self.client.name

    def has(self, descriptor: Descriptor) -> bool:  # noqa: ARG002 - the protocol's
        # One question per blob would cost more than it saves: the push asks for what it needs.
        return True

    def read(self, descriptor: Descriptor) -> bytes:
        if descriptor.digest == self.top.digest:
            return self.raw
        if descriptor.media_type in media_types.DOCUMENTS:
            return self.client.manifest(str(descriptor.digest)).raw
        with self.content(descriptor).open() as stream:
            return stream.read()

    def content(self, descriptor: Descriptor) -> Content:
        return self.given(descriptor)
