"""The shared libraries of an image, as its loader finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from builder.elf import Elf, elf_from_fact, elf_to_fact

if TYPE_CHECKING:
    from collections.abc import Mapping

_FORMAT = 1
"""Raised when the same layers give other libraries than before, or they are written otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Libraries:
    """Shared libraries, and where they are looked for.

    Attributes:
        files: by path relative to the root; links are in the file index. The programs that are
            named as Python is are among them, because what they load is loaded for others too.
        directories: relative to the root, in the loader's order: what its configuration names,
            and what it knows itself.
    """

    files: Mapping[str, Elf] = field(default_factory=dict)
    directories: tuple[str, ...] = ()


def libraries_to_fact(libraries: Libraries) -> dict[str, object]:
    """What the store keeps."""
    return {
        "format": _FORMAT,
        "files": {path: elf_to_fact(elf) for path, elf in libraries.files.items()},
        "directories": list(libraries.directories),
    }


def libraries_from_fact(fact: Mapping[str, Any]) -> Libraries:
    """Read what ``libraries_to_fact`` wrote.

    Raises:
        ValueError: it is of another format, or damaged.
    """
    if fact.get("format") != _FORMAT:
        raise ValueError(f"format {fact.get('format')}")
    try:
        return Libraries(
            files={path: elf_from_fact(known) for path, known in fact["files"].items()},
            directories=tuple(fact["directories"]),
        )
    except (LookupError, TypeError, AttributeError) as error:
        raise ValueError(f"no libraries: {error}") from error
