"""The seam between a base image and the places it may come from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from builder.oci.descriptor import Descriptor
    from builder.oci.platform import Platform
    from builder.store.layout import Store


class BaseSource(Protocol):
    """One image in one place: a registry, a directory, an archive, an engine's storage."""

    @property
    def name(self) -> str:
        """What the image is called there, in full."""
        ...

    def bring(self, platform: Platform, store: Store) -> Descriptor:
        """Bring the image for a platform into the store, as far as it is not there yet.

        All of it, but for layers that the source is able to open later.

        Returns:
            What points at its manifest.

        Raises:
            BaseError: the image is not there, or not for that platform.
            DocumentError: its manifest, index or config cannot be read.
            LayerError: a blob is not what its digest promises.
            StoreError: the store cannot be written.
        """
        ...
