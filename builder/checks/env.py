"""The variables of an image's config: what they give away, and where they look."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

from builder.checks.clues import clues_of_text
from builder.checks.finding import Finding, Severity
from builder.checks.subject import Origin

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# A name that goes on, as TOKEN_FILE and PASSWORD_MIN_LENGTH, is of something else.
_SECRET_NAME = re.compile(
    r"(?i:(?:.*_)?(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|CREDENTIALS?"
    r"|(?:API|SECRET|PRIVATE|ACCESS|AUTH|SIGNING|ENCRYPTION)_?KEY))"
)
# A place, a switch, a number or what a shell or a person puts in later.
_NO_SECRET = re.compile(r"(?i:|/.*|true|false|yes|no|on|off|none|null|[\d.]{1,6}|\$.*|<.*>)")


def check_env(run: Mapping[str, Any]) -> Iterator[Finding]:
    """Variables with secrets in them, and relative directories in ``PATH``.

    Args:
        run: the ``config`` member of the image config.
    """
    for pair in run.get("Env") or ():
        name, _, value = str(pair).partition("=")
        if kind := _kind(name, value):
            what = f"holds what looks like a secret ({kind})"
            yield _secret(name, what, Severity.ERROR)
        elif _SECRET_NAME.fullmatch(name) and not _NO_SECRET.fullmatch(value):
            yield _secret(name, "has the name of a secret, and a value", Severity.WARNING)
    yield from _relative(search_path(run))


def search_path(run: Mapping[str, Any]) -> str:
    """``PATH`` of a container, as engines set it when the image does not."""
    pairs = (str(pair).partition("=") for pair in run.get("Env") or ())
    set_ = [value for name, _, value in pairs if name == "PATH"]
    # https://github.com/containers/podman/blob/main/pkg/env/env.go
    return set_[-1] if set_ else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _kind(name: str, value: str) -> str | None:
    """Which secret a variable holds, as far as its form tells."""
    line = f"{name}={value}".encode("utf-8", "replace")
    clues = clues_of_text("env", line, io.BytesIO(), Origin.PROJECT)
    return clues[0].kind if clues else None


def _secret(name: str, what: str, severity: Severity) -> Finding:
    return Finding(
        check="secret-in-env",
        severity=severity,
        message=f"the variable {name} {what}, for everybody who has the image to read",
        fix=f"set {name} where the container is started, or mount a file",
    )


def _relative(path: str) -> Iterator[Finding]:
    odd = [part for part in path.split(":") if not part.startswith("/")]
    if odd:
        yield Finding(
            check="relative-path",
            severity=Severity.WARNING,
            message=f"PATH has {', '.join(repr(part) for part in odd)}: which program is started "
            "depends on the directory that the container is in",
            fix="write absolute directories, without empty ones",
        )
