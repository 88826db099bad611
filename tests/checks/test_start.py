from typing import Any

import pytest

from builder.checks.finding import Severity
from builder.checks.start import Files, check_command
from tests.checks.test_config import BASE, NEW, SOUND

IMAGE = Files(index=BASE, new=dict.fromkeys(NEW, 0o755))


def messages(**run: Any) -> list[str]:
    return [finding.message for finding in check_command(SOUND | run, IMAGE)]


@pytest.mark.parametrize(
    "argv",
    [
        ["uvicorn", "demo:app"],
        ["/app/.venv/bin/python", "-m", "demo"],
        ["/bin/sh"],
        [".venv/bin/python"],
        ["./.venv/bin/python"],
        ["/bin/sh", "-c", "uvicorn demo:app"],
        ["/bin/sh", "-c", "exec uvicorn demo:app"],
        ["sh", "-c", "A=1 B=/x exec uvicorn demo:app --port $PORT"],
        ["sh", "-c", "cd /somewhere && gunicorn"],
        ["sh", "-c", "PATH=/opt/bin gunicorn"],
        ["sh", "-c", "$APP"],
        ["sh", "-c", "'unclosed"],
        ["sh", "-c", "(gunicorn)"],
        ["sh", "-c", ""],
        ["sh", "-ec", "gunicorn"],
        ["sh", "-c"],
    ],
)
def test_what_is_there_or_cannot_be_told_is_let_go(argv: list[str]) -> None:
    assert messages(Cmd=argv) == []


@pytest.mark.parametrize(
    ("argv", "name"),
    [
        (["gunicorn"], "gunicorn"),
        (["/bin/bash"], "/bin/bash"),
        (["./start.sh"], "./start.sh"),
        (["/loop"], "/loop"),
        (["sh", "-c", "gunicorn demo:app"], "gunicorn"),
        (["/bin/sh", "-c", 'A=1 exec /start.sh "$@"\nuvicorn'], "/start.sh"),
    ],
)
def test_what_is_not_there_is_an_error(argv: list[str], name: str) -> None:
    (finding,) = check_command(SOUND | {"Cmd": argv}, IMAGE)
    assert (finding.check, finding.severity) == ("missing-command", Severity.ERROR)
    where = "" if "/" in name else "; looked in /app/.venv/bin, /usr/local/bin, /usr/bin"
    assert finding.message == f"the image would run {name}, which it does not have{where}"


def test_what_may_not_be_executed_is_an_error() -> None:
    wanted = "the image would run README, and /usr/bin/README may not be executed"
    assert messages(Cmd=["README"]) == [wanted]


def test_the_entrypoint_comes_first() -> None:
    assert messages(Entrypoint=["sh", "-c"], Cmd=["gunicorn"])[0].startswith(
        "the image would run gunicorn"
    )
    assert messages(Entrypoint=["uvicorn"], Cmd=["nowhere"]) == []


def test_an_init_starts_what_comes_after_it() -> None:
    assert [message.split(",")[0] for message in messages(Entrypoint=["tini", "--"])] == [
        "the image would run tini"
    ]
    started = messages(Entrypoint=["/usr/bin/dumb-init", "-v", "--"], Cmd=["gunicorn"])
    assert [message.split(",")[0] for message in started] == [
        "the image would run /usr/bin/dumb-init",
        "the image would run gunicorn",
    ]
    assert len(messages(Entrypoint=["dumb-init", "-v"], Cmd=["gunicorn"])) == 1


def test_without_a_path_the_engine_has_one() -> None:
    assert messages(Env=[], Cmd=["sh"]) == []
    assert messages(Env=["PATH=/opt"], Cmd=["sh"]) == [
        "the image would run sh, which it does not have; looked in /opt"
    ]


def test_relative_directories_are_those_of_the_command_s_own() -> None:
    assert messages(Env=["PATH=.venv/bin"]) == []
    assert len(messages(Env=["PATH=.venv/bin"], WorkingDir="/srv")) == 1


def test_no_command_is_told() -> None:
    (finding,) = check_command({"Cmd": []}, IMAGE)
    assert (finding.message, finding.severity) == ("the image says no command", Severity.WARNING)
