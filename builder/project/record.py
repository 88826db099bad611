"""Whether what uv installed is what the wheels held.

uv links files out of its cache, so whatever writes into an installed file writes into the cache and
into every environment after that; some machines add their own certificates to every copy of
``certifi`` that they find. The hashes in RECORD tell.
https://packaging.python.org/en/latest/specifications/recording-installed-packages/
"""

import csv
import hashlib
from base64 import urlsafe_b64encode
from collections.abc import Container, Iterator
from pathlib import Path

from layers.digest import CHUNK


def changed_files(venv: Path, names: Container[str] | None = None) -> dict[str, str]:
    """Distributions with a file that is not as its RECORD says, and the first such file.

    Args:
        venv: where they are installed.
        names: of distributions to look at, as their ``dist-info`` directories have them; all of
            them when None.

    Returns:
        Names as their ``dist-info`` directories have them, with paths as RECORD has them.
    """
    changed = {}
    for record in sorted(venv.glob("lib/python*/site-packages/*.dist-info/RECORD")):
        name, site = record.parent.name.partition("-")[0], record.parent.parent
        if names is not None and name not in names:
            continue
        for path, expected in _hashes(record):
            if _hash(site / path, expected.partition("=")[0]) != expected:
                changed[name] = path
                break
    return changed


def _hashes(record: Path) -> Iterator[tuple[str, str]]:
    with record.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        for row in csv.reader(file):
            if len(row) > 1 and row[1]:
                yield row[0], row[1]


def _hash(path: Path, algorithm: str) -> str:
    """A file's hash as RECORD writes it; empty when it cannot be read or computed."""
    try:
        total = hashlib.new(algorithm)
        with path.open("rb") as file:
            while data := file.read(CHUNK):
                total.update(data)
    except (OSError, ValueError, TypeError):
        return ""
    return f"{algorithm}={urlsafe_b64encode(total.digest()).rstrip(b'=').decode()}"
