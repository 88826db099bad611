"""What points at content: type, identity and size travel together.

https://github.com/opencontainers/image-spec/blob/main/descriptor.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from builder.errors import DocumentError, LayerError
from builder.oci.members import as_object, optional_text, text, text_map
from builder.oci.platform import Platform
from layers.digest import Digest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from layers.layer import Layer

REF_NAME = "org.opencontainers.image.ref.name"
BASE_NAME = "org.opencontainers.image.base.name"
BASE_DIGEST = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """Stores and registries are asked by descriptor, never by digest alone."""

    media_type: str
    digest: Digest
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Platform | None = None
    artifact_type: str | None = None

    @classmethod
    def of_layer(cls, layer: Layer) -> Self:
        """What points at a layer's blob."""
        return cls(media_type=layer.media_type, digest=layer.digest, size=layer.size)

    @classmethod
    def parse(cls, value: Any, what: str) -> Self:
        """Read a descriptor out of a document.

        Raises:
            DocumentError: a required member is missing or of the wrong type.
        """
        value = as_object(value, what)
        platform = value.get("platform")
        return cls(
            media_type=text(value, "mediaType", what),
            digest=_digest(value, what),
            size=_size(value, what),
            annotations=text_map(value, "annotations", what),
            platform=parse_platform(platform, f"{what}.platform") if platform else None,
            artifact_type=optional_text(value, "artifactType", what),
        )

    def to_json(self) -> dict[str, Any]:
        """The JSON object; empty members are left out."""
        value: dict[str, Any] = {
            "mediaType": self.media_type,
            "digest": str(self.digest),
            "size": self.size,
        }
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.platform:
            value["platform"] = platform_json(self.platform)
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value


def platform_json(platform: Platform) -> dict[str, str]:
    """A platform as a member of a document."""
    value = {"os": platform.os, "architecture": platform.architecture}
    return value | ({"variant": platform.variant} if platform.variant else {})


def parse_platform(value: Any, what: str) -> Platform:
    """Read a platform out of a document.

    Raises:
        DocumentError: a required member is missing or of the wrong type.
    """
    value = as_object(value, what)
    return Platform(
        text(value, "os", what),
        text(value, "architecture", what),
        optional_text(value, "variant", what) or None,
    )


def _digest(value: Mapping[str, Any], what: str) -> Digest:
    try:
        return Digest(text(value, "digest", what))
    except LayerError as error:
        raise DocumentError(f"{what}: {error.message}") from None


def _size(value: Mapping[str, Any], what: str) -> int:
    size = value.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise DocumentError(f"{what}: size is {size!r}; expected a number of bytes")
    return size
