"""What is wrong with a finished image."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from builder.checks.image import check_image
from builder.checks.leaks.secrets import check_secrets
from builder.checks.subject import Ground, Subject
from builder.examine.base_layers import count_base_layers
from builder.examine.caches import check_caches
from builder.examine.filesystem import read_filesystem
from builder.examine.history import check_history
from builder.examine.parts import Parts, read_parts
from builder.rootfs.runtime import Runtime
from builder.target import Target

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from builder.checks.finding import Finding
    from builder.examine.advice import Advice
    from builder.examine.owners import Owners
    from builder.oci.image import Image
    from builder.rootfs.file_index import FileIndex
    from builder.settings import ChecksSettings
    from builder.store.layout import Layout

_CHECK = "secret"
_LARGE = "large-file"
_OF_SYSTEM = ("/etc/", "/var/", "/usr/")
_MAKE_LATER = (
    "delete it in the command that makes it (rm in the same RUN), and make it where the container "
    "starts: whoever has the image has this one"
)
_BURIED = "; a later layer hides the file, and whoever has the image can read it all the same"
_NEVER_COPY = (
    "never let it into any layer: exclude it in .dockerignore, or mount it while the image is "
    "built (RUN --mount=type=secret); it is published if the image was, so replace it"
)


def examine(
    image: Image, checks: ChecksSettings, layout: Layout, advice: Advice | None = None
) -> list[Finding]:
    """All that the checks find in an image, whoever built it.

    What its base and its system packages bring is what others answer for, and no finding.

    Args:
        image: its layers are read.
        checks: what its user chose.
        layout: may know the base that the image names.
        advice: knows which packages have what the image lacks.

    Raises:
        BaseError: symbolic links go round in circles.
        ContentError: a path in a layer is none that can be.
        LayerError: a layer is not what its digest or diff_id promises.
    """
    found, owners = read_filesystem(image)
    parts = read_parts(image.layers, owners, found.files, below=count_base_layers(image, layout))
    subject = Subject(
        parts=parts.present,
        ground=Ground(files=found.files, libraries=found.libraries),
        target=_target(image, found.files),
        run=image.config.value.run,
        layers=tuple((str(layer.digest), layer.size) for layer in image.layers),
        packages=partial(advice.packages, image, found) if advice else None,
    )
    return [
        *_fitting(check_image(subject, checks, files=found.files), image, parts, owners),
        *_check_buried(parts, subject),
        *check_caches(parts.paths),
        *check_history(image),
    ]


def _target(image: Image, files: FileIndex) -> Target | None:
    runtime = Runtime.of(image, files)
    if runtime.python is None or runtime.libc is None:
        return None
    platform = image.config.value.platform
    return Target(platform=platform, python=runtime.python, libc=runtime.libc)


def _fitting(
    findings: Iterable[Finding], image: Image, parts: Parts, owners: Owners
) -> Iterator[Finding]:
    """Findings as they are true of images that others built.

    Large programs were put there to be run. Keys that a package's script makes are in no context
    that an ignore file is for.
    """
    programs = {f"/{path}" for path in parts.programs()}
    made = {str(each.digest) for n, each in enumerate(image.layers) if owners.installs(n)}
    for each in findings:
        if each.check == _CHECK and each.layer in made and each.path.startswith(_OF_SYSTEM):
            yield replace(each, fix=_MAKE_LATER)
        elif each.check != _LARGE or each.path not in programs:
            yield each


def _check_buried(parts: Parts, subject: Subject) -> list[Finding]:
    """Secrets that a layer has and a later one deletes: a famous way to publish them."""
    told = {path for part in parts.present for path, facts in part.files.items() if facts.clues}
    hidden = tuple(
        replace(part, files={path: f for path, f in part.files.items() if path not in told})
        for part in parts.buried
    )
    return [
        replace(finding, message=f"{finding.message}{_BURIED}", fix=_NEVER_COPY)
        for finding in check_secrets(replace(subject, parts=hidden))
    ]
