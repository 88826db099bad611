"""What a base can run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.errors import BaseError
from builder.target import Target

if TYPE_CHECKING:
    from builder.base.base import Base


def find_target(base: Base) -> Target:
    """Platform, Python and C library of a base.

    Raises:
        BaseError: it has no Python, or no C library that is known.
    """
    platform = base.image.config.value.platform
    python, libc = base.runtime.python, base.runtime.libc
    hint = 'choose one that has, such as "python:3.12-slim-bookworm"'
    if python is None:
        raise BaseError(f"the base {base.name} has no Python on its PATH", hint=hint)
    if python.path.endswith("t"):
        # Its wheels, its directories and its bytecode are others: python3.13t.
        raise BaseError(
            f"the base {base.name} has the free-threaded Python {python.path}, which nothing is "
            "installed for",
            hint=hint,
        )
    if libc is None:
        raise BaseError(f"the base {base.name} has neither glibc nor musl", hint=hint)
    return Target(platform=platform, python=python, libc=libc)
