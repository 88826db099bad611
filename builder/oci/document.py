"""JSON documents whose bytes are the truth."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from builder.errors import DocumentError
from builder.oci.descriptor import Descriptor
from builder.oci.members import as_object
from layers.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_DOCUMENT = 4 << 20
"""Bytes; registries need not take longer manifests than this, and no other document is longer."""


@dataclass(frozen=True, slots=True)
class Document[T]:
    """Raw bytes and what was parsed from them; a fetched document is never written anew."""

    raw: bytes
    value: T
    media_type: str

    @property
    def digest(self) -> Digest:
        """Of the raw bytes."""
        return Digest.of(self.raw)

    def descriptor(self) -> Descriptor:
        """What points at this document."""
        return Descriptor(media_type=self.media_type, digest=self.digest, size=len(self.raw))


def canonical_json(value: Mapping[str, Any]) -> bytes:
    """One byte string per value: sorted keys, no spaces, UTF-8 unescaped."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Lone surrogates are all that UTF-8 cannot say; Python escapes them as JSON does.
    return text.encode("utf-8", "backslashreplace")


def parse_object(raw: bytes, what: str) -> dict[str, Any]:
    """Read a JSON object.

    Raises:
        DocumentError: the bytes are not JSON, or not an object.
    """
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise DocumentError(f"{what} is not JSON: {error}") from None
    return as_object(value, what)
