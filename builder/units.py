"""Quantities in words."""

import re

_SIZE = re.compile(r"(?i:(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?)", re.ASCII)


def decimal(size: int) -> str:
    """Bytes as people read them: ``512 B``, ``1.7 kB``, ``26.4 MB``."""
    number = float(size)
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004 - decimal units
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"


def size_of(text: str) -> int:
    """Bytes: ``5GB``, ``500 MB``, ``1.5GiB``, ``0``; decimal units unless there is an i.

    A number alone is none: who forgets the unit does not mean bytes.

    Raises:
        ValueError: it is none.
    """
    found = _SIZE.fullmatch(text.strip())
    if not found or (text.strip()[-1].isdecimal() and float(found[1]) != 0):
        raise ValueError("expected a size, such as 5GB, 500MB or 2GiB")
    power = "kmgt".index(found[2].lower()) + 1 if found[2] else 0
    return int(float(found[1]) * (1024 if found[3] else 1000) ** power)
