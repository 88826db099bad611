"""The variables of an image's config: what they and the rest of it give away, where they look."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from builder.checks.finding import Finding, Severity
from builder.checks.leaks.config_text import check_texts, secret_in
from builder.checks.leaks.variables import holds_secret

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


def check_env(run: Mapping[str, Any]) -> Iterator[Finding]:
    """Secrets in variables and in labels, commands and the like; relative directories in ``PATH``.

    Args:
        run: the ``config`` member of the image config.
    """
    for pair in run.get("Env") or ():
        name, _, value = str(pair).partition("=")
        if kind := secret_in(f"{name}={value}"):
            what = f"holds what looks like a secret ({kind})"
            yield _secret("" if secret_in(name) else name, what, Severity.ERROR)
        elif holds_secret(name, value):
            yield _secret(name, "has the name of a secret, and a value", Severity.WARNING)
    yield from check_texts({key: run[key] for key in run if key != "Env"}, "config")
    yield from _relative(search_path(run))


def search_path(run: Mapping[str, Any]) -> str:
    """``PATH`` of a container, as engines set it when the image does not."""
    pairs = (str(pair).partition("=") for pair in run.get("Env") or ())
    set_ = [value for name, _, value in pairs if name == "PATH"]
    # https://github.com/containers/podman/blob/main/pkg/env/env.go
    return set_[-1] if set_ else "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def _secret(name: str, what: str, severity: Severity) -> Finding:
    called = f"the variable {name}" if name else "the name of a variable"
    return Finding(
        check="secret-in-env",
        severity=severity,
        message=f"{called} {what}, for everybody who has the image to read",
        fix=f"set {name or 'it'} where the container is started, or mount a file",
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
