"""The newest Release file that a source ever gave: an older one does not take its place.

Signatures stay valid, so whoever sits between could give an old one again, and with it packages
whose holes are known; and of mirrors behind one name, one may lag. As apt does, the newer one is
gone on with.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from builder.debian.archive.release import Release, parse_release
from builder.debian.archive.sources import AptSource
from builder.store.layout import Store

KIND = "apt-release"
"""The kind of the facts that are kept in the store."""


def newer_release(
    given: Release, signed: bytes, source: AptSource, now: datetime, store: Store
) -> Release | None:
    """The one that a source gave before, when that is newer; else what is given is remembered.

    A snapshot is of its own time, and a Release file without ``Date`` of none.

    Args:
        given: what the source gives now.
        signed: its verified text.
        source: keys and checks included: what others were content with counts for nothing.
        now: the time, with a zone.
        store: keeps the newest.

    Raises:
        ArchiveError: the newer one has expired.
        StoreError: the store cannot be written.
    """
    if source.moment is not None or given.date is None:
        return None
    text = signed.decode("utf-8", "replace")
    date, kept = _kept(store.fact(KIND, source.identity)) or (given.date, "")
    if date > given.date:
        return parse_release(kept.encode(), source, now)
    if kept != text:
        fact: dict[str, object] = {"date": given.date.isoformat(), "text": text}
        store.remember(KIND, source.identity, fact)
    return None


def _kept(fact: Mapping[str, Any] | None) -> tuple[datetime, str] | None:
    """Date and text; None when there is no fact, or a damaged one."""
    try:
        found = (datetime.fromisoformat(fact["date"]), str(fact["text"])) if fact else None
    except (LookupError, TypeError, ValueError):
        return None
    return found if found and found[0].tzinfo else None
