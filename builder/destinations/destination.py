"""What every destination can do."""

from collections.abc import Sequence
from typing import Protocol

from builder.oci.image import Image
from builder.oci.reference import Reference


class Destination(Protocol):
    """Takes whole images. Doing it again changes nothing; a failure leaves nothing half done."""

    @property
    def label(self) -> str:
        """The destination as the user wrote it."""
        ...

    def put(self, image: Image, names: Sequence[Reference]) -> str:
        """Put an image there under its names, of which there is at least one.

        Returns:
            What came of it, in one line for the output.

        Raises:
            StoreError: a file or directory cannot be written.
            LayerError: a layer's bytes are not what its digest promises.
            EngineError: an engine is missing or refused.
            RegistryError: a layer is at a registry only, which does not give it.
            TransportError: a layer is at a registry only, which cannot be reached.
        """
        ...
