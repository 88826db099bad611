"""Loading into engines: names, digests, and what a refusal reads like."""

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from builder.destinations.archives import DockerArchiveDestination, OciArchiveDestination
from builder.destinations.docker import DockerDestination
from builder.destinations.layout import LayoutDestination
from builder.destinations.podman import PodmanDestination
from builder.engine import engine_hint, podman_available
from builder.errors import EngineError
from builder.oci.reference import Reference
from builder.process import Completed, run
from tests.destinations import readers
from tests.destinations.conftest import Images
from tests.destinations.readers import output_of
from tests.destinations.runners import FakeRun

NAMES = [Reference.parse("builder-tests/engine:1.0"), Reference.parse("ghcr.io/builder-tests/x:2")]


@pytest.fixture
def loaded(images: Images) -> Iterator[Images]:
    yield images
    for image in (images.first, images.second):
        run(["podman", "rmi", "--force", image.config.digest.hex])


@pytest.mark.engine
def test_podman_load_names_an_oci_archive_right(loaded: Images, tmp_path: Path) -> None:
    OciArchiveDestination(label="o", file=tmp_path / "app.tar").put(loaded.first, NAMES)
    output_of("podman", "load", "--quiet", "--input", tmp_path / "app.tar")
    assert readers.podman("localhost/builder-tests/engine:1.0").digest == str(loaded.first.digest)


@pytest.mark.engine
def test_podman_load_names_a_docker_archive_right(loaded: Images, tmp_path: Path) -> None:
    DockerArchiveDestination(label="d", file=tmp_path / "app.tar").put(loaded.first, NAMES)
    output_of("podman", "load", "--quiet", "--input", tmp_path / "app.tar")
    # podman converts the config on the way, so the id is another one.
    found = readers.podman("localhost/builder-tests/engine:1.0")
    assert found.diff_ids == [str(layer.diff_id) for layer in loaded.first.layers]
    assert found == readers.podman("ghcr.io/builder-tests/x:2")
    output_of("podman", "rmi", "--force", found.config)


@pytest.mark.engine
def test_umoci_unpacks_a_layout(images: Images, tmp_path: Path) -> None:
    LayoutDestination(label="l", directory=tmp_path / "layout").put(images.first, NAMES)
    bundle = tmp_path / "bundle"
    output_of("umoci", "unpack", "--rootless", "--image", f"{tmp_path}/layout:1.0", bundle)
    assert (bundle / "rootfs" / "app" / "version").read_bytes().endswith(b" 1")


@pytest.mark.engine
def test_podman_pulls_from_a_layout(loaded: Images, tmp_path: Path) -> None:
    LayoutDestination(label="l", directory=tmp_path / "layout").put(loaded.first, NAMES)
    pulled = output_of("podman", "pull", "--quiet", f"oci:{tmp_path}/layout:1.0")
    assert readers.podman(pulled).digest == str(loaded.first.digest)


def _nothing_installed(argv: Sequence[str], **_: object) -> Completed:
    raise FileNotFoundError(argv[0])


@pytest.mark.parametrize("kind", [PodmanDestination, DockerDestination])
def test_an_engine_that_is_not_installed(
    kind: type[PodmanDestination | DockerDestination], images: Images
) -> None:
    with pytest.raises(EngineError, match="is not installed, or not on PATH") as caught:
        kind(store=images.store, run=_nothing_installed).put(images.first, NAMES)
    assert "oci-archive:" in (caught.value.hint or "")


def _layers(images: Images) -> str:
    return json.dumps([str(layer.diff_id) for layer in images.first.layers])


def test_docker_is_given_an_archive(images: Images) -> None:
    fake = FakeRun((0, "24.0"), (0, ""), (0, _layers(images)), (0, _layers(images)))
    said = DockerDestination(store=images.store, run=fake).put(images.first, NAMES)
    assert said == "loaded as localhost/builder-tests/engine:1.0, ghcr.io/builder-tests/x:2"
    assert fake.asked[1][:4] == ["docker", "load", "--quiet", "--input"]
    assert list(images.store.root.glob(".docker-*")) == []


def test_docker_that_has_other_layers(images: Images) -> None:
    fake = FakeRun((0, "24.0"), (0, ""), (0, '["sha256:abc"]'))
    with pytest.raises(EngineError, match="docker has other layers under"):
        DockerDestination(store=images.store, run=fake).put(images.first, NAMES)


def test_docker_without_its_daemon(images: Images) -> None:
    words = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock."
    with pytest.raises(EngineError, match="Cannot connect") as caught:
        DockerDestination(store=images.store, run=FakeRun((1, words))).put(images.first, NAMES)
    assert caught.value.hint == "may this user use the engine, and does its service run?"


@pytest.mark.parametrize(
    ("words", "part"),
    [
        ("write /x/layer.tar: no space left on device", "podman image prune"),
        ("potentially insufficient UIDs or GIDs available in user namespace", "/etc/subuid"),
        ("cannot clone: Operation not permitted", "user namespaces are forbidden"),
        ("runc create failed: error setting rlimit type 7", "CONTAINERS_CONF"),
        ("crun: cgroups in hybrid mode not supported", "CONTAINERS_CONF"),
    ],
)
def test_common_refusals_come_with_a_hint(words: str, part: str) -> None:
    assert part in (engine_hint(words) or "")


def test_an_unknown_refusal_has_no_hint() -> None:
    assert engine_hint("teapot") is None


def test_podman_is_looked_for_on_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not podman_available()
    (tmp_path / "podman").write_text("#!/bin/sh\n")
    (tmp_path / "podman").chmod(0o755)
    assert podman_available()
    assert subprocess.run([tmp_path / "podman"], check=False).returncode == 0
