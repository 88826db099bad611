"""``test`` and ``build --test`` with real containers."""

import json
import shutil
import socket
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.cli.conftest import Place, make_place, reference
from tests.command import builder
from tests.project.projects import lock, write_project
from tests.standin import TAG

pytestmark = pytest.mark.engine

# A stand-in for uvicorn, under its name: imports the app as it does, and tells MODE and TOKEN.
SERVER = """\
import http.server, importlib, json, os, signal, sys

def main():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    module, _, name = sys.argv[1].partition(":")
    app = getattr(importlib.import_module(module), name)
    print("TOKEN is", os.environ.get("TOKEN"), flush=True)
    class Handler(http.server.BaseHTTPRequestHandler):
        def log_message(self, *_): pass
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps({"status": os.environ.get("STATUS", app)}).encode())
    http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
TABLES = """\
[project.scripts]
uvicorn = "demo.server:main"

[build-system]
requires = ["uv_build"]
build-backend = "uv_build"

[tool.builder]
app = "demo.main:app"
tags = ["localhost/builder-cli-served:1"]
"""
NAME = "localhost/builder-cli-served:1"
LABELLED = ("ps", "--all", "--quiet", "--filter", f"label=io.image-builder.health-test={NAME}")


@pytest.fixture(scope="module")
def served(standin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A project that serves; its image is in podman after the first test."""
    files = {"src/demo/server.py": SERVER, "src/demo/main.py": 'app = "ok"\n'}
    project = write_project(tmp_path_factory.mktemp("served") / "p", files, tables=TABLES)
    lock(project)
    yield make_place(tmp_path_factory.mktemp("place"), f"oci:{standin}:{TAG}", project)
    subprocess.run(["podman", "rmi", "--force", NAME], check=False, capture_output=True)


@pytest.fixture(scope="module", autouse=True)
def image(served: Place, uv_cache: Path) -> str:
    """Its name, once it is there."""
    environ = {**served.environ, "UV_OFFLINE": "1", "UV_CACHE_DIR": str(uv_cache)}
    return reference(replace(served, environ=environ).build("--load"))


@pytest.fixture(autouse=True)
def no_container_is_left() -> Iterator[None]:
    yield
    done = subprocess.run(["podman", *LABELLED], capture_output=True, text=True, check=True)
    assert done.stdout == ""


def test_a_project_proves_itself(served: Place, image: str) -> None:
    done = served.build("--test", "--env", "TOKEN=hunter2", "--json")
    result = json.loads(done.stdout)
    assert result["references"] == [image]
    proofs = [proof["name"] for proof in result["health"]["proofs"]]
    assert proofs == ["health", "user", "account", "port", "stop"]
    assert [line.partition(":")[0] for line in done.stderr.splitlines()[-5:]] == [
        f"  {name}" for name in proofs
    ]
    assert "hunter2" not in done.stderr + done.stdout


def test_without_a_project(tmp_path: Path) -> None:
    done = builder("test", NAME, cwd=tmp_path)
    assert done.stdout == ""
    assert done.stderr.startswith("health ")
    report = json.loads(builder("test", NAME, "--json", cwd=tmp_path).stdout)
    assert set(report) == {"healthy_seconds", "stop_seconds", "proofs"}


def test_a_pyproject_of_something_else_is_let_be(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.ruff]\nline-length = 100\n")
    assert builder("test", NAME, cwd=tmp_path).stderr.startswith("health ")
    # Named, it has to be a project's.
    done = builder("test", NAME, "--project", ".", cwd=tmp_path, code=2)
    assert "project.name is missing" in done.stderr
    (tmp_path / "pyproject.toml").write_text("[tool.builder]\nports = [9]\n")
    assert "project.name is missing" in builder("test", NAME, cwd=tmp_path, code=2).stderr


def test_the_environment_counts_without_a_project(tmp_path: Path) -> None:
    done = builder("test", NAME, "--timeout", "1", env={"BUILDER_PORTS": "9"}, cwd=tmp_path, code=1)
    assert "within 1 s: /health on port 9: " in done.stderr


def test_env_reaches_the_container_and_its_log_is_shown(served: Place) -> None:
    arguments = ["--project", str(served.project), "--timeout", "3"]
    told = ["--env", "STATUS=sick", "--env", "TOKEN=a=b"]
    done = builder("test", NAME, *arguments, *told, code=1)
    assert done.stdout == ""
    assert done.stderr == (
        f"error: {NAME} did not become healthy within 3 s: /health on port 8000: it answers "
        '{"status": "sick"}; expected {"status": "ok"}\n'
        "The end of its log:\n"
        "  TOKEN is a=b\n"
        "hint: [tool.builder.health] says what is asked, and what the answer has to be\n"
    )


def test_an_app_that_fails_at_its_import(served: Place, tmp_path: Path) -> None:
    place = make_place(tmp_path, served.environ["BUILDER_BASE"], served.project)
    shutil.copytree(served.store, place.store)
    (place.project / "src/demo/main.py").write_text("import nonesuch\n")
    tag = "localhost/builder-cli-failing:1"
    try:
        done = place.build("--test", "--tag", tag, code=1)
        assert done.stdout == ""
        error = done.stderr[done.stderr.index("error: ") :].splitlines()
        assert error[:2] == [
            f"error: {tag} did not become healthy: its container ended with exit code 1",
            "The end of its log:",
        ]
        assert error[-1] == "  ModuleNotFoundError: No module named 'nonesuch'"
        assert "builder/" not in "\n".join(error)
    finally:
        subprocess.run(["podman", "rmi", "--force", tag], check=False, capture_output=True)
    assert place.leftovers() == []


def test_the_port_is_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = builder("test", NAME, "--publish", str(port), code=3)
    assert done.stdout == ""
    error, hint = done.stderr.splitlines()
    assert error.startswith(
        f"error: podman cannot publish port 8000 of {NAME} on 127.0.0.1:{port}: "
        "the port is in use. podman says: "
    )
    assert hint == "hint: choose another port, or none: a free one is found then"
    assert builder("test", NAME, "--publish", str(port)).stderr.startswith("health ")


def test_an_image_that_podman_does_not_have() -> None:
    done = builder("test", "localhost/none:1", code=3)
    assert (done.stdout, done.stderr) == (
        "",
        (
            "error: podman cannot give the image localhost/none:1: Error: inspecting object: "
            "localhost/none:1: image not known\nhint: podman images lists what there is\n"
        ),
    )


def test_no_project_where_one_is_named(tmp_path: Path) -> None:
    done = builder("test", NAME, "--project", tmp_path, code=2)
    assert done.stderr.startswith(f"error: no pyproject.toml in {tmp_path}\n")
