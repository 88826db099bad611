"""What the documents of an image give away: build arguments stand in its history, word by word."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.config_text import check_texts, secret_in
from builder.checks.start.env import check_env

if TYPE_CHECKING:
    from collections.abc import Iterator

    from builder.oci.image import Image

# As BuildKit writes it, and as everybody else does.
_ENV = re.compile(r"(?:/bin/sh -c #\(nop\)\s+)?ENV\s+(?P<pairs>.*)", re.DOTALL)
_PAIR = re.compile(r"(?P<name>\w+)=(?P<value>.*?)(?=\s+\w+=|\s*$)", re.DOTALL)
_ARG = re.compile(r"(?:/bin/sh -c #\(nop\)\s+)?ARG\s+(?P<pair>\w+=.*)")
_ARGUMENTS = re.compile(r"(?:RUN )?\|\d+ (?P<pairs>.*?) (?P<command>/\S+ -\S* .*)", re.DOTALL)
_LOOKED_AT = {"config", "history", "rootfs", "container_config"}
_CHECK = "secret-in-env"
_VARIABLE = "in its history, the variable"
_ARGUMENT = "the build argument"
_QUOTES = "\"'"
_FIX_VARIABLE = (
    "set it where the container is started, not as ENV: a later step hides it from nobody; "
    "it is published if the image was, so replace it"
)
_FIX = (
    "give it to the build with RUN --mount=type=secret, not as ARG; "
    "it is published if the image was, so replace it"
)


def check_history(image: Image) -> Iterator[Finding]:
    """Secrets in the commands that made the layers, in their arguments, and in what else is said.

    Of the config, its ``config`` member is left to others.
    """
    config = image.config.value
    told = {str(pair) for pair in config.run.get("Env") or ()}
    for step in config.history:
        what, pairs, rest = _split(str(step.get("created_by") or ""))
        for pair in pairs:
            if pair not in told:
                told.add(pair)
                yield from _of_pair(pair, what)
        kind = secret_in(rest)
        if kind and rest not in told:
            told.add(rest)
            yield Finding(
                check=_CHECK,
                severity=Severity.ERROR,
                message=f"a command in its history holds a secret ({kind}), for everybody "
                "who has the image to read",
                fix=_FIX,
            )
    notes = [{key: step.get(key) for key in ("author", "comment")} for step in config.history]
    others = {key: config.members[key] for key in config.members if key not in _LOOKED_AT}
    yield from check_texts({**others, "history": notes}, "config")
    yield from check_texts({"annotations": dict(image.manifest.value.annotations)}, "manifest")


def _split(command: str) -> tuple[str, list[str], str]:
    """What a step sets, in words; the pairs of names and values; and its command."""
    if found := _ENV.match(command):
        pairs = (each.group("name", "value") for each in _PAIR.finditer(found["pairs"]))
        return _VARIABLE, [f"{name}={value.strip(_QUOTES)}" for name, value in pairs], ""
    if found := _ARG.match(command):
        return _ARGUMENT, [found["pair"]], ""
    if found := _ARGUMENTS.match(command):
        return _ARGUMENT, found["pairs"].split(), found["command"]
    return "", [], command


def _of_pair(pair: str, what: str) -> Iterator[Finding]:
    for finding in check_env({"Env": [pair]}):
        if finding.check == _CHECK:
            message = finding.message.replace("the variable", what, 1)
            fix = _FIX_VARIABLE if what == _VARIABLE else _FIX
            yield replace(finding, message=message, fix=fix)
