"""How podman and docker are spoken to on the command line, and what their refusals mean."""

import re
from collections.abc import Mapping
from pathlib import Path

from builder.errors import EngineError
from builder.process import CommandRunner, Completed, find

# What an engine says when it cannot work here at all, and what helps; the first that fits.
# https://github.com/containers/podman/blob/main/troubleshooting.md
_HINTS = {
    r"no space left on device|disk quota exceeded": (
        "free some space (podman image prune), or point its storage elsewhere"
    ),
    r"insufficient UIDs or GIDs|subuid|subgid|newuidmap|newgidmap": (
        "rootless podman needs the uidmap package, and a range for this user in /etc/subuid and "
        "/etc/subgid"
    ),
    r"cannot clone|unshare|user namespace|cannot set up namespace|cannot re-exec": (
        "user namespaces are forbidden here: build with --no-load, write an oci-archive, and load "
        "that where podman runs"
    ),
    r"OCI runtime .* not found|CONTAINERS_CONF|containers\.conf": (
        "podman's own configuration is at fault, before any image: see what `podman info` says"
    ),
    r"rlimit|cgroup": (
        "point CONTAINERS_CONF at a containers.conf that fits this machine, for example with "
        'runtime = "runc" and lower default_ulimits'
    ),
    r"permission denied|cannot connect to the docker daemon": (
        "may this user use the engine, and does its service run?"
    ),
}


def podman_available() -> bool:
    """Whether podman is on PATH; whether it works is found out by using it."""
    return find("podman") is not None


def ask(
    run: CommandRunner,
    *argv: str | Path,
    cwd: Path | None = None,
    environ: Mapping[str, str | None] | None = None,
) -> Completed:
    """Run an engine's command line, whatever it answers.

    Args:
        run: starts it.
        argv: the program and its arguments.
        cwd: where it runs; here when omitted.
        environ: variables on top of this process's own; None takes one away.

    Raises:
        EngineError: there is no such program.
    """
    program = str(argv[0])
    try:
        return run([str(word) for word in argv], cwd=cwd, environ=environ)
    except FileNotFoundError as error:
        raise EngineError(
            f"{program} is not installed, or not on PATH",
            hint=f"install {program}, or write an archive instead: --output oci-archive:app.tar",
        ) from error


def engine(
    run: CommandRunner,
    *argv: str | Path,
    cwd: Path | None = None,
    environ: Mapping[str, str | None] | None = None,
) -> str:
    """Run an engine's command line as ``ask`` does; its stdout, without blanks around it.

    Raises:
        EngineError: there is no such program, or it refused; the message has its last words.
    """
    done = ask(run, *argv, cwd=cwd, environ=environ)
    if done.code:
        raise EngineError(
            f"{' '.join(done.argv)}: {done.last_words}", hint=engine_hint(done.last_words)
        )
    return done.stdout.strip()


def engine_hint(words: str) -> str | None:
    """What helps against an engine's complaint; None when it is not a known one."""
    for pattern, hint in _HINTS.items():
        if re.search(pattern, words, re.IGNORECASE):
            return hint
    return None
