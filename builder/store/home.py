"""Where a user's store is."""

from collections.abc import Mapping
from pathlib import Path

from builder.errors import StoreError


def store_home(environ: Mapping[str, str]) -> Path:
    """``$BUILDER_STORE``, else ``image-builder`` under ``$XDG_CACHE_HOME``, else in ``~/.cache``.

    Raises:
        StoreError: the user has no home directory, and names no other.
    """
    if chosen := environ.get("BUILDER_STORE"):
        return Path(chosen)
    try:
        cache = Path(environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    except RuntimeError as error:
        raise StoreError(
            "this user has no home directory to keep a store in",
            hint="name a directory you may write in BUILDER_STORE",
        ) from error
    return cache / "image-builder"
