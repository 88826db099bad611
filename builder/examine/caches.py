"""What installers keep for the next time, of which there is none in an image."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_PYTHON = r"(?:.*/)?\.cache/(?:uv|pip|pypoetry|pdm|pipenv)/"
_SYSTEM = r"var/lib/apt/lists/|var/cache/(?:apt|apk|dnf|yum)/"
_CACHE = re.compile(f"{_PYTHON}|{_SYSTEM}")
_FEW = 5
"""Files; some tools leave no more than a few marks."""


def cache_of(path: str) -> str:
    """The cache that a file is in, as a path that ends with a slash; empty when it is in none."""
    found = _CACHE.match(path) if "cache/" in path or path.startswith("var/") else None
    return found[0] if found else ""


def check_caches(paths: Iterable[str]) -> Iterator[Finding]:
    """Caches that were left in an image.

    Args:
        paths: of all new files.
    """
    for cache, count in sorted(Counter(map(cache_of, paths)).items()):
        if cache and count > _FEW:
            place = f"/{cache[:-1]}"
            yield Finding(
                check="junk",
                severity=Severity.WARNING,
                message=f"is what an installer keeps for the next time: {count} files",
                fix=f"mount it while the image is built: RUN --mount=type=cache,target={place}; "
                "or delete it in the same RUN",
                path=place,
            )
