"""A blob: what identifies it, and where its bytes come from."""

from dataclasses import dataclass
from typing import BinaryIO

from builder.oci.descriptor import Descriptor
from layers.digest import verified
from layers.entries import Content


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as content that refuses, at its end, bytes that are not the blob's."""

    descriptor: Descriptor
    source: Content

    def open(self) -> BinaryIO:
        """The blob from its first byte on."""
        return verified(self.source.open(), self.descriptor.digest, self.descriptor.size)
