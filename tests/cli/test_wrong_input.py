"""What the user got wrong: in the project, in the settings, on the command line."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import MINOR, Place, make_place, reference
from tests.command import builder
from tests.project.projects import lock, write_project

SETTINGS = "settings T s  demo 1.0\n"
BASE = f"base T s  BASE@sha256:X, Python {MINOR}, glibc 2.36\n"
LOCK = "hint: an image is built from a lock; make one: uv lock --project PROJECT\n"
EPOCH = "created is 1970-01-01T00:00:00Z (the epoch: no git commit here)\n"


def _relock(project: Path) -> None:
    (project / "uv.lock").unlink()
    lock(project)


def test_no_lock(place: Place) -> None:
    (place.project / "uv.lock").unlink()
    assert place.refused(code=1) == f"error: no uv.lock in PROJECT\n{LOCK}"


def test_a_stale_lock(place: Place) -> None:
    place.replace('version = "1.0"', 'version = "1.0"\noptional-dependencies.extra = ["demo"]')
    assert place.refused(code=1) == (
        f"{SETTINGS}{BASE}"
        "error: PROJECT/uv.lock does not fit pyproject.toml any more\n"
        "hint: bring it up to date: uv lock --project PROJECT\n"
    )
    _relock(place.project)
    reference(place.build())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{{{{", "Invalid statement (at line 1, column 1)"),
        ("\xff\xfe", "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"),
        ('[[package]]\nname = "x"\n', "'source'"),
    ],
)
def test_a_lock_that_uv_did_not_write(place: Place, content: str, reason: str) -> None:
    (place.project / "uv.lock").write_text(content, encoding="latin-1")
    assert place.refused(code=1) == (
        f"error: PROJECT/uv.lock is not a lock that uv wrote: {reason}\n"
        "hint: make it anew: rm PROJECT/uv.lock && uv lock --project PROJECT\n"
    )
    _relock(place.project)
    reference(place.build())


def test_a_lock_of_a_later_uv(place: Place) -> None:
    path = place.project / "uv.lock"
    path.write_text(path.read_text().replace("version = 1\n", "version = 99\n", 1))
    assert place.refused(code=1).startswith(
        f"{SETTINGS}{BASE}error: uv cannot check PROJECT/uv.lock:\n"
    )


def test_requires_another_python_than_the_base_has(place: Place) -> None:
    place.replace('">=3.12"', '">=3.99"')
    assert place.refused(code=2) == (
        f"{SETTINGS}{BASE}"
        "error: PROJECT/pyproject.toml: project.requires-python is '>=3.99', "
        f"the base BASE has Python {MINOR}\n"
        'hint: set [tool.builder] base, or --base, to an image with the right Python; now "BASE"\n'
    )


def test_pins_another_python_than_the_base_has(place: Place) -> None:
    (place.project / ".python-version").write_text("3.11\n")
    assert place.refused(code=2) == (
        f"{SETTINGS}{BASE}"
        f"error: PROJECT/.python-version asks for Python 3.11, the base BASE has Python {MINOR}\n"
        "hint: set [tool.builder] base, or --base, to an image with the right Python; "
        'now "BASE"; or change .python-version\n'
    )


def accepted(check: str) -> str:
    return (
        "hint: what is right all the same is accepted in [tool.builder.checks]: "
        f'accept = [{{ check = "{check}", reason = "..." }}]'
    )


def test_uvicorn_is_not_locked(place: Place) -> None:
    place.replace('cmd = ["python", "-m", "demo"]', 'app = "demo.main:app"')
    assert place.refused(code=1) == (
        f"{SETTINGS}{BASE}"
        "uv sync --frozen --no-dev T s  0 of 0 distributions\n"
        f"dependencies T s  N B\nproject T s  N B\n{EPOCH}"
        "checks T s  6 files, 1 error\n"
        "error: the image is not made: one thing is wrong with it\n"
        "  missing-command: the image would run uvicorn, which /app/.venv does not have\n"
        "    fix: uv add uvicorn, or choose another command: [tool.builder] cmd\n"
        f"{accepted('missing-command')}\n"
    )


def test_the_app_s_module_is_not_in_the_image(tmp_path: Path, base: str) -> None:
    tables = """
        [project.scripts]
        uvicorn = "demo:main"
        [build-system]
        requires = ["uv_build"]
        build-backend = "uv_build"
        [tool.builder]
        app = "dmeo.main:app"
    """
    project = write_project(tmp_path / "original", tables=tables)
    lock(project)
    place = make_place(tmp_path, base, project)
    said = place.refused(code=1)
    assert said.splitlines()[-4:] == [
        "error: the image is not made: one thing is wrong with it",
        (
            "  missing-module: the image would run dmeo.main:app, and has no module dmeo.main; "
            f"looked in /app/.venv/lib/python{MINOR}/site-packages, /app, /app/src"
        ),
        "    fix: correct [tool.builder] app, or see what .dockerignore leaves out",
        accepted("missing-module"),
    ]
    (place.project / "src/dmeo").mkdir()
    (place.project / "src/dmeo/main.py").touch()
    reference(place.build())


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (
            "cmd = ",
            "comand = ",
            (
                "error: PROJECT/pyproject.toml: tool.builder.comand is unknown\n"
                "hint: did you mean cmd?\n"
            ),
        ),
        (
            '["python", "-m", "demo"]',
            '"python -m demo"',
            (
                "error: PROJECT/pyproject.toml: tool.builder.cmd: got 'python -m demo'; expected a "
                'list of strings, such as ["python", "-m", "app"]\n'
            ),
        ),
        (
            'cmd = ["python", "-m", "demo"]',
            "",
            (
                f"{SETTINGS}{BASE}error: PROJECT/pyproject.toml: nothing says what the image runs\n"
                'hint: add [tool.builder] with app = "package.module:app", or cmd = ["..."]\n'
            ),
        ),
        (
            "[tool.builder]",
            "[tool.builder",
            (
                "error: PROJECT/pyproject.toml is not valid TOML: Expected ']' at the end of a "
                "table declaration (at line 10, column 14)\n"
            ),
        ),
        (
            'name = "demo"',
            "",
            (
                "error: PROJECT/pyproject.toml: project.name is missing\n"
                "hint: uv init makes a pyproject.toml that has one\n"
            ),
        ),
    ],
)
def test_wrong_settings(place: Place, old: str, new: str, said: str) -> None:
    place.replace(old, new)
    assert place.refused(code=2) == said


def test_a_wrong_value_names_the_place_it_stands_in(place: Place) -> None:
    assert place.refused(code=2, BUILDER_PULL="sometimes") == (
        "error: environment variable BUILDER_PULL: got 'sometimes'; "
        "expected one of missing, always, never\n"
    )
    assert place.refused("--pull", "sometimes", code=2) == (
        "error: --pull: got 'sometimes'; expected one of missing, always, never\n"
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (
            ["--tag", "Demo"],
            "error: --tag: got 'Demo'; a repository is written in lower case; write demo\n",
        ),
        (
            ["--tag", "two words"],
            (
                "error: --tag: got 'two words'; 'two words' is not a repository name; "
                "expected e.g. registry.example.com/team/app:1.0\n"
            ),
        ),
        (
            ["--base", "what is this?"],
            (
                f"{SETTINGS}error: base: not an image reference: 'what is this?': "
                "'what is this?' is not a repository name\n"
                "hint: expected e.g. registry.example.com/team/app:1.0; or one of oci:DIR[:TAG], "
                "oci-archive:FILE[:TAG], docker-archive:FILE[:NAME], containers-storage:NAME, "
                "apt:SUITE\n"
            ),
        ),
        (
            ["--base", "oci:"],
            f"{SETTINGS}error: the base 'oci:' names no image\nhint: write oci:DIR[:TAG]\n",
        ),
        (
            ["--base", "python", "--base-mirror", "ftp://x"],
            (
                f"{SETTINGS}error: not the address of a mirror: 'ftp://x'\n"
                "hint: expected e.g. https://mirror.example.com or http://127.0.0.1:5000/prefix\n"
            ),
        ),
        (
            ["--output", "quay:x"],
            (
                f"{SETTINGS}error: not a destination: 'quay:x'\n"
                "hint: expected one of: oci:DIR[:TAG], "
                "oci-archive:FILE, docker-archive:FILE, podman, docker\n"
            ),
        ),
        (
            ["--output", "app.tar"],
            (
                f"{SETTINGS}error: not a destination: 'app.tar'\n"
                "hint: did you mean oci-archive:app.tar?\n"
            ),
        ),
        (
            ["--test", "--no-load"],
            (
                "error: --test starts the image in podman, and --no-load keeps it from there\n"
                "hint: leave one of them out\n"
            ),
        ),
        (
            ["--test", "--dry-run"],
            (
                "error: --test needs an image, and --dry-run builds none\n"
                "hint: leave one of them out\n"
            ),
        ),
        (
            ["--env", "SECRET=1"],
            (
                "error: --env is for the container under test, and --test was not given\n"
                "hint: variables of the image itself stand in [tool.builder.env]\n"
            ),
        ),
        (["--test", "--env", "NAME"], "error: --env 'NAME': expected NAME=VALUE\n"),
        (["--test", "--env", "=hunter2"], "error: --env '': expected NAME=VALUE\n"),
    ],
    ids=lambda value: "_".join(value) if isinstance(value, list) else "",
)
def test_wrong_flags(place: Place, arguments: list[str], said: str) -> None:
    assert place.refused(*arguments, code=2) == said


def test_nothing_is_asked_of_a_registry_before_the_destinations_are_known(place: Place) -> None:
    said = place.refused("--base", "nowhere.invalid/x", "--output", "x", code=2)
    assert "asking" not in said


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (Path.mkdir, "error: no pyproject.toml in PROJECT/x\n"),
        (Path.touch, "error: no directory PROJECT/x\n"),
        (lambda _: None, "error: no directory PROJECT/x\n"),
    ],
)
def test_not_a_project(place: Place, make: Callable[[Path], None], said: str) -> None:
    make(place.project / "x")
    done = builder("build", place.project / "x", env=place.environ, code=2)
    assert done.stdout == ""
    assert place.plain(done.stderr) == (
        f"{said}hint: name the directory of a uv project: python -m builder build PROJECT\n"
    )


@pytest.mark.parametrize(
    ("arguments", "last"),
    [
        ([], "builder: error: the following arguments are required: COMMAND"),
        (["build", "--frobnicate"], "builder: error: unrecognized arguments: --frobnicate"),
        (["build", "--output"], "builder build: error: argument --output: expected one argument"),
        (
            ["test", "x", "--publish", "99999"],
            (
                "builder test: error: argument --publish: got '99999'; "
                "expected a port, from 1 to 65535"
            ),
        ),
        (
            ["test", "x", "--timeout", "0"],
            "builder test: error: argument --timeout: got '0'; expected a whole number of seconds",
        ),
    ],
)
def test_wrong_usage(arguments: list[str], last: str) -> None:
    done = builder(*arguments, code=2)
    assert done.stdout == ""
    assert done.stderr.splitlines()[-1] == last


def test_a_path_that_is_no_text(tmp_path: Path) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9"
    argv: list[str | bytes] = [sys.executable, "-m", "builder", "build", path]
    for encoding in ("utf-8", "ascii"):
        environ = {**os.environ, "PYTHONIOENCODING": encoding, "BUILDER_STORE": str(tmp_path / "s")}
        done = subprocess.run(argv, capture_output=True, env=environ, check=False)
        assert (done.returncode, done.stdout) == (2, b"")
        assert b"error: no directory" in done.stderr
        assert b"caf\\xe9" in done.stderr or b"caf\\udce9" in done.stderr
        assert b"Traceback" not in done.stderr
