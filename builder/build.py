"""An image for a plan, or an index for several: what was built before, or new."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.built import find_built, keep, name_built
from builder.events import Notice
from builder.oci.image_index import ImageIndex
from builder.project.interpreter import Interpreter, find_interpreter, interpreter_version

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from builder.making.work import Finished
    from builder.oci.image import Image
    from builder.oci.image_index import Built
    from builder.planning import Planned
    from builder.workshop import Workshop


def build(plans: Sequence[Planned], shop: Workshop, *, finished: Finished | None = None) -> Built:
    """The image of a plan, or the index of the images of several, in the store under its names.

    Args:
        plans: of one application, at least one; one for each platform.
        shop: its store keeps what is made.
        finished: told of every layer that is made, on top of the base.

    Raises:
        BuilderError: of the lock, install, content, check and store kinds.
    """
    # That one is missing is found out before the first image is made.
    interpreters: dict[tuple[int, int], Interpreter] = {}
    for planned in plans:
        if planned.target.python.version not in interpreters:
            interpreters[planned.target.python.version] = _interpreter(planned, shop)
    images = []
    for planned in plans:
        if len(plans) > 1:
            shop.events(Notice(f"building for {planned.plan.target.platform}"))
        interpreter = interpreters[planned.target.python.version]
        images.append(_image(planned, interpreter, shop, finished))
    built = images[0] if len(images) == 1 else ImageIndex.of(images, _common_annotations(plans))
    name_built(built, plans[0].plan.names, shop.store)
    return built


def _interpreter(planned: Planned, shop: Workshop) -> Interpreter:
    project = planned.app.pyproject.directory
    path = find_interpreter(planned.target.python, project=project, run=shop.run)
    return Interpreter(path=path, version=interpreter_version(path, run=shop.run))


def _image(
    planned: Planned, interpreter: Interpreter, shop: Workshop, finished: Finished | None
) -> Image:
    known = find_built(planned, interpreter.version, shop.store)
    if known is None:
        # What installs, compiles and packs takes longer to load than a known image to find.
        from builder.making.image import make_image  # noqa: PLC0415
        from builder.making.work import nobody  # noqa: PLC0415

        return make_image(planned, interpreter, shop, finished=finished or nobody)
    for caution in known.cautions:
        shop.events(caution)
    keep(known.image, shop.store)
    shop.events(Notice(f"built already: {known.image.digest}"))
    return known.image


def _common_annotations(plans: Sequence[Planned]) -> Mapping[str, str]:
    """What is true of every image: not the digest of its base."""
    first, *others = (planned.plan.annotations for planned in plans)
    return {
        name: value
        for name, value in first.items()
        if all(other.get(name) == value for other in others)
    }
