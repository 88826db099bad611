"""What the history of an image gives away: build arguments stand in it, word by word."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.checks.clues import clues_of_text
from builder.checks.env import check_env
from builder.checks.finding import Finding, Severity
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.image import Image

# As BuildKit writes it, and as everybody else does.
_ENV = re.compile(r"(?:/bin/sh -c #\(nop\)\s+)?ENV\s")
_ARG = re.compile(r"(?:/bin/sh -c #\(nop\)\s+)?ARG\s+(?P<pair>\w+=.*)")
_ARGUMENTS = re.compile(r"(?:RUN )?\|\d+ (?P<pairs>.*?) (?P<command>/\S+ -\S* .*)", re.DOTALL)
_CHECK = "secret-in-env"
_FIX = (
    "give it to the build with RUN --mount=type=secret, not as ARG; "
    "it is published if the image was, so replace it"
)


def check_history(image: Image) -> Iterator[Finding]:
    """Secrets in the commands that made the layers, and in their arguments."""
    told: set[str] = set()
    for step in image.config.value.history:
        command = str(step.get("created_by") or "")
        if _ENV.match(command):
            continue  # the config has the variable, too
        pairs, rest = _split(command)
        for pair in pairs:
            if pair not in told:
                told.add(pair)
                yield from _of_argument(pair)
        clues = clues_of_text("", rest.encode("utf-8", "replace"), io.BytesIO(), Origin.PROJECT)
        if clues and rest not in told:
            told.add(rest)
            yield Finding(
                check=_CHECK,
                severity=Severity.ERROR,
                message=f"a command in its history holds a secret ({clues[0].kind}), for everybody "
                "who has the image to read",
                fix=_FIX,
            )


def _split(command: str) -> tuple[list[str], str]:
    """The build arguments of a step, and its command."""
    if found := _ARG.match(command):
        return [found["pair"]], ""
    if found := _ARGUMENTS.match(command):
        return found["pairs"].split(), found["command"]
    return [], command


def _of_argument(pair: str) -> Iterator[Finding]:
    for finding in check_env({"Env": [pair]}):
        if finding.check == _CHECK:
            message = finding.message.replace("the variable", "the build argument", 1)
            yield replace(finding, message=message, fix=_FIX)
