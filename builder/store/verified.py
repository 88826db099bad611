"""A blob's file, read through its digest."""

from typing import BinaryIO

from builder.errors import LayerError
from builder.oci.descriptor import Descriptor
from layers.digest import VerifyingReader


class VerifiedFile(VerifyingReader):
    """Refuses, at its end, bytes that are not the blob's, and says what to do about them.

    Args:
        file: open for reading; closed with this.
        descriptor: what it should hold.
    """

    def __init__(self, file: BinaryIO, descriptor: Descriptor) -> None:
        super().__init__(file, descriptor.digest, descriptor.size)
        self._name = file.name

    def read(self, size: int = -1) -> bytes:
        """As of every stream.

        Raises:
            LayerError: its bytes are not what they should be.
        """
        try:
            return super().read(size)
        except LayerError as error:
            hint = (
                f"remove {self._name}; the next build brings it again; "
                "python -m builder cache verify finds what else is damaged"
            )
            raise LayerError(error.message, hint=hint) from None
