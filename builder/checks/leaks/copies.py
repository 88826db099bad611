"""Files that stand in an image twice: as the project's sources, and as installed from them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from builder.checks.finding import Finding

INSTALLED = re.compile(r"(?:.*/)?(?:site|dist)-packages/(?P<inside>.+)")
"""Full match: the path of what an installer put there."""


def without_copies(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for each file of the project: a line in ``.dockerignore`` does for both."""
    found = list(findings)
    return [each for each in found if not any(_is_copy(each, other) for other in found)]


def _is_copy(installed: Finding, source: Finding) -> bool:
    inside = INSTALLED.fullmatch(installed.path)
    return bool(
        inside
        and not INSTALLED.fullmatch(source.path)
        and source.path.endswith(f"/{inside['inside']}")
        and (source.check, source.message) == (installed.check, installed.message)
    )


def leave_out(path: str, pattern: str = "") -> str:
    """How a file of the project stays out of the image, and of what is installed from it.

    Args:
        path: relative to the root.
        pattern: of an ignore file; the file's own name when empty.
    """
    return f"add {pattern or '**/' + path.rpartition('/')[2]} to .dockerignore"
