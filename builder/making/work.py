"""What all steps of one build work with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from builder.built import part_key
from builder.contents import find_contents, keep_contents
from builder.plan import PROJECT
from builder.project.relocate import VenvPlace
from builder.units import decimal
from layers.layer import Layer

if TYPE_CHECKING:
    from builder.base.base import Base
    from builder.contents import Contents
    from builder.planning import Planned
    from builder.project.interpreter import Interpreter
    from builder.workshop import Workshop

Finished = Callable[[Layer], None]
"""Told of a new layer as soon as it is in the store, from any thread."""


def nobody(_layer: Layer, /) -> None:
    """For a build whose layers nobody waits for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One build under way.

    Attributes:
        planned: what is built.
        base: what it stands on, the system packages included.
        interpreter: installs and compiles.
        shop: its events may come from any thread.
        finished: told of layers.
    """

    planned: Planned
    base: Base
    interpreter: Interpreter
    shop: Workshop
    finished: Finished

    @property
    def place(self) -> VenvPlace:
        """Of the environment in the image."""
        return VenvPlace.of(self.planned.app.settings, self.planned.target.python)

    def find(self, name: str) -> Contents | None:
        """The layers of a name, as they were made before."""
        found = find_contents(self._key(name), self.shop.store)
        # The project's own files leave this machine with their image, once all is checked.
        if found is not None and name != PROJECT:
            self.tell(found)
        return found

    def kept(self, name: str, contents: Contents) -> Contents:
        """The same contents, to be found by builds to come."""
        if contents.is_repeatable:
            keep_contents(self._key(name), contents, self.shop.store)
        return contents

    def _key(self, name: str) -> str:
        return part_key(self.planned, name, self.interpreter.version)

    def tell(self, contents: Contents) -> None:
        """Whoever waits for layers hears of these."""
        for made in contents.layers:
            self.finished(made.layer)


def sizes(contents: Contents) -> str:
    """How large layers are, in words."""
    size = decimal(sum(made.layer.size for made in contents.layers))
    return size if len(contents.layers) == 1 else f"{size} in {len(contents.layers)} layers"
