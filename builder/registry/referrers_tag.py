"""The list of referrers where a registry keeps none: an index under a tag made of the digest.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#referrers-tag-schema
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from builder.errors import DocumentError, RegistryError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.document import canonical_json, parse_object
from builder.oci.manifest import Index, parse_index
from builder.oci.members import items, optional_text
from builder.registry.client import RegistryClient
from layers.digest import Digest

_NO_LIST = frozenset({"MANIFEST_UNKNOWN", "NAME_UNKNOWN", "NOT_FOUND"})
_GONE = frozenset({"MANIFEST_BLOB_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"})
"""What registries say of a list that names what they have not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaggedList:
    """The list of referrers that a tag holds; empty when there is no such tag.

    Attributes:
        tag: made of the subject's digest.
        raw: the index.
        entries: its members as they are, by digest.
    """

    tag: str
    raw: bytes
    entries: dict[Digest, Mapping[str, Any]]

    @classmethod
    def read(cls, client: RegistryClient, subject: Digest) -> "TaggedList":
        """The list of what is about ``subject``.

        Raises:
            RegistryError: the registry does not say.
            TransportError: the registry cannot be reached.
            DocumentError: the tag stands for something else.
        """
        tag = f"{subject.algorithm}-{subject.hex}"
        try:
            found = client.manifest(tag)
        except RegistryError as error:
            # Nothing less will do: what is taken for an empty list is overwritten.
            if error.status != HTTPStatus.NOT_FOUND or error.code not in _NO_LIST:
                raise
            return cls(tag=tag, raw=Index(manifests=()).to_document().raw, entries={})
        try:
            listed = parse_index(found.raw, found.media_type).value.manifests
        except DocumentError as error:
            raise DocumentError(
                f"{client.name}:{tag} should list referrers: {error.message}", hint=error.hint
            ) from None
        entries = items(parse_object(found.raw, "index"), "manifests", "index")
        by_digest = {each.digest: entry for each, entry in zip(listed, entries, strict=True)}
        return cls(tag=tag, raw=found.raw, entries=by_digest)

    def descriptors(self) -> Iterator[Descriptor]:
        """The entries, as they are understood."""
        return (Descriptor.parse(entry, "index.manifests") for entry in self.entries.values())

    def complete(
        self, client: RegistryClient, entries: dict[Digest, Mapping[str, Any]], ours: Digest
    ) -> dict[Digest, Mapping[str, Any]]:
        """Write other entries in the place of these.

        Args:
            client: of the repository.
            entries: to be written; the rest of the list stays as it is.
            ours: the one that has to be among them.

        Returns:
            What was written: without entries whose manifests are gone, if the registry minds.

        Raises:
            RegistryError: the registry refuses the list.
            TransportError: the registry cannot be reached.
        """
        try:
            self._write(client, entries)
        except RegistryError as error:
            # Registries refuse a list that names what somebody deleted.
            if error.code not in _GONE:
                raise
            living = {each: entry for each, entry in entries.items() if _is_there(client, each)}
            if ours not in living or living.keys() == entries.keys():
                raise
            self._write(client, living)
            return living
        return entries

    def _write(self, client: RegistryClient, entries: Mapping[Digest, Mapping[str, Any]]) -> None:
        value = parse_object(self.raw, "index")
        # By digest: whoever writes the same list writes the same bytes.
        value["manifests"] = [entry for _, entry in sorted(entries.items(), key=lambda e: e[0])]
        raw = canonical_json(value)
        kind = optional_text(value, "mediaType", "index") or media_types.INDEX
        descriptor = Descriptor(media_type=kind, digest=Digest.of(raw), size=len(raw))
        client.put_manifest(self.tag, descriptor, raw)


def _is_there(client: RegistryClient, digest: Digest) -> bool:
    return client.find_manifest(str(digest)) is not None
