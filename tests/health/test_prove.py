"""The health test against real containers: what passes, and how each failure reads."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.errors import CheckError, EngineError
from builder.events import Event, Notice, ignore
from builder.health.check import HealthCheck
from builder.health.container import LABEL
from builder.health.prove import prove_healthy
from builder.process import Completed, run

pytestmark = pytest.mark.engine


def _containers() -> list[str]:
    """Those of ours that are there; another session may be testing other images."""
    listed = ("podman", "ps", "--all", "--quiet", "--filter", f"label={LABEL}")
    named = (*listed, "--format", "{{.Image}} {{.ID}}")
    lines = subprocess.run(named, check=True, capture_output=True, text=True).stdout.splitlines()
    return [line for line in lines if "localhost/builder-tests/" in line]


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    yield
    assert _containers() == []
    assert list(Path("/tmp").glob("builder-*/podman.sock")) == []  # noqa: S108


def _check(image: str, mode: str, **more: object) -> HealthCheck:
    seconds = 2 if mode in {"mute", "wrong", "broken", "shy"} else 20
    options = {"start_seconds": seconds, "stop_seconds": 2, **more}
    return HealthCheck(image=image, env={"MODE": mode}, **options)  # type: ignore[arg-type]


def _refused(check: HealthCheck) -> CheckError:
    with pytest.raises(CheckError) as caught:
        prove_healthy(check, run=run, events=ignore)
    return caught.value


def test_a_healthy_image_proves_itself(served: str) -> None:
    events: list[Event] = []
    report = prove_healthy(_check(served, "healthy"), run=run, events=events.append)
    assert [proof.name for proof in report.proofs] == ["health", "user", "account", "port", "stop"]
    details = " | ".join(proof.detail for proof in report.proofs)
    assert "uid 1001" in details
    assert "whoami says app" in details
    assert "listens on 0.0.0.0, port 8000" in details
    assert 0 < report.healthy_seconds < 10
    assert 0 < report.stop_seconds < 2
    assert events == []


def test_a_server_that_never_listens(served: str) -> None:
    error = _refused(_check(served, "mute"))
    assert "did not become healthy within 2 s" in error.message
    assert "server starts, mode mute" in error.message
    assert error.hint is not None
    assert error.hint.startswith("nothing inside listens")


def test_a_server_that_listens_to_itself_alone(served: str) -> None:
    error = _refused(_check(served, "shy"))
    assert error.hint is not None
    assert "127.0.0.1:8000" in error.hint


def test_a_crash_at_the_start_is_told_at_once(served: str) -> None:
    error = _refused(_check(served, "crash", start_seconds=60))
    assert "ended with exit code 1" in error.message
    assert "cannot find the flux compensator" in error.message


def test_another_answer_than_expected(served: str) -> None:
    error = _refused(_check(served, "wrong"))
    assert 'it answers {"status":"sick"}; expected {"status": "ok"}' in error.message


def test_another_status_than_200(served: str) -> None:
    assert "it answers 500" in _refused(_check(served, "broken")).message


def test_any_answer_will_do_when_none_is_expected(served: str) -> None:
    check = _check(served, "wrong", expect=None, start_seconds=20)
    assert prove_healthy(check, run=run, events=ignore).proofs


def test_ignoring_sigterm_is_a_failure(served: str) -> None:
    error = _refused(_check(served, "deaf"))
    assert "does not stop on SIGTERM: it had to be killed after 2 s" in error.message


def test_ending_with_an_error_code_is_a_failure(served: str) -> None:
    assert "ended with exit code 7" in _refused(_check(served, "sour")).message


def test_root_is_not_the_expected_user(served_by_root: str) -> None:
    assert "runs as uid 0; expected 1001" in _refused(_check(served_by_root, "healthy")).message


def test_root_is_fine_when_root_is_expected(served_by_root: str) -> None:
    check = _check(served_by_root, "healthy", uid=0, account="root")
    assert prove_healthy(check, run=run, events=ignore).proofs


def test_another_name_than_expected(served: str) -> None:
    error = _refused(_check(served, "healthy", account="somebody"))
    assert "whoami says app; expected somebody" in error.message


def test_without_whoami_the_account_is_read(served_without_whoami: str) -> None:
    report = prove_healthy(_check(served_without_whoami, "healthy"), run=run, events=ignore)
    assert "/etc/passwd says app" in [proof.detail for proof in report.proofs]


def test_a_chosen_port(served: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    assert prove_healthy(_check(served, "healthy", publish=port), run=run, events=ignore).proofs


def test_a_port_in_use(served: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(EngineError, match=f"127.0.0.1:{port}: the port is in use") as caught:
            prove_healthy(_check(served, "healthy", publish=port), run=run, events=ignore)
    assert caught.value.hint is not None


def test_an_image_that_is_not_there() -> None:
    check = HealthCheck(image="localhost/builder-tests/never-made:latest")
    with pytest.raises(EngineError, match="never-made"):
        prove_healthy(check, run=run, events=ignore)


def test_without_podman() -> None:
    def nothing_installed(argv: object, **_: object) -> Completed:
        raise FileNotFoundError(argv)

    with pytest.raises(EngineError, match="podman is not installed"):
        prove_healthy(HealthCheck(image="x"), run=nothing_installed, events=ignore)


def test_ctrl_c_while_polling_removes_the_container(served: str) -> None:
    def interrupt() -> None:
        while not _containers():
            time.sleep(0.05)
        time.sleep(0.5)
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with pytest.raises(KeyboardInterrupt):
        prove_healthy(_check(served, "mute", start_seconds=60), run=run, events=ignore)


@pytest.mark.usefixtures("no_network")
def test_where_no_port_can_be_published_it_is_asked_from_inside(served: str) -> None:
    events: list[Event] = []
    report = prove_healthy(_check(served, "healthy"), run=run, events=events.append)
    assert report.proofs[0].name == "health"
    [notice] = events
    assert isinstance(notice, Notice)
    assert "asked from inside" in notice.text
