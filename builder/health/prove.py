"""The health test, from start to removal."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from builder.engine import ask, engine_hint
from builder.errors import CheckError, EngineError
from builder.events import EventSink
from builder.health.check import HealthCheck, HealthReport, Proof
from builder.health.container import Container, removed_afterwards, start
from builder.health.kernel import Process
from builder.health.podman_service import podman_service
from builder.health.probe import InsideProbe, OutsideProbe, Probe
from builder.health.proofs import prove_account, prove_port, prove_stop, prove_user
from builder.process import CommandRunner
from builder.transport import HttpTransport

_POLL_SECONDS = 0.05
_PROBE_SECONDS = 5
_ANSWERS = "[tool.builder.health] says what is asked, and what the answer has to be"


def prove_healthy(check: HealthCheck, *, run: CommandRunner, events: EventSink) -> HealthReport:
    """Start an image that podman has, and let it prove itself; its container is always removed.

    Args:
        check: what is expected.
        run: starts podman.
        events: hears when the image has to be asked from inside, for want of a network.

    Raises:
        CheckError: the image falls short; the message has the end of the container's log.
        EngineError: podman cannot run it.
    """
    _must_exist(check, run)
    with removed_afterwards(run, events) as name, podman_service() as client:
        container = start(client, check, name, run=run, events=events)
        begun = time.perf_counter()
        with _telling(container):
            with _probe(check, container) as probe:
                answered = _await_health(check, container, probe)
            healthy_seconds = time.perf_counter() - begun
            proofs = [answered, *_proofs(check, container, run)]
            stop_seconds, stopped = prove_stop(check, container)
    return HealthReport(
        healthy_seconds=healthy_seconds,
        stop_seconds=stop_seconds,
        proofs=(*proofs, stopped),
    )


def _must_exist(check: HealthCheck, run: CommandRunner) -> None:
    # Also finds out, quickly and in podman's own words, whether it works at all.
    done = ask(run, "podman", "image", "inspect", "--format", "{{.Id}}", check.image)
    if done.code:
        words = done.last_words
        lists = "podman images lists what there is" if "not known" in words else None
        raise EngineError(
            f"podman cannot give the image {check.image}: {words}",
            hint=engine_hint(words) or lists,
        )


@contextmanager
def _telling(container: Container) -> Iterator[None]:
    """Add the container's last words to an error about it."""
    try:
        yield
    except CheckError as error:
        log = container.log().replace("\n", "\n  ")
        message = f"{error.message}\nThe end of its log:\n  {log}"
        raise CheckError(message, hint=error.hint) from error


@contextmanager
def _probe(check: HealthCheck, container: Container) -> Iterator[Probe]:
    if container.host_port is None:
        yield InsideProbe(container, f"http://127.0.0.1:{check.port}{check.path}")
        return
    with HttpTransport(connect_seconds=_PROBE_SECONDS, read_seconds=_PROBE_SECONDS) as transport:
        yield OutsideProbe(transport, f"http://127.0.0.1:{container.host_port}{check.path}")


def _await_health(check: HealthCheck, container: Container, probe: Probe) -> Proof:
    deadline = time.monotonic() + check.start_seconds
    while True:
        answer = probe()
        shortfall = answer.falls_short(check.expect)
        if shortfall is None:
            return Proof("health", f"{check.path} answers 200")
        if container.has_ended():
            raise CheckError(
                f"{check.image} did not become healthy: its container {container.ending()}"
            )
        if time.monotonic() > deadline:
            hint = _ANSWERS if answer.status else _listening(check, container)
            raise CheckError(
                f"{check.image} did not become healthy within {check.start_seconds:g} s: "
                f"{check.path} on port {check.port}: {shortfall}",
                hint=hint,
            )
        time.sleep(_POLL_SECONDS)


def _listening(check: HealthCheck, container: Container) -> str:
    listeners = Process(container.state()["Pid"]).listeners()
    there = sorted({f"{at.address}:{at.port}" for at in listeners})
    found = f"inside, it listens on {', '.join(there)}" if there else "nothing inside listens"
    return f"{found}; it has to answer on 0.0.0.0:{check.port}"


def _proofs(check: HealthCheck, container: Container, run: CommandRunner) -> list[Proof]:
    process = Process(container.state()["Pid"])
    proofs = [prove_user(check, process)] if check.uid is not None else []
    if check.account is not None:
        proofs.append(prove_account(check, container, run))
    return [*proofs, prove_port(check, process)]
