"""A base image at hand, and what was asked for to get it."""

from dataclasses import dataclass

from builder.oci.image import Image
from builder.oci.platform import Platform
from builder.rootfs.file_index import FileIndex
from builder.settings import PullPolicy
from layers.digest import Digest


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseRequest:
    """Which base is wanted.

    Attributes:
        source: a registry reference, ``oci:DIR[:TAG]``, ``oci-archive:FILE[:TAG]``,
            ``docker-archive:FILE[:REFERENCE]`` or ``containers-storage:NAME``.
        platform: what it has to run on.
        policy: for registry references; files and engines are always read.
        mirror: the address of a server that is asked in place of the reference's registry.
    """

    source: str
    platform: Platform
    policy: PullPolicy = PullPolicy.MISSING
    mirror: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base image whose blobs are all in the store.

    Attributes:
        name: a reference in full, or the source as it was written.
        is_published: whether the name is a registry reference, which means the same to everyone;
            a path on this machine has no place in an image.
        image: its documents as they were fetched, its layers as the manifest names them.
        files: its filesystem.
    """

    name: str
    is_published: bool
    image: Image
    files: FileIndex

    @property
    def digest(self) -> Digest:
        """Of its manifest, for the platform asked for."""
        return self.image.digest
