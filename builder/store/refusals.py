"""What a disk refuses to a layout, in the words of a store."""

import os
from pathlib import Path

from builder.errors import StoreError
from builder.store.files import write_hint

_ELSEWHERE = " in BUILDER_STORE"


def is_below(root: Path, error: OSError) -> bool:
    """Whether an error is about something in a directory; one without a name may be."""
    if not isinstance(error.filename, str | bytes):
        return True
    culprit = Path(os.fsdecode(error.filename))
    return any(map(culprit.is_relative_to, (root, root.absolute(), root.resolve())))


def refused(root: Path, what: str, error: OSError) -> StoreError:
    """The error to raise when ``what`` was attempted in a layout."""
    reason = error.strerror or str(error)
    if not is_below(root, error):
        return StoreError(f"cannot {what}: {os.fsdecode(error.filename)}: {reason}")
    return StoreError(f"cannot {what} in {root}: {reason}", hint=write_hint(error, _ELSEWHERE))
