"""Distributions that need not be installed to be known: the lock has the hashes of their wheels.

What was made of a lock's entry once is found again by that entry, so that uv installs only what was
never packed here.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from builder.dependencies.segments import Packed, Packer
from builder.oci.document import canonical_json
from builder.project.lock import Lock, artifact_names
from builder.project.uv import python_platform, uv_version
from builder.store.layout import Store
from builder.target import Target
from layers.digest import Digest

_LOCKED = "locked"


def locked_keys(
    lock: Lock, foreseen: Mapping[str, str], target: Target, packer: Packer, told: Sequence[str]
) -> dict[str, str]:
    """What each distribution is kept under, by name.

    Args:
        lock: names them.
        foreseen: versions by name, as uv would install them.
        target: decides which of an entry's wheels uv takes; where there is but one for all
            platforms, the platform does not count.
        packer: for the same place.
        told: what uv is told beside the lock, as digests.

    Returns:
        Those that have one entry in the lock, with hashes; of several, uv chooses by markers.
    """
    entries: dict[tuple[str, str], list[Mapping[str, Any]]] = {}
    for entry in lock.packages:
        entries.setdefault((entry["name"], entry.get("version", "")), []).append(entry)
    fit = {
        "python": target.python.minor,
        "uv": uv_version(),
        "told": list(told),
        "surroundings": packer.surroundings,
    }
    everywhere = str(Digest.of(canonical_json(fit)))
    here = str(Digest.of(canonical_json({**fit, "platform": python_platform(target)})))
    return {
        name: _key(found[0], everywhere if _is_for_all(found[0]) else here)
        for name, version in foreseen.items()
        if name not in lock.unhashed and len(found := entries.get((name, version), [])) == 1
    }


def _key(entry: Mapping[str, Any], around: str) -> str:
    return str(Digest.of(canonical_json({"entry": entry, "around": around})))


def _is_for_all(entry: Mapping[str, Any]) -> bool:
    """Whether uv takes the same wheel of an entry for every platform, and never builds it."""
    names = artifact_names(entry)
    return bool(names) and all(
        name.endswith("-none-any.whl") and "py3" in name.split("-")[-3].split(".") for name in names
    )


def find_locked(keys: Mapping[str, str], packer: Packer) -> dict[str, Packed]:
    """What was packed of a lock's entries before, by name.

    Args:
        keys: by name, as ``locked_keys`` gives them.
        packer: for the same place.
    """
    found = {}
    for name, key in keys.items():
        fact = packer.store.fact(_LOCKED, key)
        packed = packer.find(str(fact.get("segment"))) if fact else None
        if packed is not None:
            found[name] = packed
    return found


def keep_locked(key: str, segment: str, store: Store) -> None:
    """Let a segment be found by an entry of a lock.

    Args:
        key: of the entry.
        segment: the segment's own key.
        store: keeps it.

    Raises:
        StoreError: the store cannot be written.
    """
    store.remember(_LOCKED, key, {"segment": segment})
