"""A Python that was built for one place on this machine, told that it lives in ``/usr/local``.

CPython finds its library by where its executable stands, so it runs anywhere. What is left of the
old place are the loader's search path and a fallback in its programs, and what ``sysconfig`` tells.
"""

import ast
import json
import posixpath
import re
from collections.abc import Mapping, Sequence
from typing import Any

from builder.errors import BaseError

HOME = "/usr/local"
"""Where it lives in an image, as in the official ones."""

# Where the official images build it; in them, too, nothing is left there.
_BUILD_PLACE = "/usr/src/python"
_PRINTABLE = re.compile(rb"[\x20-\x7e]+")
_NAME_GOES_ON = r"(?![\w.+-])"


def rehomed_program(data: bytes, prefixes: Sequence[str]) -> bytes:
    """A program whose strings name ``HOME`` in place of any of the prefixes.

    A string is replaced where it stands, within its length. Its last component stays as well,
    behind the new string: linkers keep a string that is the end of another one only once, and in a
    build for ``.../versions/3.12.1`` that is Python's own version.
    """
    for prefix in prefixes:
        old = prefix.encode()
        written = bytearray(data)
        at = data.find(old)
        while at >= 0:
            start = data.rfind(b"\0", 0, at) + 1
            end = (data.find(b"\0", at) + 1 or len(data) + 1) - 1
            written[start:end] = _replaced(data[start:end], old)
            at = data.find(old, end)
        data = bytes(written)
    return data


def _replaced(text: bytes, old: bytes) -> bytes:
    """A text of the same length; the same text when it is none, or nothing shorter can be said."""
    new = re.sub(re.escape(old) + _NAME_GOES_ON.encode(), HOME.encode(), text)
    if new == text or not _PRINTABLE.fullmatch(text):
        return text
    end = text.rpartition(b"/")[2]
    for shorter in (new, b"/"):
        if len(shorter) + 1 + len(end) <= len(text):
            return shorter.ljust(len(text) - len(end), b"\0") + end
    return text


def rehomed_settings(name: str, data: bytes, prefixes: Sequence[str]) -> bytes:
    """What ``sysconfig`` tells of how Python was built, without this machine's places.

    Args:
        name: ``_sysconfigdata*.py``, or one of the JSON files that newer versions have.
        data: the file.
        prefixes: where Python was built to live.

    Raises:
        BaseError: the file is not what CPython's own build writes.
    """
    values = read_settings(name, data)
    places = dict.fromkeys(prefixes, HOME) | dict.fromkeys(_build_places(values), _BUILD_PLACE)
    new = _rehomed(values, {old: places[old] for old in sorted(places, key=len, reverse=True)})
    if name.endswith(".json"):
        return json.dumps(new, indent=2, sort_keys=True).encode() + b"\n"
    lines = "".join(f" {key!r}: {value!r},\n" for key, value in sorted(new.items()))
    return f"build_time_vars = {{\n{lines}}}\n".encode()


def read_settings(name: str, data: bytes) -> dict[str, Any]:
    """The values of one of ``sysconfig``'s files.

    Raises:
        BaseError: the file is not what CPython's own build writes.
    """
    try:
        value = json.loads(data) if name.endswith(".json") else _build_time_vars(data)
    except (ValueError, SyntaxError) as error:
        raise BaseError(f"{name} of this machine's Python cannot be read: {error}") from None
    if not isinstance(value, dict):
        raise BaseError(f"{name} of this machine's Python holds no table of values")
    return value


def _build_time_vars(data: bytes) -> Any:
    for statement in ast.parse(data).body:
        match statement:
            case ast.Assign(targets=[ast.Name(id="build_time_vars")], value=value):
                return ast.literal_eval(value)
            case _:
                pass
    return None


def _build_places(values: Mapping[str, Any]) -> list[str]:
    """The directories that Python was compiled in."""
    report = str(values.get("COVERAGE_INFO") or "")
    named = [values.get("abs_builddir"), values.get("abs_srcdir"), posixpath.dirname(report)]
    return [place for place in named if isinstance(place, str) and place.count("/") > 1]


def _rehomed(value: Any, places: Mapping[str, str]) -> Any:
    if isinstance(value, dict):
        return {key: _rehomed(inner, places) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rehomed(inner, places) for inner in value]
    if isinstance(value, str):
        for old, new in places.items():
            value = re.sub(re.escape(old) + _NAME_GOES_ON, new, value)
    return value
