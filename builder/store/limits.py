"""How large a store may be, and how old what lies in it: read from what users write."""

import re
from collections.abc import Mapping

from builder.errors import SettingsError

_SIZE = r"(?i:(\d+(?:\.\d+)?)\s*(?:([kmgt])(i?))?b?)"
_AGE = r"(\d+)\s*([smhdw])"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_MAX_SIZE = "BUILDER_STORE_MAX_SIZE"


def parse_size(text: str, what: str) -> int:
    """Bytes: ``5GB``, ``500 MB``, ``1.5GiB``, ``0``; decimal units unless there is an i.

    A number alone is none: who forgets the unit does not mean bytes.

    Raises:
        SettingsError: it is none; ``what`` says whose it is.
    """
    found = re.fullmatch(_SIZE, text.strip())
    if found and (not text.strip()[-1].isdecimal() or float(found[1]) == 0):
        power = "kmgt".index(found[2].lower()) + 1 if found[2] else 0
        return int(float(found[1]) * (1024 if found[3] else 1000) ** power)
    raise SettingsError(f"{what} is {text!r}; expected a size", hint="such as 5GB, 500MB or 2GiB")


def parse_age(text: str, what: str) -> int:
    """Seconds: ``30m``, ``12h``, ``7d``, ``2w``.

    Raises:
        SettingsError: it is none; ``what`` says whose it is.
    """
    if found := re.fullmatch(_AGE, text.strip()):
        return int(found[1]) * _SECONDS[found[2]]
    raise SettingsError(f"{what} is {text!r}; expected an age", hint="such as 30m, 12h, 7d or 2w")


def store_bound(environ: Mapping[str, str]) -> int | None:
    """Bytes that the user lets stores of this machine grow to: ``BUILDER_STORE_MAX_SIZE``.

    Raises:
        SettingsError: it is not a size.
    """
    text = environ.get(_MAX_SIZE)
    return parse_size(text, _MAX_SIZE) if text else None
