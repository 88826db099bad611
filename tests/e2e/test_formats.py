"""Independent tools read what was written, and podman runs it from everywhere."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.conftest import TAG, Built

pytestmark = [pytest.mark.engine, pytest.mark.index]

FORMS = ("oci:{}/layout:1.0", "oci-archive:{}/oci.tar", "docker-archive:{}/docker.tar")
PRESERVING = FORMS[:2]
"""Those that keep the manifest as it is; docker save's format has none."""


def run(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


@pytest.mark.parametrize("form", FORMS)
def test_skopeo_inspects_it(form: str, built: Built) -> None:
    told = json.loads(run("skopeo", "inspect", form.format(built.folder)))
    assert told["Architecture"] == built.image.config.value.platform.architecture
    assert len(told["Layers"]) == len(built.image.layers)
    assert told["Labels"]["org.opencontainers.image.title"] == "second-brain"


@pytest.mark.parametrize("form", PRESERVING)
def test_skopeo_sees_our_digest(form: str, built: Built) -> None:
    raw = run("skopeo", "inspect", "--raw", form.format(built.folder))
    assert raw.encode() == built.image.manifest.raw


@pytest.mark.parametrize("form", FORMS)
def test_skopeo_copies_it(form: str, built: Built, tmp_path: Path) -> None:
    run("skopeo", "copy", "--quiet", form.format(built.folder), f"dir:{tmp_path}/copy")
    assert (tmp_path / "copy" / "manifest.json").exists()


def test_umoci_unpacks_it(built: Built, tmp_path: Path) -> None:
    run("umoci", "unpack", "--image", f"{built.folder}/layout:1.0", str(tmp_path / "bundle"))
    root = tmp_path / "bundle" / "rootfs"
    assert (root / "app/src/second_brain/main.py").is_file()
    assert (root / "app").stat().st_uid == 1001
    assert (root / "lib").is_symlink()
    config = json.loads((tmp_path / "bundle/config.json").read_text())
    assert config["process"]["user"] == {"uid": 1001, "gid": 1001}


@pytest.fixture(params=FORMS, ids=lambda form: form.partition(":")[0])
def loaded(request: pytest.FixtureRequest, built: Built) -> Iterator[str]:
    """The image, pulled by podman from one of the forms, by its id."""
    identity = run("podman", "pull", "--quiet", request.param.format(built.folder)).split()[-1]
    yield identity
    # TAG stays: the other tests run it.
    names = json.loads(run("podman", "image", "inspect", identity))[0]["RepoTags"]
    for name in set(names) - {TAG}:
        run("podman", "untag", identity, name)


def test_podman_runs_it(loaded: str) -> None:
    program = "import second_brain.main as m, getpass; print(m.app.title, getpass.getuser())"
    said = run("podman", "run", "--rm", "--network", "none", loaded, "python", "-c", program)
    assert said.split()[-1] == "app"


def test_podman_reports_our_digest(built: Built) -> None:
    told = run("podman", "image", "inspect", "--format", "{{.Digest}}", TAG)
    assert told.strip() == str(built.image.digest)
