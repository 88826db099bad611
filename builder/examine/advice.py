"""Which Debian packages have what an image lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.base.base import Base
from builder.oci.descriptor import BASE_NAME
from builder.rootfs.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from builder.oci.image import Image
    from builder.rootfs.survey import Survey
    from builder.settings import Settings
    from builder.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """Asks the archives that an image's own apt would ask; when nothing is missing, nobody.

    Attributes:
        settings: may name other archives.
        project: directory that the settings are about.
        shop: its store keeps what archives said.
    """

    settings: Settings
    project: Path
    shop: Workshop

    def packages(self, image: Image, found: Survey, sonames: Collection[str]) -> Mapping[str, str]:
        """The Debian package for each of some libraries, as far as an archive tells."""
        # What reads archives takes a tenth of a second to import, and most images lack nothing.
        from builder.system import Dock, packages_with  # noqa: PLC0415

        base = Base(
            name=image.manifest.value.annotations.get(BASE_NAME, "the image"),
            is_published=False,
            image=image,
            runtime=Runtime.of(image, found.files),
            read_files=lambda: found.files,
            read_libraries=lambda: found.libraries,
        )
        dock = Dock(base=base, settings=self.settings, project=self.project, shop=self.shop)
        return packages_with(dock, sonames)
