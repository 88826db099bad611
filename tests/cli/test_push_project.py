"""``push`` of a project: what is built goes to the registry while the rest is built."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.cli.conftest import Place
from tests.cli.running import wait_until_gone
from tests.command import builder
from tests.registry import Registry
from tests.registry_client.serving import Handler, Server, running

pytestmark = pytest.mark.engine

_PATIENCE = 30.0
_HANGS = 60.0
_ONE_BLOB = ["POST uploads", "PUT uploads"]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as started:
        yield started


def push(place: Place, *arguments: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    return builder("push", place.project, *arguments, env=place.environ, cwd=place.out, code=code)


def asked(registry: Registry) -> list[str]:
    kinds = ("manifests", "uploads", "blobs")
    return [
        f"{request.method} {next(kind for kind in kinds if f'/{kind}' in request.path)}"
        for request in registry.requests()
    ]


def test_what_is_asked(place: Place, registry: Registry) -> None:
    """Nothing changed: one question. A source edit: one blob, the config and the manifest."""
    name = f"{registry.host}/asked/app:1"
    push(place, name)
    before = len(asked(registry))
    push(place, name)
    assert asked(registry)[before:] == ["HEAD manifests"]

    (place.project / "src/demo/__init__.py").write_text("EDITED = True\n")
    before = len(asked(registry))
    told = json.loads(push(place, name, "--json").stdout)
    [repository] = told["repositories"]
    assert [len(repository["layers"][what]) for what in ("sent", "mounted")] == [2, 0]
    got = asked(registry)[before:]
    assert got[:2] == ["HEAD manifests", "GET manifests"]
    # The layer's may still be under way when the config's begin.
    assert sorted(got[2:-1]) == sorted([*_ONE_BLOB, *_ONE_BLOB])
    assert got[-1] == "PUT manifests"


def test_what_is_said(place: Place, registry: Registry) -> None:
    done = push(place, f"{registry.host}/said/app:1", f"{registry.host}/said/other:1")
    lines = place.plain(done.stderr).splitlines()
    told = [line for line in lines if registry.host in line]
    assert [line.partition(": ")[0] for line in told] == [
        f"{registry.host}/said/{name}" for name in ("app", "other")
    ]
    assert told[0].endswith(", 0 mounted, 0 there already")
    assert "0 blobs sent" in told[1]
    assert lines[-1].startswith("push ")


def test_a_dry_run_builds_and_only_asks(place: Place, registry: Registry) -> None:
    before = len(asked(registry))
    push(place, f"{registry.host}/dry/app:1", "--dry-run")
    assert set(asked(registry)[before:]) == {"HEAD manifests", "HEAD blobs"}


@dataclass(slots=True)
class Hanging:
    """A registry that has nothing, and falls silent when it is sent something."""

    host: str = ""
    fell_silent: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hanging() -> Iterator[Hanging]:
    found = Hanging()

    class Silent(Handler):
        def do_HEAD(self) -> None:  # noqa: N802 - the names that the base class looks for
            self.answer(404, {}, b"")

        def do_POST(self) -> None:  # noqa: N802
            found.fell_silent.set()
            self.stall(_HANGS)
            self.close_connection = True

    server = Server(Silent, None)
    found.host = server.host
    with running(server):
        yield found


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "cancel"])
def test_interrupted_while_a_layer_goes_ahead(
    place: Place, tmp_path: Path, number: signal.Signals
) -> None:
    with hanging() as registry:
        command = [sys.executable, "-m", "builder", "push", str(place.project)]
        with (tmp_path / "stderr").open("wb") as said:
            process = subprocess.Popen(
                [*command, f"{registry.host}/app:1"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
                env={**os.environ, **place.environ},
                cwd=place.out,
                text=True,
                start_new_session=True,
            )
        try:
            assert registry.fell_silent.wait(_PATIENCE)
            os.killpg(process.pid, number)
            out, _ = process.communicate(timeout=_PATIENCE)
        finally:
            process.kill()
            process.communicate()
        wait_until_gone(place)
    assert (process.returncode, out) == (130, "")
    lines = (tmp_path / "stderr").read_text().splitlines()
    assert lines[-1] == "interrupted"
    assert "Traceback" not in " ".join(lines)


def test_a_build_that_fails_says_why_whatever_the_registry_does(place: Place) -> None:
    place.replace('cmd = ["python", "-m", "demo"]', 'app = "demo.main:app"')
    with hanging() as registry:
        done = push(place, f"{registry.host}/app:1", code=1)
    assert done.stdout == ""
    assert "error: " in done.stderr
    assert "the image would run uvicorn" in done.stderr
    assert registry.fell_silent.is_set()
    assert registry.host not in done.stderr


def test_what_a_check_refuses_is_not_in_the_registry(place: Place, registry: Registry) -> None:
    # Put together here, or whoever searches this repository would find it.
    token = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
    (place.project / "src/demo/__init__.py").write_text(f"TOKEN = '{token}'\n")
    place.append('\n[tool.builder.checks]\nwarn = ["secret"]\n')
    image = json.loads(place.build("--json").stdout)
    digests = {layer["name"]: layer["digest"] for layer in image["layers"]}
    place.replace('\n[tool.builder.checks]\nwarn = ["secret"]\n', "")
    done = push(place, f"{registry.host}/refused/app:1", code=1)
    assert "holds a GitHub token" in done.stderr
    assert registry.read("refused/app", "manifests/1") is None
    assert registry.read("refused/app", f"blobs/{digests['project']}") is None
