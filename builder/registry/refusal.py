"""What a registry says when it says no, in one line, and what may help.

https://github.com/opencontainers/distribution-spec/blob/main/spec.md#error-codes
"""

import json
import re
from dataclasses import dataclass
from http import HTTPStatus

from builder.errors import RegistryError
from builder.registry.credential import registry_name
from builder.transport import Response

_MAX_BODY = 64 << 10
_MAX_WORDS = 300

_CHANGED = "something on the way changes what is sent, perhaps a proxy: push past it"
_AGAIN = "the registry has lost what it had taken: push again"
_NO_KIND = "the registry takes no manifests of this kind: it may be too old for them"
_FIXED = "what that tag stands for may not change there: push under another tag"
_NO_ROOM = "there is no room left for this user: delete old images there, or ask for a larger quota"
_THEIRS = "the fault is the registry's: try again later"
_FULL = "the registry's disk is full: tell those who run it"

# Registries have words of their own for these, and the codes do not tell them apart.
_BY_WORDS = {
    re.compile(words, re.IGNORECASE): hint
    for words, hint in (
        (r"\b(?:tags?|is|are|as) immutab|immutable tag|cannot be overwritten", _FIXED),
        (r"quota.{0,40}(?:exceed|reach)|over (?:the )?quota", _NO_ROOM),
        (r"exceed.{0,60}(?:quota|upper limit)", _NO_ROOM),
        (r"no space left on device", _FULL),
    )
}
_PUSHING = {
    "NAME_UNKNOWN": "there is no such repository: some registries want it to be made first",
    "NAME_INVALID": "the registry takes no repository of that name: some want a user or a project "
    "as its first part",
    "ImageTagAlreadyExistsException": _FIXED,
    "TAG_IMMUTABLE": _FIXED,
    "MANIFEST_BLOB_UNKNOWN": _AGAIN,
    "BLOB_UNKNOWN": _AGAIN,
    "BLOB_UPLOAD_UNKNOWN": _AGAIN,
    "BLOB_UPLOAD_INVALID": _CHANGED,
    "DIGEST_INVALID": _CHANGED,
    "SIZE_INVALID": _CHANGED,
    "MANIFEST_INVALID": _NO_KIND,
}
_PUSHING_STATUS = {
    404: "check the repository: some registries want it to be made first",
    405: "the server takes no pushes: it may be a mirror only",
    413: "a proxy in front of the registry takes no body of that size: its limit has to be raised",
    415: _NO_KIND,
    429: "wait for a while, and push again",
    507: _FULL,
}
_PULLING_STATUS = {
    404: "check the repository and the tag",
    429: "wait for a while, or pull through a mirror",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asker:
    """Who asked for what: it decides what may help.

    Attributes:
        host: whom.
        is_known: whether credentials for that host are at hand.
        pushes: whether something was to be written.
    """

    host: str
    is_known: bool
    pushes: bool

    @property
    def login(self) -> str:
        """How a user logs in there."""
        return f"python -m builder login {registry_name(self.host)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """A refusal's body: its first code, its messages for matching, and all of it for reading."""

    code: str | None = None
    messages: str = ""
    words: str = ""


def refusal(response: Response, attempt: str, asker: Asker | None = None) -> RegistryError:
    """The error for an answer that is not the one wanted; reads at most 64 KiB of its body.

    Args:
        response: the answer.
        attempt: what was attempted, on what and where.
        asker: who asked; when nobody is named, hints are those for anybody who pulls.

    Raises:
        TransportError: the connection broke while the body was read.
    """
    status = response.status
    said = _read(response.read(_MAX_BODY))
    named = f"{status} {_phrase(status)}".strip()
    message = f"{attempt}: the answer is {named}" + (f": {said.words}" if said.words else "")
    return RegistryError(message, status=status, code=said.code, hint=_hint(status, said, asker))


def _hint(status: int, said: _Said, asker: Asker | None) -> str | None:
    if hint := next(
        (hint for words, hint in _BY_WORDS.items() if words.search(said.messages)), None
    ):
        return hint
    if status == HTTPStatus.UNAUTHORIZED:
        return _unauthorized(asker)
    if status == HTTPStatus.FORBIDDEN or said.code == "DENIED":
        return _denied(asker)
    is_push = asker is not None and asker.pushes
    of_code = _PUSHING.get(said.code or "") if is_push else None
    of_status = (_PUSHING_STATUS if is_push else _PULLING_STATUS).get(status)
    is_theirs = status >= HTTPStatus.INTERNAL_SERVER_ERROR
    return of_code or of_status or (_THEIRS if is_theirs else None)


def _unauthorized(asker: Asker | None) -> str:
    name = "check the name: registries say this of private images and of images that do not exist"
    if asker is None:
        return name
    if asker.is_known:
        return f"{name}; or the user name or password is wrong, to log in anew: {asker.login}"
    return f"{name}; or log in: {asker.login}"


def _denied(asker: Asker | None) -> str:
    if asker is None or asker.is_known:
        does = "push there" if asker and asker.pushes else ""
        them = f"does not let them {does}".rstrip()
        return f"the registry knows who asks, and {them}: check the name and the access rights"
    return (
        "the registry was asked by somebody unknown, and does not let them: "
        f"check the name, or log in: {asker.login}"
    )


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""


def _read(body: bytes) -> _Said:
    text = body.decode("utf-8", "replace")
    try:
        errors = json.loads(text)["errors"]
        words = "; ".join(_one(error) for error in errors)
        codes = [error["code"] for error in errors if isinstance(error.get("code"), str)]
        messages = "; ".join(_message(error) for error in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        # Not the specification's form: a proxy's page, or plain words.
        words = "" if text.lstrip().startswith("<") else _clean(text)
        return _Said(messages=words, words=words)
    first = _clean(codes[0]) if codes else None
    return _Said(code=first or None, messages=_clean(messages), words=_clean(words))


def _clean(text: str) -> str:
    """In one line, and not a long one."""
    printable = "".join(c if c.isprintable() else " " for c in text)
    return " ".join(printable.split())[:_MAX_WORDS]


def _message(error: dict[str, object]) -> str:
    """What was written for people; a detail that is an object only repeats names."""
    return " ".join(
        part for part in (error.get("message"), error.get("detail")) if isinstance(part, str)
    )


def _one(error: dict[str, object]) -> str:
    parts = [error.get("code"), error.get("message")]
    detail = error.get("detail")
    if isinstance(detail, str) or (isinstance(detail, dict) and detail):
        parts.append(detail if isinstance(detail, str) else json.dumps(detail))
    return ": ".join(str(part) for part in parts if part)
