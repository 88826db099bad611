"""What checks are asked about: an image, as far as they must know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from builder.elf import Elf
    from builder.rootfs.file_index import FileIndex
    from builder.rootfs.libraries import Libraries
    from builder.target import Target


class Origin(StrEnum):
    """Who answers for a file."""

    PROJECT = "project"
    """The user."""
    DISTRIBUTION = "distribution"
    """Who published a Python package."""
    SYSTEM = "system"
    """Who published the base or a system package."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Clue:
    """What looks like a secret.

    Attributes:
        kind: in words: ``private key``, ``GitHub token``.
        line: in the file, from 1; 0 when the file's name tells.
    """

    kind: str
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFacts:
    """What is worth knowing of one file.

    Attributes:
        mode: permission bits.
        size: bytes.
        elf: what it says to a loader, when it is of that kind.
        clues: secrets that may be in it.
        script: what follows ``#!`` in its first line; empty for what is no script.
        damage: what it is instead of the library that it is named as, in words; empty for none.
    """

    mode: int
    size: int
    elf: Elf | None = None
    clues: tuple[Clue, ...] = ()
    script: str = ""
    damage: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """Files of one origin, looked at once.

    Attributes:
        origin: who answers for them.
        layer: its name in the plan, or its digest in an image that others built.
        distribution: ``numpy 2.3.1``; empty for none.
        files: by path relative to the root.
        links: symbolic links to their targets as written, by path.
    """

    origin: Origin
    layer: str = ""
    distribution: str = ""
    files: Mapping[str, FileFacts] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ground:
    """What the inspected files stand on: the base and the system packages."""

    files: FileIndex
    libraries: Libraries


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An image.

    Attributes:
        parts: its new files; a later part's file hides an earlier one's at the same path.
        ground: what they stand on.
        target: what it is for; None when it has no Python or no C library that is known.
        run: the ``config`` member of its config.
        layers: names and compressed sizes in bytes, from the bottom.
        previous: bytes of the layers of the image that had its name before; None when there was
            none.
        packages: the Debian package for each of some sonames, empty when the archives have none;
            nothing of any when there is no archive to ask; slow.
    """

    parts: tuple[Inspected, ...]
    ground: Ground
    target: Target | None
    run: Mapping[str, Any]
    layers: tuple[tuple[str, int], ...] = ()
    previous: int | None = None
    packages: Callable[[Collection[str]], Mapping[str, str]] | None = None
