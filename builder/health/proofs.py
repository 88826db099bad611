"""What a healthy container still has to show: who it is, where it listens, that it can stop."""

import tempfile
from pathlib import Path

from builder.engine import ask
from builder.errors import CheckError
from builder.health.check import HealthCheck, Proof
from builder.health.container import Container
from builder.health.kernel import Process
from builder.process import CommandRunner

_CLEAN_ENDS = frozenset({0, 128 + 15, 128 + 2})
"""By itself, or by SIGTERM or SIGINT: some servers clean up and then repeat the signal."""

_KILLED = 128 + 9


def prove_user(check: HealthCheck, process: Process) -> Proof:
    """Every uid of the main process is the expected one.

    Raises:
        CheckError: one is not.
    """
    uids = process.uids()
    if uids != {check.uid}:
        got = ", ".join(map(str, sorted(uids))) or "nobody (its main process is gone)"
        raise CheckError(
            f"{check.image} runs as uid {got}; expected {check.uid}",
            hint="does its entrypoint change the user, or was it built with another one?",
        )
    return Proof("user", f"uid {check.uid}")


def prove_account(check: HealthCheck, container: Container, run: CommandRunner) -> Proof:
    """The user has the expected name.

    ``whoami`` tells it; an image without that program is read ``/etc/passwd`` from.

    Raises:
        CheckError: it has another name or none.
    """
    code, name = container.execute("whoami")
    way = "whoami"
    if code in {126, 127}:
        name, way = _name_in_passwd(check, container, run), "/etc/passwd"
    elif code:
        name = f"nothing ({name})"
    if name != check.account:
        raise CheckError(
            f"{check.image}: {way} says {name}; expected {check.account}",
            hint="the account layer adds the user to /etc/passwd: was the image built with it?",
        )
    return Proof("account", f"{way} says {name}")


def prove_port(check: HealthCheck, process: Process) -> Proof:
    """The server listens on the port, for others than itself, as the expected user.

    Raises:
        CheckError: it does not.
    """
    at_port = [listener for listener in process.listeners() if listener.port == check.port]
    reachable = [listener for listener in at_port if not listener.address.is_loopback]
    if not reachable:
        where = f"only on {at_port[0].address}" if at_port else "not at all"
        raise CheckError(
            f"{check.image}: its server should listen on port {check.port} for everyone; "
            f"it listens {where}",
            hint="bind the server to 0.0.0.0" if at_port else None,
        )
    [listener, *_] = reachable
    if check.uid is not None and listener.uid != check.uid:
        raise CheckError(
            f"{check.image}: the server on port {check.port} belongs to uid {listener.uid}; "
            f"expected {check.uid}"
        )
    return Proof("port", f"listens on {listener.address}, port {listener.port}")


def prove_stop(check: HealthCheck, container: Container) -> tuple[float, Proof]:
    """SIGTERM ends the container within its grace time.

    Returns:
        Seconds that it took, and the proof.

    Raises:
        CheckError: it had to be killed, or ended as if something had gone wrong.
    """
    seconds = container.stop(check.stop_seconds)
    code = container.state()["ExitCode"]
    if code == _KILLED:
        raise CheckError(
            f"{check.image} does not stop on SIGTERM: it had to be killed after "
            f"{check.stop_seconds} s",
            hint="the server must be the container's main process (a shell in front of it needs "
            "exec) and has to handle SIGTERM",
        )
    if code not in _CLEAN_ENDS:
        raise CheckError(f"{check.image}, asked to stop by SIGTERM, {container.ending()}")
    return seconds, Proof("stop", f"ended {seconds:.1f} s after SIGTERM, exit code {code}")


def _name_in_passwd(check: HealthCheck, container: Container, run: CommandRunner) -> str:
    # podman-py gives a tar of the file, the command line the file.
    with tempfile.TemporaryDirectory(prefix="builder-") as scratch:
        copy = Path(scratch) / "passwd"
        done = ask(run, "podman", "cp", f"{container.handle.id}:/etc/passwd", copy)
        if done.code:
            return "nothing: there is none"
        for line in copy.read_text(errors="replace").splitlines():
            name, _, uid, *_ = [*line.split(":"), "", "", ""]
            if uid == str(check.uid):
                return name
    return f"no name for uid {check.uid}"
