"""``oci:DIR[:TAG]``: an OCI image layout, which other images may share; it takes indexes whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from builder.destinations.blobs import add_blobs
from builder.destinations.destination import also_for
from builder.destinations.file import cannot_write
from builder.errors import StoreError
from builder.oci.image_index import Built
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.store.layout import Layout
from builder.units import decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class LayoutDestination:
    """Adds the image to a layout, and leaves its other images alone.

    An image in a layout is named by its tag alone, because that is what skopeo, umoci and podman
    compare with the text after the colon: ``skopeo inspect oci:dist/app:1.0``.

    Blobs are copied, never linked to the store's: a change of owner or content in the one would
    be a change in the other.

    Attributes:
        label: as the user wrote it.
        directory: of the layout; made when missing.
        tag: the name in the layout; the tag of each of the image's names when None.
    """

    label: str
    directory: Path
    tag: str | None = None

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Any: an index is an image here."""

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Copy what the layout lacks, then name the image in its index."""
        tags = [self.tag] if self.tag else list(dict.fromkeys(_tag(name) for name in names))
        try:
            layout = Layout(self.directory)
            add_blobs(built, layout)
            for tag in tags:
                layout.tag(tag, built.descriptor)
        except StoreError as error:
            # The layout's own hints speak of the builder's store.
            if isinstance(cause := error.__cause__, OSError):
                raise cannot_write(self.directory, cause) from error
            hint = "name a new or empty directory, or a layout, that you may write"
            raise StoreError(error.message, hint=hint) from error
        return f"{self.directory}:{', '.join(tags)}, {decimal(built.size)}{also_for(built)}"


def _tag(name: Reference) -> str:
    return name.tag or "latest"
