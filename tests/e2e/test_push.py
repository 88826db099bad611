"""backend/ pushed to every kind of registry, and pulled by those who did not push it."""

import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import oras.client
import pytest

from tests.command import builder
from tests.e2e.conftest import Built
from tests.registry import SHAPES, Registry, Shape, serve_shape

pytestmark = [pytest.mark.engine, pytest.mark.index]


@dataclass(frozen=True, slots=True)
class Pushed:
    """One push of backend/ to a registry of its own."""

    registry: Registry
    reference: str
    environ: Mapping[str, str]
    result: Mapping[str, Any]
    stdout: str

    @property
    def podman_flags(self) -> list[str]:
        """How podman and skopeo are let in."""
        known = self.registry.credentials
        flags = [f"--creds={':'.join(known)}"] if known else []
        if certs := self.registry.certs_dir:
            return [*flags, f"--cert-dir={certs / self.registry.host}"]
        return [*flags, "--tls-verify=false"]


def run(*argv: str | Path) -> str:
    done = subprocess.run(list(map(str, argv)), capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv}\n{done.stdout}{done.stderr}"
    return done.stdout


def environ_of(registry: Registry) -> dict[str, str]:
    """What a CI runner would set."""
    environ: dict[str, str] = {}
    if registry.credentials:
        username, password = registry.credentials
        environ |= {"BUILDER_REGISTRY_USERNAME": username, "BUILDER_REGISTRY_PASSWORD": password}
    if registry.certs_dir:
        environ["BUILDER_REGISTRY_CERTS"] = str(registry.certs_dir)
    return environ


@pytest.fixture(scope="module", params=SHAPES)
def pushed(
    request: pytest.FixtureRequest,
    project: Path,
    built: Built,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Pushed]:
    shape: Shape = request.param
    folder = tmp_path_factory.mktemp("pushed")
    with serve_shape(shape, folder / "registry") as registry:
        reference = f"{registry.host}/team/second-brain:1.0"
        environ = {**built.environ, **environ_of(registry)}
        metadata = folder / "metadata.json"
        done = builder("push", project, reference, "--metadata-file", metadata, env=environ)
        yield Pushed(registry, reference, environ, json.loads(metadata.read_text()), done.stdout)


def test_it_says_what_it_pushed(pushed: Pushed, built: Built) -> None:
    digest = str(built.image.digest)
    assert pushed.stdout == f"{pushed.reference}@{digest}\n"
    assert pushed.result["digest"] == digest
    [repository] = pushed.result["repositories"]
    assert len(repository["layers"]["sent"]) == len(built.image.layers) + 1
    assert repository["bytes"] == sum(blob["size"] for blob in repository["layers"]["sent"])


def test_skopeo_sees_the_same_bytes(pushed: Pushed, built: Built) -> None:
    words = ("skopeo", "inspect", "--raw", *pushed.podman_flags, f"docker://{pushed.reference}")
    assert run(*words).encode() == built.image.manifest.raw


def test_podman_pulls_and_runs_it(pushed: Pushed, built: Built, project: Path) -> None:
    run("podman", "pull", "--quiet", *pushed.podman_flags, pushed.reference)
    try:
        digest = run("podman", "image", "inspect", "--format", "{{.Digest}}", pushed.reference)
        assert digest.strip() == str(built.image.digest)
        done = builder("test", pushed.reference, "--project", project, env=built.environ)
        assert "/health answers 200" in done.stderr
    finally:
        run("podman", "untag", pushed.reference, pushed.reference)


def test_oras_sees_the_same_manifest(
    pushed: Pushed, built: Built, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = pushed.registry
    # requests, which oras stands on, lets this variable win over what it is told.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    certs = registry.certs_dir / registry.host if registry.certs_dir else None
    client = oras.client.OrasClient(
        hostname=registry.host,
        insecure=certs is None,
        tls_verify=str(certs / "ca.crt") if certs else True,
        auth_backend="basic" if registry.credentials and not registry.tokens else "token",
    )
    if registry.credentials:
        client.auth.set_basic_auth(*registry.credentials)
    with client.session:
        if certs:
            client.session.cert = (str(certs / "client.cert"), str(certs / "client.key"))
        got = client.get_manifest(pushed.reference)
    assert got == json.loads(built.image.manifest.raw)


def test_again_sends_nothing(pushed: Pushed, project: Path) -> None:
    [repository] = push(pushed, project, pushed.reference)["repositories"]
    assert (repository["bytes"], repository["changed_tags"]) == (0, [])
    assert repository["layers"]["sent"] == repository["layers"]["mounted"] == []


def test_a_sibling_repository_mounts_everything(
    pushed: Pushed, project: Path, built: Built
) -> None:
    result = push(pushed, project, f"{pushed.registry.host}/team/sibling:1.0")
    [repository] = result["repositories"]
    assert len(repository["layers"]["mounted"]) == len(built.image.layers) + 1
    assert repository["bytes"] == 0


def test_an_edit_sends_one_layer_one_config_one_manifest(
    pushed: Pushed, project: Path, tmp_path: Path
) -> None:
    edited = tmp_path / "backend"
    shutil.copytree(project, edited)
    with (edited / "src/second_brain/main.py").open("a") as file:
        file.write("# edited\n")
    before = len(pushed.registry.requests())
    [repository] = push(pushed, edited, f"{pushed.reference}")["repositories"]
    assert len(repository["layers"]["sent"]) == 2
    done = [r for r in pushed.registry.requests()[before:] if r.status == 201]
    assert len([r for r in done if "/manifests/" in r.path]) == 1
    assert len([r for r in done if "/blobs/uploads/" in r.path]) == 2
    # As it was, for the tests that follow.
    push(pushed, project, pushed.reference)


def push(pushed: Pushed, project: Path, reference: str) -> dict[str, Any]:
    done = builder("push", project, reference, "--json", env=pushed.environ)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def test_base_layers_that_the_registry_holds_are_never_downloaded(
    project: Path, registry_with_base: Registry, built: Built, tmp_path: Path
) -> None:
    """A runner that knows the base's file index alone builds, and pushes beside the base."""
    store = tmp_path / "store"
    shutil.copytree(built.folder / "store", store)
    inherited = {layer.digest for layer in built.image.layers[: -len(built.own_layers)]}
    for digest in inherited:
        (store / "blobs" / digest.algorithm / digest.hex).unlink()
    environ = {**built.environ, "BUILDER_STORE": str(store)}
    before = len(registry_with_base.requests())
    reference = f"{registry_with_base.host}/runners/second-brain:1.0"
    done = builder("push", project, reference, "--json", env=environ)
    [repository] = json.loads(done.stdout)["repositories"]
    assert {blob["digest"] for blob in repository["layers"]["mounted"]} == set(map(str, inherited))
    asked = registry_with_base.requests()[before:]
    assert not [r for r in asked if r.method == "GET" and "/blobs/" in r.path]
