"""What an image's layers make, and whose their files are: both read in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.assemble import AUTHOR
from builder.examine.owners import Owners, tells_owners
from builder.plan import PROJECT
from builder.project.recorded import canonical
from builder.rootfs.scan import Filesystem, scan
from builder.rootfs.survey import is_wanted, survey_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.image import Image
    from builder.rootfs.survey import Survey

_TITLE = "org.opencontainers.image.title"


def read_filesystem(image: Image) -> tuple[Survey, Owners]:
    """Read every layer of an image once.

    Raises:
        BaseError: the symbolic links of its accounts go round in circles.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    whole = Filesystem()
    owners = Owners(own=set(_own(image)), layers=_own_layers(image))
    for number, layer in enumerate(image.layers):
        wanted = _Wanted(number, owners)
        whole = scan([layer], wanted, below=whole)
        for path in wanted.telling:
            # What the layer itself has twice counts as it is at last.
            if (data := whole.contents.get(path)) is not None:
                owners.learn(number, path, data)
                if not is_wanted(path):
                    del whole.contents[path]
    found = survey_of(image, whole)
    owners.settle(found.files)
    return found, owners


class _Wanted:
    """Which contents are kept of a layer; what it was asked about is what the layer has.

    Args:
        layer: its number.
        owners: take note of what has a name that tells enough.
    """

    def __init__(self, layer: int, owners: Owners) -> None:
        self._layer = layer
        self._owners = owners
        self.telling: list[str] = []

    def __contains__(self, path: object) -> bool:
        name = str(path)
        self._owners.pass_by(self._layer, name)
        if tells_owners(name):
            self.telling.append(name)
            return True
        return is_wanted(name)


def _own(image: Image) -> Iterator[str]:
    """Names of distributions that are the project itself, as the image is titled."""
    for titles in (image.manifest.value.annotations, image.config.value.labels):
        if title := titles.get(_TITLE):
            yield canonical(title)


def _own_layers(image: Image) -> frozenset[int]:
    """Numbers of the layers in which all distributions are the project's, as this builder says."""
    steps = [step for step in image.config.value.history if not step.get("empty_layer")]
    if len(steps) != len(image.layers):
        return frozenset()
    project = f"{AUTHOR}: {PROJECT}"
    return frozenset(n for n, step in enumerate(steps) if step.get("created_by") == project)
