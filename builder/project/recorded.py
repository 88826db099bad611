"""Whose installed files are: every distribution lists its own in RECORD.

https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

from __future__ import annotations

import csv
import io
import posixpath
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from layers.entries import Entry, FileEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

RECORD = ".dist-info/RECORD"
_DIST_INFO = re.compile(r"(?:.*/)?(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/")
_SITE = re.compile(r"(?P<prefix>(?:.*/)?)lib(?:64)?/python[\d.]+/(?:site|dist)-packages")


def canonical(name: str) -> str:
    """A distribution's name as indexes write it.

    https://packaging.python.org/en/latest/specifications/name-normalization/
    """
    return re.sub(r"[-_.]+", "-", name).lower()


def distribution_of(path: str) -> str:
    """``numpy 2.3.1``, of a file in its ``dist-info``."""
    found = _DIST_INFO.match(path)
    return f"{canonical(found['name'])} {found['version']}" if found else ""


def recorded_paths(record: str, text: str) -> Iterator[str]:
    """Where the files are that a RECORD lists.

    Installers write below one prefix: what is said of files elsewhere counts for nothing.

    Args:
        record: its path.
        text: what it says.
    """
    site = record[: -len(RECORD)].rpartition("/")[0]
    inside = _SITE.fullmatch(site)
    prefix = inside["prefix"] if inside else f"{site}/".lstrip("/")
    for name in _names(text):
        if name.startswith("/") or "../" in name:
            path = posixpath.normpath(posixpath.join(f"/{site}", name))[1:]
            if path.startswith(prefix):
                yield path
        elif name:
            yield f"{site}/{name}".lstrip("/")


def _names(text: str) -> Iterator[str]:
    # What is no table any more may be anything.
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text, newline="")):
            yield row[0] if row else ""


def by_distribution(entries: Sequence[Entry]) -> dict[str, list[Entry]]:
    """Divide what is installed.

    Args:
        entries: of an environment, wherever it is.

    Returns:
        Entries by distribution, ``numpy 2.3.1``; by an empty name those that none of them lists.

    Raises:
        ContentError: a RECORD cannot be read.
    """
    owners: dict[str, str] = {}
    for entry in entries:
        if isinstance(entry, FileEntry) and entry.path.endswith(RECORD):
            with entry.content.open() as stream:
                text = stream.read().decode("utf-8", "surrogateescape")
            for path in recorded_paths(entry.path, text):
                owners.setdefault(path, distribution_of(entry.path))
    divided: dict[str, list[Entry]] = {}
    for entry in entries:
        divided.setdefault(owners.get(entry.path, ""), []).append(entry)
    return dict(sorted(divided.items()))
