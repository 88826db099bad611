"""The steps that make an image, straight down the page."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from builder.assemble import assemble
from builder.built import Known, keep, remember_built
from builder.events import Caution, InTurn, step
from builder.making.checked import check
from builder.making.install import installing
from builder.making.project import begin_project, make_account
from builder.making.system import furnish
from builder.making.work import Work
from builder.plan import ACCOUNT, DEPENDENCIES, PROJECT
from builder.units import decimal

if TYPE_CHECKING:
    from collections.abc import Callable

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
    """Install, pack, check, assemble, and put the image into the store.

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
    furnished = furnish(planned, shop)
    work = Work(
        planned=planned,
        base=furnished.base,
        interpreter=interpreter,
        shop=shop,
        finished=finished,
    )
    for made in furnished.layers:
        finished(made.layer)
    parts = _parts(work)
    layers = [*furnished.layers, *(layer for part in parts for layer in part.layers)]
    if not_python := [path for part in parts for path in part.not_python]:
        minor = planned.target.python.minor
        shop.events(
            Caution(f"not Python {minor}, so without bytecode: {', '.join(sorted(not_python))}")
        )
    cautions = check(work, furnished, parts, layers)
    with step(shop.events, "config and manifest") as done:
        image = assemble(planned.plan, planned.base, layers)
        done.detail = str(image.digest)
    with step(shop.events, "store") as done:
        keep(image, shop.store)
        if all(part.is_repeatable for part in parts):
            remember_built(Known(image, cautions), planned, interpreter.version, shop.store)
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
