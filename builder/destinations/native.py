"""Of what was built, the image that this machine runs."""

from collections.abc import Sequence
from dataclasses import dataclass

from builder.destinations.destination import in_words
from builder.errors import SettingsError
from builder.oci.image import Image
from builder.oci.image_index import Built
from builder.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Native:
    """The image that podman gets, and what it is shown: that image, or the index that lists it.

    Shown the index it knows the image by the digests of both. An index of uncommon variants, which
    podman reads in its own way, it is not shown.
    """

    image: Image
    shown: Built

    @classmethod
    def of(cls, built: Built) -> "Native":
        """From an index of several platforms this machine's; one image, whatever it is for.

        Raises:
            SettingsError: as for ``expect_native``.
        """
        if isinstance(built, Image):
            return cls(built, built)
        expect_native(built.platforms)
        host = Platform.host()
        image = built.image_for(host) or built.images[0]
        is_common = image.config.value.platform.specific == host.specific
        return cls(image, built if is_common else image)

    def left_out(self, built: Built) -> str:
        """Which image of an index this is, and which others there are, to end a line with.

        Of one image, only whether it is another machine's.
        """
        if isinstance(built, Image):
            there, host = built.config.value.platform, Platform.host()
            return "" if there.matches(host) else f": {there}, and this machine is {host}"
        others = [image for image in built.images if image is not self.image]
        words = in_words([image.config.value.platform for image in others])
        left = f"; podman keeps one platform, so not {words}" if others else ""
        return f": {self.image.config.value.platform}{left}"


def expect_native(platforms: Sequence[Platform]) -> None:
    """Refuse images of several platforms of which this machine runs none.

    Raises:
        SettingsError: with what there is.
    """
    host = Platform.host()
    if len(platforms) > 1 and not any(there.matches(host) for there in platforms):
        raise SettingsError(
            f"nothing to load into podman: this machine is {host}, and the image is for "
            f"{in_words(platforms)}",
            hint=f"leave podman out with --no-load, add --platform {host}, or write all of them: "
            "--output oci-archive:FILE",
        )
