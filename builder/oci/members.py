"""Members of JSON documents, in the shape that they must have: documents come from anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.errors import DocumentError

if TYPE_CHECKING:
    from collections.abc import Mapping


def as_object(value: Any, what: str) -> dict[str, Any]:
    """The value itself, when it is a JSON object.

    Raises:
        DocumentError: it is something else.
    """
    if not isinstance(value, dict):
        raise DocumentError(f"{what} is {type(value).__name__} in JSON; expected an object")
    return value


def text(value: Mapping[str, Any], key: str, what: str) -> str:
    """A member that must be there and be a string.

    Raises:
        DocumentError: it is missing or something else.
    """
    if (found := optional_text(value, key, what)) is None:
        raise DocumentError(f"{what} has no {key}")
    return found


def optional_text(value: Mapping[str, Any], key: str, what: str) -> str | None:
    """A member that is a string, missing or null.

    Raises:
        DocumentError: it is something else.
    """
    found = value.get(key)
    if found is not None and not isinstance(found, str):
        raise _wrong(what, key, found, "a string")
    return found


def text_map(value: Mapping[str, Any], key: str, what: str) -> dict[str, str]:
    """A member that is an object of strings; empty when it is missing or null.

    Raises:
        DocumentError: it is something else.
    """
    found = value.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict) or not all(isinstance(v, str) for v in found.values()):
        raise _wrong(what, key, found, "an object of strings")
    return found


def items(value: Mapping[str, Any], key: str, what: str) -> list[Any]:
    """A member that is a list; empty when it is missing or null.

    Raises:
        DocumentError: it is something else.
    """
    found = value.get(key)
    if found is not None and not isinstance(found, list):
        raise _wrong(what, key, found, "a list")
    return found or []


def _wrong(what: str, key: str, found: object, wanted: str) -> DocumentError:
    return DocumentError(f"{what}: {key} is {found!r:.80}; expected {wanted}")
