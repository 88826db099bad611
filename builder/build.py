"""An image for a plan: the one that was built before, or a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.built import find_built, keep
from builder.events import Notice
from builder.project.interpreter import Interpreter, find_interpreter, interpreter_version

if TYPE_CHECKING:
    from builder.making.work import Finished
    from builder.oci.image import Image
    from builder.planning import Planned
    from builder.workshop import Workshop


def build(planned: Planned, shop: Workshop, *, finished: Finished | None = None) -> Image:
    """The image of a plan, in the store under its names.

    Args:
        planned: what to build.
        shop: its store keeps what is made.
        finished: told of every layer that is made, on top of the base.

    Raises:
        BuilderError: of the lock, install, content, check and store kinds.
    """
    project = planned.app.pyproject.directory
    path = find_interpreter(planned.target.python, project=project, run=shop.run)
    interpreter = Interpreter(path=path, version=interpreter_version(path, run=shop.run))
    image = find_built(planned, interpreter.version, shop.store)
    if image is None:
        # What installs, compiles and packs takes longer to load than a known image to find.
        from builder.making.image import make_image  # noqa: PLC0415
        from builder.making.work import nobody  # noqa: PLC0415

        return make_image(planned, interpreter, shop, finished=finished or nobody)
    keep(image, planned.plan, shop.store)
    shop.events(Notice(f"built already: {image.digest}"))
    return image
