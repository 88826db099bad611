"""What a registry says when it says no, in one line.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json
from http import HTTPStatus

from builder.errors import RegistryError
from builder.transport import Response

_MAX_BODY = 64 << 10
_MAX_WORDS = 300

_HINTS = {
    401: "check the name: registries say this of private images and of images that do not exist",
    403: "the registry knows who asks, and does not let them: check the name and the access rights",
    404: "check the repository and the tag",
    429: "wait for a while, or pull through a mirror",
}


def refusal(response: Response, attempt: str) -> RegistryError:
    """The error for an answer that is not the one wanted; reads at most 64 KiB of its body.

    Args:
        response: the answer.
        attempt: what was attempted, on what and where.

    Raises:
        TransportError: the connection broke while the body was read.
    """
    status = response.status
    words = _words(response.read(_MAX_BODY))
    named = f"{status} {_phrase(status)}".strip()
    message = f"{attempt}: the answer is {named}" + (f": {words}" if words else "")
    hint = _HINTS.get(status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        hint = "the fault is the registry's: try again later"
    return RegistryError(message, status=status, hint=hint)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _words(body: bytes) -> str:
    text = body.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        text = "; ".join(_one(error) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Not the specification's form: a proxy's page, or plain words.
        text = "" if text.lstrip().startswith("<") else text
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_MAX_WORDS]


def _one(error: dict[str, object]) -> str:
    parts = [error.get("code"), error.get("message")]
    detail = error.get("detail")
    if isinstance(detail, str) or (isinstance(detail, dict) and detail):
        parts.append(detail if isinstance(detail, str) else json.dumps(detail))
    return ": ".join(str(part) for part in parts if part)
