"""What a manifest is about."""

from builder.oci.descriptor import Descriptor
from builder.oci.document import parse_object


def subject_of(raw: bytes) -> Descriptor | None:
    """The manifest that a manifest or index is about; None for most.

    Raises:
        DocumentError: the bytes are not JSON, or the member ``subject`` is no descriptor.
    """
    found = parse_object(raw, "manifest").get("subject")
    return None if found is None else Descriptor.parse(found, "manifest.subject")
