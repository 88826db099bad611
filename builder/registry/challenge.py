"""How a server says what it wants to see before it answers."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_SCHEME = re.compile(r"[\s,]*([A-Za-z][\w-]*)(?=[\s,]|$)(?!\s*=)\s*")
_PARAMETER = re.compile(r'\s*,?\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to get in: a scheme in lower case, and its parameters."""

    scheme: str
    parameters: Mapping[str, str]

    @property
    def realm(self) -> str:
        """Of a bearer challenge, the address of the server that gives out tokens."""
        return self.parameters.get("realm", "")

    @property
    def scopes(self) -> frozenset[str]:
        """What the server says the request needs."""
        return frozenset(self.parameters.get("scope", "").split())


def parse_challenges(field: str) -> tuple[Challenge, ...]:
    """Read a ``WWW-Authenticate`` field; what is no challenge in it is left out.

    https://www.rfc-editor.org/rfc/rfc9110#field.www-authenticate
    """
    challenges: list[Challenge] = []
    position = 0
    while scheme := _SCHEME.match(field, position):
        position = scheme.end()
        parameters: dict[str, str] = {}
        while parameter := _PARAMETER.match(field, position):
            position = parameter.end()
            name, quoted, plain = parameter.groups()
            parameters[name.lower()] = plain or re.sub(r"\\(.)", r"\1", quoted or "")
        challenges.append(Challenge(scheme[1].lower(), parameters))
    return tuple(challenges)
