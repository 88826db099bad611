"""``cache``: what the builder's store holds, making it smaller, and proving that it is sound."""

import argparse
import json
import os
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from builder.cli.console import Console, emit
from builder.events import Notice
from builder.store.home import store_home
from builder.store.inventory import Inventory, NamedImage, take_inventory
from builder.store.layout import Layout
from builder.store.limits import parse_age, parse_size, store_bound
from builder.store.prune import Limits, Removal, plan_removal, prune
from builder.store.summary import Share, summarize
from builder.store.verify import Findings, verify
from builder.units import decimal

_NOTHING = Inventory(blobs={}, images=(), facts=(), leftovers=())
_STEPS = ((60, "second"), (60, "minute"), (24, "hour"))


def command(options: argparse.Namespace, console: Console) -> int:
    """Run ``cache info``, ``cache prune`` or ``cache verify``; the exit code.

    Raises:
        DocumentError: the index cannot be read.
        SettingsError: a size or an age is none.
        StoreError: the store cannot be read or written, or it is in use.
    """
    root = store_home(os.environ)
    if not root.exists():
        # Scripts prune before the first build, too; a store shall not come from looking for it.
        console(Notice(f"there is no store at {root} yet"))
    match options.action:
        case "info":
            return _info(root, options)
        case "prune":
            return _prune(root, options, console)
        case _:
            return _verify(root, options, console)


def _info(root: Path, options: argparse.Namespace) -> int:
    found = take_inventory(Layout(root)) if root.exists() else _NOTHING
    bound, shares = store_bound(os.environ), summarize(found)
    if options.json:
        emit(json.dumps(_info_json(root, found, shares, bound), indent=2))
        return 0
    most = f" of {decimal(bound)} that it may hold" if bound is not None else ""
    rows = [
        (share.label, str(share.files), decimal(share.size), _ago(share.used)) for share in shares
    ]
    images = [(_title(i), "", decimal(_size(i, found)), _ago(i.used)) for i in found.images]
    lines = [f"{root}: {decimal(found.size)}{most}", "", *_table(("", "files", "size", ""), rows)]
    emit("\n".join([*lines, *(["", *_table(("", "", "", ""), images)] if images else [])]))
    return 0


def _prune(root: Path, options: argparse.Namespace, console: Console) -> int:
    limits = _limits(options)
    if root.exists():
        removal = prune(root, limits, console, dry_run=options.dry_run, wait=options.wait)
    else:
        removal = plan_removal(_NOTHING, limits, now=0)
    names = [name for image in removal.images for name in _names(image)]
    _print(_removal_json(root, removal, options), names, options)
    went = {"image": removal.images, "fact": removal.facts, "blob": removal.blobs}
    told = ", ".join(
        _counted(len(things), word)
        for word, things in {**went, "leftover": removal.leftovers}.items()
    )
    did = "would be removed" if options.dry_run else "removed"
    console(Notice(f"{decimal(removal.freed)} {did}: {told}; {decimal(removal.stays)} stay"))
    return 0


def _verify(root: Path, options: argparse.Namespace, console: Console) -> int:
    findings = Findings(checked=0, size=0)
    if root.exists():
        findings = verify(root, console, dry_run=options.dry_run, wait=options.wait)
    _print(_findings_json(root, findings, options), _told(findings), options)
    read = f"{_counted(findings.checked, 'blob')} read, {decimal(findings.size)}"
    if findings.is_sound:
        console(Notice(f"{read}: all is sound"))
        return 0
    did = (
        "nothing was removed"
        if options.dry_run
        else "what is faulty was removed, and builds make it again"
    )
    console(Notice(f"{read}: {_counted(len(_told(findings)), 'fault')} found; {did}"))
    return 1


def _print(value: dict[str, Any], lines: Sequence[str], options: argparse.Namespace) -> None:
    if options.json:
        emit(json.dumps(value, indent=2))
    elif lines:
        emit("\n".join(lines))


def _limits(options: argparse.Namespace) -> Limits:
    size, age = options.max_size, options.older_than
    return Limits(
        max_size=parse_size(size, "--max-size") if size is not None else None,
        max_age=parse_age(age, "--older-than") if age is not None else None,
    )


def _told(findings: Findings) -> list[str]:
    return [
        *([findings.index_error] if findings.index_error else []),
        *(f"incomplete image {name}" for name in findings.incomplete_names),
        *(f"unreadable fact {fact.path}" for fact in findings.unreadable),
        *(f"damaged blob sha256:{blob.path.name}" for blob in findings.damaged),
    ]


def _info_json(
    root: Path, found: Inventory, shares: Sequence[Share], bound: int | None
) -> dict[str, Any]:
    return {
        "store": str(root),
        "size": found.size,
        "max_size": bound,
        "kinds": {
            share.label: {
                "files": share.files,
                "size": share.size,
                "last_used": _timestamp(share.used),
            }
            for share in shares
        },
        "images": [
            {
                "digest": str(image.digest),
                "names": list(image.names),
                "size": _size(image, found),
                "last_used": _timestamp(image.used),
                "complete": image.is_whole,
            }
            for image in found.images
        ],
    }


def _removal_json(root: Path, removal: Removal, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "store": str(root),
        "dry_run": options.dry_run,
        "images": [name for image in removal.images for name in _names(image)],
        "facts": len(removal.facts),
        "blobs": [f"sha256:{blob.path.name}" for blob in removal.blobs],
        "leftovers": [str(left.path) for left in removal.leftovers],
        "freed": removal.freed,
        "size": removal.stays,
    }


def _findings_json(root: Path, findings: Findings, options: argparse.Namespace) -> dict[str, Any]:
    return {
        "store": str(root),
        "dry_run": options.dry_run,
        "checked": findings.checked,
        "size": findings.size,
        "index_error": findings.index_error,
        "incomplete": list(findings.incomplete_names),
        "unreadable": [str(fact.path) for fact in findings.unreadable],
        "damaged": [f"sha256:{blob.path.name}" for blob in findings.damaged],
    }


def _names(image: NamedImage) -> list[str]:
    digest = image.digest
    return [f"{name}@{digest}" for name in image.names] or [str(digest)]


def _title(image: NamedImage) -> str:
    return ", ".join(image.names) or str(image.digest)


def _size(image: NamedImage, found: Inventory) -> int:
    return sum(found.blobs[name].size for name in image.needs)


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Text on the left, numbers on the right of their columns, words at the end."""
    cells = [head, *rows] if any(head) else rows
    first, second, third = (max(len(row[i]) for row in cells) for i in range(3))
    return [
        f"{name:<{first}}  {number:>{second}}  {size:>{third}}  {words}".rstrip()
        for name, number, size, words in cells
    ]


def _ago(used: float | None) -> str:
    if not used:
        return ""
    number = max(0, int(time.time() - used))
    for most, unit in _STEPS:
        if number < most:
            return f"used {_counted(number, unit)} ago"
        number //= most
    return f"used {_counted(number, 'day')} ago"


def _counted(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _timestamp(used: float | None) -> str | None:
    return datetime.fromtimestamp(int(used), UTC).isoformat() if used else None
