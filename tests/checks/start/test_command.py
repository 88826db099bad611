from typing import Any

import pytest

from builder.checks.finding import Severity
from builder.checks.inspect import inspect
from builder.checks.start.command import Files, check_command
from builder.checks.subject import Origin
from builder.rootfs.file_index import FileIndex
from layers.entries import FileEntry
from tests.checks.start.test_config import BASE, NEW, SOUND

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


def starting(script: bytes, mode: int = 0o755, index: FileIndex = BASE, **run: Any) -> list[str]:
    """What is said of a command that is a file of the project."""
    entry = FileEntry.of("app/src/run.sh", script, mode=mode)
    facts = inspect([entry], origin=Origin.PROJECT).files
    new = dict.fromkeys(NEW, 0o755) | {entry.path: facts[entry.path].mode}
    image = Files(index=index, new=new, facts=facts)
    return [
        finding.message.removeprefix("the image would run /app/src/run.sh, and ")
        for finding in check_command(SOUND | {"Cmd": ["/app/src/run.sh"]} | run, image)
    ]


@pytest.mark.parametrize(
    "line", [b"#!/bin/sh", b"#! /usr/bin/dash -e", b"#!/app/.venv/bin/python", b"#!./src/run.sh"]
)
def test_a_script_whose_interpreter_is_there_is_let_go(line: bytes) -> None:
    assert starting(line + b"\necho\n") == []


def test_a_script_must_be_one_that_can_be_started() -> None:
    at = "/app/src/run.sh"
    assert starting(b"#!/bin/sh\n", 0o644) == [f"{at} may not be executed"]
    for line in (b"/usr/bin/fish", b"/usr/bin/README"):
        name = line.decode()
        assert starting(b"#!" + line + b" -x\n") == [
            f"{at} begins with #!{name} -x: the image has no {name} that can be executed"
        ]
    (told,) = starting(b"#!/bin/sh\r\necho\r\n")
    assert told.startswith(f"{at} begins with #!/bin/sh and the line end of Windows")
    assert starting(b"echo\n") == [f"{at} does not say by a first line with #! what reads it"]


def test_what_env_is_to_find_is_looked_for_on_the_path() -> None:
    with_env = FileIndex.of_nodes({**BASE.files, "usr/bin/env": 0o755})
    assert starting(b"#!/usr/bin/env python\n")[0].endswith("no /usr/bin/env that can be executed")
    assert starting(b"#!/usr/bin/env python\n", index=with_env) == []
    assert starting(b"#!/usr/bin/env -S fish -c\n", index=with_env)[0].endswith(
        "no fish that can be executed"
    )


def test_only_the_command_itself_is_read() -> None:
    assert starting(b"#!/usr/bin/fish\n", Cmd=["/bin/sh", "-c", "/app/src/run.sh"]) == []
    assert starting(b"#!/usr/bin/fish\n", Cmd=["/app/.venv/bin/python"]) == []
