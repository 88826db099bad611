"""Readers of the settings that are about checks."""

import re
from typing import Any

from builder.project.readers import (
    PartError,
    UnknownWordError,
    distribution,
    each,
    each_table,
    keys,
    part,
    text,
)
from builder.settings import (
    ALL_CHECKS,
    CHECKS,
    LEAST_FILE_SIZE,
    Acceptance,
    ChecksSettings,
    Growth,
)
from builder.units import size_of

_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%", re.ASCII)
_MOST_PERCENT = 1_000_000
_EXAMPLE = '[{check = "missing-library", distribution = "demo", reason = "it is never loaded"}]'


def checks(value: Any) -> ChecksSettings:
    """A table: what is accepted, what is a warning and an error, and the bounds of sizes."""
    if not isinstance(value, dict):
        raise ValueError("expected a table")
    known = keys(value, *_FIELDS)
    found = {
        key.replace("-", "_"): part(f".{key}", _FIELDS[key], item) for key, item in known.items()
    }
    both = [name for name in found.get("warn", ()) if name in found.get("refuse", ())]
    if both:
        raise PartError("expected a check in one of warn and refuse", value=both[0], path=".warn")
    return ChecksSettings(**found)


def _accept(value: Any) -> tuple[Acceptance, ...]:
    return each_table(_acceptance, value, _EXAMPLE)


def _acceptance(table: dict[str, Any]) -> Acceptance:
    known = keys(table, "check", "path", "distribution", "reason")
    if "check" not in known or "reason" not in known:
        raise ValueError("expected both check and reason")
    return Acceptance(
        check=part(".check", _check, known["check"]),
        reason=part(".reason", _reason, known["reason"]),
        path=part(".path", _glob, known["path"]) if "path" in known else "",
        distribution=part(".distribution", distribution, known["distribution"])
        if "distribution" in known
        else "",
    )


def _check(value: Any) -> str:
    name = text(value)
    if name not in CHECKS:
        raise UnknownWordError(name, CHECKS)
    return name


def _reason(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected why it is accepted, for those who read it later")
    return value.strip()


def _glob(value: Any) -> str:
    path = text(value)
    if path[0] not in "/*":
        raise ValueError('expected an absolute path in the image, such as "/app/src/*.pem"')
    return path


def _names(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise ValueError('expected a list of checks, such as ["root-user"]')
    return tuple(dict.fromkeys(each(_check_or_all, value)))


def _check_or_all(value: Any) -> str:
    return ALL_CHECKS if value == ALL_CHECKS else _check(value)


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("expected true or false")
    return value


def _size(value: Any) -> int:
    size = _bytes(value)
    if not size:
        raise ValueError('expected a size, such as "500MB" or "2GiB"')
    return size


def _file_size(value: Any) -> int:
    size = _size(value)
    if size < LEAST_FILE_SIZE:
        raise ValueError('expected at least "100kB": of smaller files no size is noted')
    return size


def _bytes(value: Any) -> int | None:
    try:
        return size_of(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _count(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError("expected a number of layers")
    return value


def _growth(value: Any) -> Growth:
    if isinstance(value, str) and (share := _PERCENT.fullmatch(value.strip())):
        percent = float(share[1])
        if percent > _MOST_PERCENT:
            raise ValueError(f"expected at most {_MOST_PERCENT}%")
        return Growth(percent=percent)
    size = _bytes(value)
    if size is None:
        raise ValueError('expected a size such as "50MB", or a part of it such as "10%"')
    return Growth(size=size)


_FIELDS = {
    "accept": _accept,
    "warn": _names,
    "refuse": _names,
    "imports": _bool,
    "max-size": _size,
    "max-layer-size": _size,
    "max-layers": _count,
    "max-growth": _growth,
    "max-file-size": _file_size,
}
"""Every key of ``[tool.builder.checks]``; ``ChecksSettings`` has ``_`` where the key has ``-``."""
