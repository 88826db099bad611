"""How large a store may be, and how old what lies in it: read from what users write."""

import re
from collections.abc import Mapping

from builder.errors import SettingsError
from builder.units import size_of

_AGE = r"(\d+)\s*([smhdw])"
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 24 * 3600, "w": 7 * 24 * 3600}
_MAX_SIZE = "BUILDER_STORE_MAX_SIZE"


def parse_size(text: str, what: str) -> int:
    """Bytes, as ``builder.units.size_of`` reads them.

    Raises:
        SettingsError: it is none; ``what`` says whose it is.
    """
    try:
        return size_of(text)
    except ValueError:
        raise SettingsError(
            f"{what} is {text!r}; expected a size", hint="such as 5GB, 500MB or 2GiB"
        ) from None


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
