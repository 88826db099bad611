"""The packages of a base that was composed here, kept by its digest."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.debian.package import Pin
from builder.errors import LayerError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.store.layout import Store
    from layers.digest import Digest

_KIND = "base-packages"


def remember_packages(digest: Digest, pins: Sequence[Pin], store: Store) -> None:
    """Keep what a base was composed of.

    Raises:
        StoreError: the store cannot be written.
    """
    store.remember(_KIND, str(digest), {"packages": [pin.to_json() for pin in pins]})


def packages_of(digest: Digest, store: Store) -> tuple[Pin, ...]:
    """What a base was composed of; nothing for one that was found as it is."""
    fact = store.fact(_KIND, str(digest)) or {}
    listed = fact.get("packages")
    try:
        return tuple(Pin.parse(value) for value in listed) if isinstance(listed, list) else ()
    except (LookupError, TypeError, ValueError, LayerError):
        return ()  # another version of this program wrote it
