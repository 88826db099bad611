"""Asking the endpoint, from this machine or from inside the container."""

import json
from dataclasses import dataclass
from typing import Any, Protocol

from builder.errors import CheckError, TransportError
from builder.health.container import Container
from builder.transport import Request, Transport

_LONGEST_ANSWER = 1 << 16
_SHOWN = 300

# Prints the status on a line, then the body; any status is an answer.
_INSIDE = """\
import sys, urllib.error, urllib.request
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
try:
    answer = opener.open(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
sys.stdout.buffer.write(b"%d\\n" % answer.status + answer.read(1 << 16))
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back: an HTTP status and a body, or why nothing did (status None)."""

    status: int | None
    text: str

    def falls_short(self, expect: Any) -> str | None:
        """What is wrong with it, in words; None when it is the healthy answer."""
        shown = self.text if len(self.text) <= _SHOWN else f"{self.text[:_SHOWN]}..."
        if self.status is None:
            return f"nothing answers: {shown}"
        if self.status != 200:  # noqa: PLR2004 - the one status that means health
            return f"it answers {self.status}: {shown}"
        if expect is None:
            return None
        try:
            got = json.loads(self.text)
        except ValueError:
            return f"it answers 200, but no JSON: {shown}"
        return None if got == expect else f"it answers {shown}; expected {json.dumps(expect)}"


class Probe(Protocol):
    """Asks once."""

    def __call__(self) -> Answer:
        """The answer, or that there is none."""
        ...


@dataclass(frozen=True, slots=True)
class OutsideProbe:
    """Asks through the published port, as a user would."""

    transport: Transport
    url: str

    def __call__(self) -> Answer:
        """The answer, or that there is none."""
        try:
            with self.transport.send(Request(url=self.url)) as response:
                text = response.read(_LONGEST_ANSWER).decode(errors="replace")
        except TransportError as error:
            return Answer(None, error.message)
        return Answer(response.status, text)


@dataclass(frozen=True, slots=True)
class InsideProbe:
    """Asks with the image's own Python, where no port can be published."""

    container: Container
    url: str

    def __call__(self) -> Answer:
        """The answer, or that there is none.

        Raises:
            CheckError: the image has no Python.
        """
        code, said = self.container.execute("python", "-ISBc", _INSIDE, self.url)
        if code in {126, 127}:
            raise CheckError(
                f"the image cannot be asked from inside: it has no python on its PATH ({said})",
                hint="test it where podman can publish ports",
            )
        status, _, text = said.partition("\n")
        if code or not status.isdigit():
            return Answer(None, said.splitlines()[-1] if said else f"exit code {code}")
        return Answer(int(status), text)
