"""Readers of the settings that are about Debian packages."""

import re
from datetime import UTC, date, datetime
from pathlib import PurePosixPath
from typing import Any

from builder.project.readers import PartError, each, each_table, keys, list_of, part, text
from builder.settings import AptSourceSettings

# https://www.debian.org/doc/debian-policy/ch-controlfields.html#s-f-source
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# https://www.debian.org/doc/debian-policy/ch-controlfields.html#version
_VERSION = re.compile(r"(?:\d+:)?\d[A-Za-z0-9.+~-]*")
_URL = re.compile(r"https?://(?:\[[0-9A-Fa-f:.]+\]|[\w.-]+)(?::\d+)?(?:/[\w.~%+-]*)*", re.ASCII)
_SUITE = re.compile(r"[A-Za-z0-9][\w.~+-]*(?:/[\w.~+-]+)*", re.ASCII)
_HOST_END = re.compile(r"[/?#]")
_MOMENT = "%Y%m%dT%H%M%SZ"
_REFUSED = {
    ":": "the architecture is that of the image; write the name alone",
    "/": "a suite or a file cannot be chosen for one package; apt-sources names suites",
    "*": "patterns are not taken; write every name",
    "?": "patterns are not taken; write every name",
    "[": "patterns are not taken; write every name",
}
"""What apt-get takes and this does not, by the character that shows it."""


def requests(value: Any) -> tuple[str, ...]:
    """A list of packages, each ``name`` or ``name=version``; no name twice."""
    found = tuple(list_of(_request)(value))
    asked: dict[str, str] = {}
    for request in found:
        name = request.partition("=")[0]
        if name in asked:
            raise ValueError(f"{name} is asked for twice: {asked[name]!r} and {request!r}")
        asked[name] = request
    return found


def _request(value: Any) -> str:
    name, equals, version = text(value).partition("=")
    _name(name)
    if equals and not _VERSION.fullmatch(version):
        raise ValueError(
            f"{version!r} is no version of a package; "
            f'expected "name" or "name=version", such as "libpq5=15.13-0+deb12u1"'
        )
    return f"{name}{equals}{version}"


def names(value: Any) -> tuple[str, ...]:
    """A list of names of packages, without versions; a name counts once."""
    return tuple(dict.fromkeys(list_of(_name)(value)))


def _name(value: Any) -> str:
    name = text(value)
    if _NAME.fullmatch(name):
        return name
    for sign, reason in _REFUSED.items():
        if sign in name:
            raise ValueError(f"{name!r} is no name of a package: {reason}")
    raise ValueError(
        f"{name!r} is no name of a package: that has lower-case letters, digits, '+', '-' and "
        "'.', begins with a letter or digit, and is at least two characters long"
    )


def url(value: Any) -> str:
    """The address of an archive, ``http`` or ``https``; a slash at its end says nothing."""
    address = text(value)
    before, credentials, host = address.rpartition("@")
    if credentials:
        scheme, found, _ = before.partition("://")
        raise PartError(
            "credentials are not taken in an address",
            value=f"{scheme if found else ''}{found}...@{_HOST_END.split(host, maxsplit=1)[0]}",
            path="",
        )
    if not _URL.fullmatch(address):
        # A query may be secret.
        raise PartError(
            'expected an address such as "https://mirror.example.com/debian"',
            value=re.split(r"[?#]", address, maxsplit=1)[0],
            path="",
        )
    return address.rstrip("/")


def sources(value: Any) -> tuple[AptSourceSettings, ...]:
    """A list of tables with ``uri``, ``suites``, ``components`` and ``keyring``."""
    example = '[{uri = "https://mirror.example.com/debian", suites = ["bookworm"]}]'
    return each_table(_source, value, example)


def _source(table: dict[str, Any]) -> AptSourceSettings:
    known = keys(table, "uri", "suites", "components", "keyring")
    if "uri" not in known or "suites" not in known:
        raise ValueError("expected both uri and suites")
    return AptSourceSettings(
        uri=part(".uri", url, known["uri"]),
        suites=part(".suites", _suites, known["suites"]),
        components=part(".components", _suites, known.get("components", ["main"])),
        keyring=part(".keyring", _keyring, known["keyring"]) if "keyring" in known else None,
    )


def _suites(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        raise ValueError('expected a list of strings, such as ["bookworm", "bookworm-updates"]')
    return tuple(dict.fromkeys(each(_suite, value)))


def _suite(value: Any) -> str:
    if isinstance(value, str) and value.endswith("/"):
        raise ValueError("archives without suites and components are not read")
    if not isinstance(value, str) or not _SUITE.fullmatch(value) or ".." in value.split("/"):
        raise ValueError('expected a name such as "bookworm-security"')
    return value


def _keyring(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected a path in the project, or an absolute one")
    path = PurePosixPath(value)
    if not path.is_absolute() and ".." in path.parts:
        raise ValueError("expected a path in the project's directory, or an absolute one")
    return str(path)


def snapshot(value: Any) -> str:
    """A moment, as snapshot archives write it; a day is its first second."""
    written = value.isoformat() if type(value) is date else value
    for form in (_MOMENT, "%Y-%m-%d"):
        try:
            moment = datetime.strptime(written, form).replace(tzinfo=UTC)
        except (TypeError, ValueError):
            continue
        # strptime takes "2025-5-2" and shorter moments, which mean something else to a server.
        if moment.strftime(form) == written:
            return moment.strftime(_MOMENT)
    raise ValueError('expected a moment such as "20250520T000000Z", or a day such as "2025-05-20"')


def docs(value: Any) -> bool:
    """True or false; the environment has words for them."""
    chosen = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(chosen, bool):
        raise ValueError("expected true or false")
    return chosen
