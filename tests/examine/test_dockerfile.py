"""An image as a Dockerfile makes it, with its usual faults, on a base of real Debian packages."""

import json
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import uv

from tests.checks.leaks.secret_samples import GITHUB, PEM
from tests.command import builder
from tests.standin import TAG
from tests.wheels import write_wheel

pytestmark = pytest.mark.engine

_DOCKERFILE = """\
ARG BASE
FROM ${BASE}
ARG GITHUB_TOKEN
WORKDIR /app
COPY . .
RUN /uv/uv pip install --quiet --offline --no-cache --system wheels/*.whl && rm .env
RUN rm -r certs
RUN /uv/uv venv --quiet --offline --no-cache venv && cp --preserve=mode /usr/bin/passwd /app/passwd
CMD ["python3", "main.py"]
"""
_FILES = {
    "Dockerfile": _DOCKERFILE,
    "main.py": "print('here')\n",
    ".env": "DATABASE_URL=postgres://localhost/app\n",
    ".git/HEAD": "ref: refs/heads/main\n",
    ".git/config": "[core]\n",
    "certs/server.key": PEM.decode(),
}


@dataclass(frozen=True, slots=True)
class Buildah:
    """With images of its own."""

    home: Path

    def __call__(self, *arguments: str | Path) -> None:
        storage = (
            "--storage-driver=overlay",
            f"--root={self.home}/root",
            f"--runroot={self.home}/run",
        )
        subprocess.run(["buildah", *storage, *arguments], check=True, capture_output=True)


@pytest.fixture(scope="module")
def layout(tmp_path_factory: pytest.TempPathFactory, standin: Path) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("dockerfile")
    context = home / "context"
    for name, text in _FILES.items():
        (context / name).parent.mkdir(parents=True, exist_ok=True)
        (context / name).write_text(text)
    write_wheel(context / "wheels", "other", files={"other/__init__.py": b"", "other/a.pem": PEM})
    buildah = Buildah(home / "buildah")
    build = ("build", "--quiet", "--layers", "--isolation=chroot", "--network=host", "--tag=bad")
    arguments = (f"--build-arg=BASE=oci:{standin}:{TAG}", f"--build-arg=GITHUB_TOKEN={GITHUB}")
    programs = Path(uv.find_uv_bin()).parent
    buildah(*build, *arguments, f"--volume={programs}:/uv:ro", context)
    buildah("push", "--quiet", "bad", f"oci:{home}/layout:1")
    yield home / "layout"
    buildah("rm", "--all")
    buildah("rmi", "--all", "--force")


def told(layout: Path, store: Path, code: int) -> Mapping[str, Any]:
    env = {"BUILDER_STORE": str(store), "HOME": str(store)}
    done = builder("check", f"oci:{layout}", "--json", env=env, code=code)
    assert GITHUB not in f"{done.stdout}{done.stderr}"
    [platform] = json.loads(done.stdout)["platforms"]
    found: Mapping[str, Any] = platform
    return found


def test_its_faults_are_found_and_nothing_else(layout: Path, tmp_path: Path) -> None:
    found = told(layout, tmp_path / "store", 1)
    errors = {(each["check"], each["path"]): each["message"] for each in found["errors"]}
    assert errors.keys() == {
        ("junk", "/app/.git"),
        ("secret", "/app/.env"),
        ("secret", "/app/certs/server.key"),
        ("secret-in-env", None),
        # The same program where Debian has it is Debian's.
        ("setuid", "/app/passwd"),
    }
    assert "a later layer hides the file" in errors["secret", "/app/.env"]
    assert "a later layer hides the file" in errors["secret", "/app/certs/server.key"]
    assert "GITHUB_TOKEN" in errors["secret-in-env", None]
    warnings = {(each["check"], each["distribution"]) for each in found["warnings"]}
    assert warnings == {("root-user", None), ("secret", "other 1.0")}


def test_of_the_base_alone_only_its_user_is_told(standin: Path, tmp_path: Path) -> None:
    found = told(standin, tmp_path / "store", 0)
    assert [each["check"] for each in found["warnings"]] == ["root-user"]
