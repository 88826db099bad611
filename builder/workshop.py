"""What every step of a build works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from builder.events import EventSink
    from builder.process import CommandRunner
    from builder.registry.access import RegistryAccess
    from builder.store.layout import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """The tools at hand.

    Attributes:
        store: keeps what was fetched and made.
        run: starts processes.
        events: told what happens.
        registries: makes the clients of registries, as settings have it, so it comes once they
            are read; without it only bases of this machine are found.
    """

    store: Store
    run: CommandRunner
    events: EventSink
    registries: RegistryAccess | None = None
