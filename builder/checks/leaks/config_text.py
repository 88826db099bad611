"""Secrets in what a config and a manifest say: labels, commands, annotations."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.clues import clues_of_text
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NAME = re.compile(r"[\w./-]{1,100}", re.ASCII)


def secret_in(text: str) -> str | None:
    """Which secret a text holds, as far as its form tells."""
    data = text.encode("utf-8", "replace")
    clues = clues_of_text("text", data, io.BytesIO(), Origin.PROJECT)
    return clues[0].kind if clues else None


def check_texts(document: Mapping[str, Any], whose: str) -> Iterator[Finding]:
    """Secrets in the strings of a document, however deep; each of them once.

    Args:
        document: as JSON says it.
        whose: in words: ``config``.
    """
    told: set[str] = set()
    for place, text in _texts(document, ""):
        kind = secret_in(text) if text not in told else None
        if kind:
            told.add(text)
            yield Finding(
                check="secret-in-env",
                severity=Severity.ERROR,
                message=f"{place or 'a name'} in the {whose} holds what looks like a secret "
                f"({kind}), for everybody who has the image to read",
                fix="take it out, and set it where the container is started, or mount a file; "
                "it is published if the image was, so replace it",
            )


def _texts(value: object, place: str) -> Iterator[tuple[str, str]]:
    """Strings and where they stand; names of members among them, as these may be anything."""
    if isinstance(value, str):
        yield place, value
    elif isinstance(value, list):
        for each in value:
            yield from _texts(each, place)
    elif isinstance(value, dict):
        for name, each in value.items():
            is_plain = _NAME.fullmatch(name) and not secret_in(name)
            inside = f"{place} {name}".lstrip() if is_plain else place
            if not is_plain and not isinstance(each, str):
                yield place, name
            yield from _texts(f"{name}={each}" if isinstance(each, str) else each, inside)
