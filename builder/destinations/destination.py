"""What every destination can do."""

from collections.abc import Sequence
from typing import Protocol

from builder.errors import SettingsError
from builder.oci.image_index import Built, ImageIndex
from builder.oci.platform import Platform
from builder.oci.reference import Reference


class Destination(Protocol):
    """Takes whole images. Doing it again changes nothing; a failure leaves nothing half done."""

    @property
    def label(self) -> str:
        """The destination as the user wrote it."""
        ...

    def expect(self, platforms: Sequence[Platform]) -> None:
        """Find out before a build whether what it will give can be put there.

        Args:
            platforms: of the images to come; several come in one index.

        Raises:
            SettingsError: the destination cannot take images of these platforms together.
        """
        ...

    def put(self, built: Built, names: Sequence[Reference]) -> str:
        """Put an image, or an index with all of its images, there under its names.

        Args:
            built: what goes there.
            names: at least one.

        Returns:
            What came of it, in one line for the output.

        Raises:
            SettingsError: as for ``expect``.
            StoreError: a file or directory cannot be written.
            LayerError: a layer's bytes are not what its digest promises.
            EngineError: an engine is missing or refused.
            RegistryError: a layer is at a registry only, which does not give it.
            TransportError: a layer is at a registry only, which cannot be reached.
        """
        ...


def in_words(platforms: Sequence[Platform]) -> str:
    """Platforms, as messages list them."""
    return ", ".join(map(str, platforms))


def also_for(built: Built) -> str:
    """The platforms of an index, to end a line with; nothing for one image."""
    return f", for {in_words(built.platforms)}" if isinstance(built, ImageIndex) else ""


def refuse_several(label: str, format_name: str, platforms: Sequence[Platform]) -> None:
    """Refuse to leave platforms out where there is room for one.

    Raises:
        SettingsError: there are several.
    """
    if len(platforms) > 1:
        raise SettingsError(
            f"cannot write {label}: {format_name} holds an image for one platform, and this one "
            f"is for {in_words(platforms)}",
            hint=f"choose one, e.g. --platform {platforms[0]}; or write oci-archive:FILE or "
            "oci:DIR, which hold all",
        )
