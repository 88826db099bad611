"""What is data and what is talk; what a terminal sees; what is loaded to say it."""

import json
import os
import pty
import re
import subprocess
import sys
import tomllib

from tests.cache import REPOSITORY
from tests.cli.conftest import MINOR, Place, reference
from tests.command import builder
from tests.project.projects import snapshot

STEPS = (
    f"settings T s  demo 1.0\nbase T s  BASE@sha256:X, Python {MINOR}, glibc 2.36\n"
    "uv sync --frozen --no-dev T s  0 of 0 distributions\n"
    "dependencies T s  N B\n"
    "project T s  N B\n"
    "created is 1970-01-01T00:00:00Z (the epoch: no git commit here)\n"
    "checks T s  6 files, nothing found\n"
    "config and manifest T s  sha256:X\n"
    "store T s  STORE, N B in all\n"
)


def test_a_build_in_a_pipe_is_plain_lines(place: Place) -> None:
    done = place.build()
    assert reference(done).startswith("localhost/demo:latest@sha256:")
    assert place.plain(done.stderr) == STEPS
    assert "\033" not in done.stderr
    assert "\r" not in done.stderr
    assert place.leftovers() == []
    assert place.written() == []


def test_one_line_for_each_tag(place: Place) -> None:
    tags = ["--tag", "one:1", "--tag", "registry.example.com/team/two:2"]
    done = place.build(*tags)
    digest = done.stdout.split()[0].partition("@")[2]
    assert done.stdout == (f"localhost/one:1@{digest}\nregistry.example.com/team/two:2@{digest}\n")
    assert place.plain(done.stderr) == STEPS


def test_json_and_the_metadata_file_say_the_same(place: Place) -> None:
    done = place.build("--json", "--metadata-file", "deep/build.json", "--output", "oci:layout")
    result = json.loads(done.stdout)
    assert (place.out / "deep/build.json").read_text() == done.stdout
    assert [path.name for path in (place.out / "deep").iterdir()] == ["build.json"]
    assert list(result) == [
        "digest",
        "references",
        "platform",
        "size",
        "base",
        "key",
        "layers",
        "destinations",
    ]
    assert result["references"] == [f"localhost/demo:latest@{result['digest']}"]
    assert [layer["name"] for layer in result["layers"]] == [
        "base",
        "account",
        "dependencies",
        "project",
    ]
    assert list(result["destinations"]) == ["oci:layout"]
    silent = place.build("--metadata-file", "build.json")
    assert reference(silent) == result["references"][0]


def test_a_dry_run_prints_the_plan_and_builds_nothing(place: Place) -> None:
    arguments = ["--dry-run", "--output", "oci:layout", "--tag", "x:1", "--metadata-file", "m"]
    done = place.build(*arguments)
    plan = json.loads(done.stdout)
    assert plan["names"] == ["localhost/x:1"]
    assert plan["destinations"] == ["oci:layout"]
    assert place.plain(done.stderr) == "".join(STEPS.splitlines(keepends=True)[:2])
    assert place.written() == []
    index = json.loads((place.store / "index.json").read_text())
    assert index["manifests"] == []
    before = snapshot(place.store)
    assert place.build(*arguments).stdout == done.stdout
    assert snapshot(place.store) == before
    assert json.loads(place.build("--json").stdout)["key"] == plan["key"]


def _on_terminal(place: Place, *arguments: str) -> str:
    """What a terminal on stderr is sent."""
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "builder", "build", place.project, "--no-load", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=theirs,
        env=os.environ | place.environ,
    ) as process:
        os.close(theirs)
        sent = b""
        while True:
            try:
                data = os.read(ours, 1 << 16)
            except OSError:  # the other side has been closed
                break
            if not data:
                break
            sent += data
        process.wait()
    os.close(ours)
    return sent.decode().replace("\r\n", "\n")


def test_a_terminal_shows_the_step_under_way_and_clears_it(place: Place) -> None:
    sent = _on_terminal(place)
    for step in ("settings", "uv sync --frozen --no-dev", "dependencies", "store"):
        assert re.search(rf"{step} \.\.\.\r\033\[K{step} ", sent)
    assert place.plain(_as_shown(sent)) == STEPS


def test_an_error_takes_the_place_of_the_step_under_way(place: Place) -> None:
    sent = _on_terminal(place, "--base", "oci:/nonexistent")
    assert "base ...\r\033[Kerror: base oci:/nonexistent" in sent
    assert "base ..." not in _as_shown(sent)


def _as_shown(sent: str) -> str:
    return re.sub(r"[^\n]*\r\033\[K", "", sent)


def test_a_bug_is_shown_and_a_report_is_asked_for(place: Place) -> None:
    program = (
        "import sys, builder.cli, builder.cli.build as build\n"
        "def broken(*_, **__): raise AssertionError('the impossible')\n"
        "build.plan_builds = broken\n"
        f"sys.argv[1:] = ['build', {str(place.project)!r}, '--no-load']\n"
        "builder.cli.run()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | place.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, "")
    version = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]["version"]
    first, second, *middle, reason, error, hint = done.stderr.splitlines()
    assert first.startswith("settings ")
    assert second == "Traceback (most recent call last):"
    assert "builder/cli/build.py" in "\n".join(middle)
    assert reason == "AssertionError: the impossible"
    assert error == (
        f"error: this is a bug in the builder (image-builder {version}, "
        f"Python {sys.version.split()[0]})"
    )
    assert hint == (
        "hint: please report it, with the lines above; nothing is wrong with your project"
    )
    assert place.leftovers() == []


def test_the_version() -> None:
    assert re.fullmatch(r"builder \d+\.\d+\.\d+\S*\n", builder("--version").stdout)
