"""The image at work."""

import json
import re
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
import uv

from tests.cache import REPOSITORY
from tests.command import builder
from tests.e2e.conftest import TAG, Built
from tests.e2e.test_formats import run
from tests.interpreter import world_python
from tests.machine import RootlessUser, run_as
from tests.registry import Registry

pytestmark = [pytest.mark.engine, pytest.mark.index, pytest.mark.usefixtures("built")]


@pytest.fixture(scope="module")
def container(built: Built) -> Iterator[str]:
    """The image as `podman run -p` starts it, by the container's id."""
    image = f"{TAG.rpartition(':')[0]}@{built.image.digest}"
    identity = run("podman", "run", "--detach", "--publish", "127.0.0.1::8000", image).strip()
    yield identity
    subprocess.run(["podman", "rm", "--force", identity], capture_output=True, check=False)


def test_the_published_port_answers_health(container: str) -> None:
    address = run("podman", "port", container, "8000/tcp").strip()
    for _ in range(200):
        try:
            with urllib.request.urlopen(f"http://{address}/health", timeout=5) as answer:
                assert answer.status == 200
                assert json.load(answer) == {"status": "ok"}
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(run("podman", "logs", container))


def test_whoami_is_app(container: str) -> None:
    assert run("podman", "exec", container, "whoami") == "app\n"


def test_the_installed_distributions_agree_with_each_other() -> None:
    mount = f"{uv.find_uv_bin()}:/uv:ro"
    check = ["/uv", "pip", "check", "--no-cache", "--python", "/app/.venv/bin/python"]
    done = subprocess.run(
        ["podman", "run", "--rm", "--network=none", "--volume", mount, TAG, *check],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "compatible" in done.stderr


@pytest.mark.parametrize("script", ["uvicorn", "dotenv", "watchfiles"])
def test_console_scripts_need_no_shell(script: str, tmp_path: Path) -> None:
    hidden = f"{tmp_path}:/usr/bin:ro"
    command = ["podman", "run", "--rm", "--network=none", "--volume", hidden]
    assert subprocess.run([*command, TAG, "sh"], capture_output=True, check=False).returncode == 127
    run(*command, "--entrypoint", f"/app/.venv/bin/{script}", TAG, "--version")


def test_the_shipped_bytecode_is_used() -> None:
    command = ["python", "-v", "-c", "import second_brain.main, uvicorn.main"]
    done = subprocess.run(
        ["podman", "run", "--rm", "--network=none", "--read-only", TAG, *command],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    taken = re.findall(r"# code object from '(/app/\S+)'", done.stderr)
    assert len(taken) > 200
    assert [path for path in taken if not path.endswith(".pyc")] == []


def test_the_test_command_proves_health_user_port_and_stop() -> None:
    before = run("podman", "ps", "--all", "--quiet")
    done = builder("test", TAG, "--project", REPOSITORY / "backend", "--json")
    report = json.loads(done.stdout)
    assert [proof["name"] for proof in report["proofs"]] == [
        "health",
        "user",
        "account",
        "port",
        "stop",
    ]
    assert run("podman", "ps", "--all", "--quiet") == before


def test_an_ordinary_user_builds_loads_and_tests(
    built: Built, registry_with_base: Registry, rootless_user: RootlessUser
) -> None:
    folder = rootless_user.folder()
    copied = folder / "backend"
    subprocess.run(["cp", "-r", REPOSITORY / "backend", copied], check=True)
    subprocess.run(["chown", "-R", str(rootless_user.uid), copied], check=True)
    environ = {
        "XDG_CACHE_HOME": str(folder / "cache"),
        "BUILDER_BASE_MIRROR": registry_with_base.url,
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    name = "localhost/rootless-e2e:1.0"
    command = [str(world_python()), "-m", "builder", "build", str(copied), "--tag", name, "--test"]
    try:
        done = run_as(rootless_user, command, env=environ)
        assert done.stdout == f"{name}@{built.image.digest}\n"
        assert "account: " in done.stderr
    finally:
        run_as(rootless_user, ["podman", "rmi", "--force", name], check=False)
        subprocess.run(["rm", "-rf", folder], check=True)
