"""Manifests and indexes, OCI's and Docker's.

https://github.com/opencontainers/image-spec/blob/main/manifest.md
https://github.com/opencontainers/image-spec/blob/main/image-index.md
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.errors import DocumentError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import Document, canonical_json, parse_object
from builder.oci.members import items, optional_text, text_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from builder.oci.platform import Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """One image for one platform, or an artifact of any kind.

    Attributes:
        config: of the image; what it means in an artifact is up to the artifact's type.
        layers: from the lowest on; the parts of an artifact.
        annotations: about the whole.
        subject: the manifest that this one is about.
        artifact_type: the kind of an artifact.
    """

    config: Descriptor
    layers: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    subject: Descriptor | None = None
    artifact_type: str | None = None

    def to_document(self) -> Document[Manifest]:
        """This manifest as an OCI document."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media_types.MANIFEST,
            "config": self.config.to_json(),
            "layers": [layer.to_json() for layer in self.layers],
            **_extras(self),
        }
        return Document(canonical_json(value), self, media_types.MANIFEST)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """A list of manifests, usually one per platform.

    Attributes:
        manifests: in the order in which they are preferred.
        annotations: about the whole.
        subject: the manifest that this index is about.
        artifact_type: the kind of an artifact.
    """

    manifests: tuple[Descriptor, ...]
    annotations: Mapping[str, str] = field(default_factory=dict)
    subject: Descriptor | None = None
    artifact_type: str | None = None

    def to_document(self) -> Document[Index]:
        """This index as an OCI document."""
        value: dict[str, Any] = {
            "schemaVersion": 2,
            "mediaType": media_types.INDEX,
            "manifests": [manifest.to_json() for manifest in self.manifests],
            **_extras(self),
        }
        return Document(canonical_json(value), self, media_types.INDEX)

    def find(self, platform: Platform) -> Descriptor | None:
        """The manifest for a platform: of those that match, the first of its very variant."""
        offered = [(m.platform, m) for m in self.manifests if m.platform]
        exact = [m for there, m in offered if there.specific == platform.specific]
        found = exact or [m for there, m in offered if there.matches(platform)]
        return found[0] if found else None

    def select(self, platform: Platform) -> Descriptor:
        """The manifest that ``find`` finds.

        Raises:
            DocumentError: there is none; the message lists what there is.
        """
        if found := self.find(platform):
            return found
        names = ", ".join(str(m.platform) for m in self.manifests if m.platform) or "none named"
        raise DocumentError(f"the index has no manifest for {platform}; it offers: {names}")


def parse_manifest(raw: bytes, media_type: str | None = None) -> Document[Manifest]:
    """Read a manifest.

    Args:
        raw: the bytes as fetched.
        media_type: what the one who gave the bytes calls them; the document's own word wins.

    Raises:
        DocumentError: the bytes are not an image manifest.
    """
    value = parse_object(raw, "manifest")
    kind = optional_text(value, "mediaType", "manifest") or media_type or media_types.MANIFEST
    if kind not in media_types.MANIFESTS:
        raise DocumentError(f"not an image manifest: media type {kind}")
    layers = items(value, "layers", "manifest")
    manifest = Manifest(
        config=Descriptor.parse(value.get("config"), "manifest.config"),
        layers=tuple(Descriptor.parse(v, f"manifest.layers[{i}]") for i, v in enumerate(layers)),
        annotations=text_map(value, "annotations", "manifest"),
        subject=_subject(value, "manifest"),
        artifact_type=optional_text(value, "artifactType", "manifest"),
    )
    return Document(raw, manifest, kind)


def parse_index(raw: bytes, media_type: str | None = None) -> Document[Index]:
    """Read an index or a Docker manifest list.

    Raises:
        DocumentError: the bytes are not an index.
    """
    value = parse_object(raw, "index")
    kind = optional_text(value, "mediaType", "index") or media_type or media_types.INDEX
    if kind not in media_types.INDEXES:
        raise DocumentError(f"not an image index: media type {kind}")
    if "manifests" not in value:
        raise DocumentError("not an image index: it has no manifests")
    manifests = items(value, "manifests", "index")
    index = Index(
        manifests=tuple(
            Descriptor.parse(v, f"index.manifests[{i}]") for i, v in enumerate(manifests)
        ),
        annotations=text_map(value, "annotations", "index"),
        subject=_subject(value, "index"),
        artifact_type=optional_text(value, "artifactType", "index"),
    )
    return Document(raw, index, kind)


def _extras(document: Manifest | Index) -> dict[str, Any]:
    """Members that only some documents have, artifacts above all."""
    value: dict[str, Any] = {}
    if document.annotations:
        value["annotations"] = dict(document.annotations)
    if document.artifact_type:
        value["artifactType"] = document.artifact_type
    if document.subject:
        value["subject"] = document.subject.to_json()
    return value


def _subject(value: Mapping[str, Any], what: str) -> Descriptor | None:
    found = value.get("subject")
    return None if found is None else Descriptor.parse(found, f"{what}.subject")
