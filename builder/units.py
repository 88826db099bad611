"""Quantities in words."""


def decimal(size: int) -> str:
    """Bytes as people read them: ``512 B``, ``1.7 kB``, ``26.4 MB``."""
    number = float(size)
    for unit in ("B", "kB", "MB"):
        if number < 1000:  # noqa: PLR2004 - decimal units
            return f"{number:.0f} B" if unit == "B" else f"{number:.1f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
