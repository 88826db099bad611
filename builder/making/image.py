"""The steps that make an image, straight down the page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from builder.assemble import assemble
from builder.built import keep, remember_built
from builder.checks.application import check_application
from builder.events import Caution, InTurn, step
from builder.making.install import installing
from builder.making.project import begin_project, make_account
from builder.making.work import Work
from builder.plan import ACCOUNT, DEPENDENCIES, PROJECT, SYSTEM, MadeLayer
from builder.units import decimal

if TYPE_CHECKING:
    from collections.abc import Callable

    from builder.base.base import Base
    from builder.contents import Contents
    from builder.making.install import Uv
    from builder.making.work import Finished
    from builder.oci.image import Image
    from builder.planning import Planned
    from builder.project.interpreter import Interpreter
    from builder.workshop import Workshop


def make_image(
    planned: Planned, interpreter: Interpreter, shop: Workshop, *, finished: Finished
) -> Image:
    """Install, pack, assemble, and put the image into the store under its names.

    What was made before of the same inputs is taken as it is: an unchanged lock starts no uv for
    the dependencies.

    Args:
        planned: what to build.
        interpreter: installs and compiles.
        shop: its store keeps what is made.
        finished: told of every layer on top of the base.

    Raises:
        BuilderError: of the lock, install, content, check and store kinds.
    """
    shop = replace(shop, events=InTurn(shop.events))
    base, system = _furnished(planned, shop)
    work = Work(planned=planned, base=base, interpreter=interpreter, shop=shop, finished=finished)
    for layer in system:
        finished(layer.layer)
    parts = _parts(work)
    entries = [entry for part in parts for entry in part.entries]
    check_application(planned.app.settings, entries, work.place.site_packages)
    if not_python := [path for part in parts for path in part.not_python]:
        minor = planned.target.python.minor
        shop.events(
            Caution(f"not Python {minor}, so without bytecode: {', '.join(sorted(not_python))}")
        )
    with step(shop.events, "config and manifest") as done:
        layers = [*system, *(layer for part in parts for layer in part.layers)]
        image = assemble(planned.plan, planned.base, layers)
        done.detail = str(image.digest)
    with step(shop.events, "store") as done:
        keep(image, planned.plan, shop.store)
        if all(part.is_repeatable for part in parts):
            remember_built(image, planned, interpreter.version, shop.store)
        done.detail = f"{shop.store.root}, {decimal(image.size)} in all"
    return image


def _parts(work: Work) -> list[Contents]:
    """Account, dependencies and project, from the bottom."""
    account = work.find(ACCOUNT) or work.kept(ACCOUNT, make_account(work))
    found = {name: work.find(name) for name in (DEPENDENCIES, PROJECT)}
    if missing := [name for name, contents in found.items() if contents is None]:
        with installing(work) as uv:
            # Both are installed at the same time; what comes of them is told in order.
            begun = {name: _begin(name, work, uv) for name in missing}
            found |= {name: work.kept(name, finish()) for name, finish in begun.items()}
    return [account, *(contents for contents in found.values() if contents)]


def _begin(name: str, work: Work, uv: Uv) -> Callable[[], Contents]:
    if name == PROJECT:
        return begin_project(work, uv)
    # Most builds after the first touch no dependency, and do without what packs them.
    from builder.making.dependencies import begin_dependencies  # noqa: PLC0415

    return begin_dependencies(work, uv)


def _furnished(planned: Planned, shop: Workshop) -> tuple[Base, list[MadeLayer]]:
    """The base as the layers above the system packages find it, and the layer of those."""
    if not planned.packages:
        return planned.base, []
    # What reads packages takes a tenth of a second to import, and most images need none.
    from builder.system import Dock, system_layer  # noqa: PLC0415

    app, plan = planned.app, planned.plan
    project = app.pyproject.directory
    dock = Dock(base=planned.base, settings=app.settings, project=project, shop=shop)
    with step(shop.events, "system packages") as done:
        made = system_layer(dock, planned.packages, key=plan.layer(SYSTEM).key, codec=plan.codec)
        done.detail = f"{len(planned.packages)} packages, {decimal(made.layer.size)}"
    layer = MadeLayer(name=SYSTEM, layer=made.layer)
    return replace(planned.base, read_files=lambda: made.files), [layer]
