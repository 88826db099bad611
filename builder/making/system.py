"""What new files stand on: the base, with the system packages on it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache, partial
from typing import TYPE_CHECKING

from builder.checks.subject import FileFacts, Inspected, Origin
from builder.events import step
from builder.plan import SYSTEM, MadeLayer
from builder.units import decimal

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from builder.base.base import Base
    from builder.planning import Planned
    from builder.system import Dock
    from builder.workshop import Workshop


@dataclass(frozen=True, slots=True, kw_only=True)
class Furnished:
    """A base as the layers above the system packages find it.

    Attributes:
        base: its files and libraries are those with the packages.
        planned: whose they are.
        shop: asks archives.
        layers: of the packages, one or none.
    """

    base: Base
    planned: Planned
    shop: Workshop
    layers: tuple[MadeLayer, ...] = ()

    @property
    def inspected(self) -> tuple[Inspected, ...]:
        """The libraries of the packages, as checks ask for them."""
        if not self.layers:
            return ()
        below, files = self.planned.base.libraries.files, self.base.files.files
        new = {
            path: FileFacts(mode=files.get(path, 0), size=0, elf=elf)
            for path, elf in self.base.libraries.files.items()
            if below.get(path) != elf
        }
        return (Inspected(origin=Origin.SYSTEM, layer=SYSTEM, files=new),)

    def packages(self, sonames: Collection[str]) -> Mapping[str, str]:
        """The Debian package for each of some libraries, as far as an archive tells."""
        from builder.system import packages_with  # noqa: PLC0415 - as below

        return packages_with(_dock(self.planned, self.shop), sonames)


def furnish(planned: Planned, shop: Workshop) -> Furnished:
    """Lay the system packages on the base.

    Raises:
        BuilderError: of the archive, package and store kinds.
    """
    if not planned.packages:
        return Furnished(base=planned.base, planned=planned, shop=shop)
    # What reads packages takes a tenth of a second to import, and most images need none.
    from builder.system import system_layer, system_libraries  # noqa: PLC0415

    plan = planned.plan
    dock = _dock(planned, shop)
    with step(shop.events, "system packages") as done:
        made = system_layer(dock, planned.packages, key=plan.layer(SYSTEM).key, codec=plan.codec)
        done.detail = f"{len(planned.packages)} packages, {decimal(made.layer.size)}"
    return Furnished(
        base=replace(
            planned.base,
            read_files=lambda: made.files,
            read_libraries=cache(partial(system_libraries, dock, made.layer)),
        ),
        planned=planned,
        shop=shop,
        layers=(MadeLayer(name=SYSTEM, layer=made.layer),),
    )


def _dock(planned: Planned, shop: Workshop) -> Dock:
    from builder.system import Dock  # noqa: PLC0415 - as above

    app = planned.app
    project = app.pyproject.directory
    return Dock(base=planned.base, settings=app.settings, project=project, shop=shop)
