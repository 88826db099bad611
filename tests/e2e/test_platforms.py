"""backend/ for two machines in one command, and each image proven to work."""

import json
import re
import shutil
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.oci.image import Image
from builder.oci.platform import Platform
from builder.store.layout import Layout
from layers.layer import Layer
from layers.verify import verify_layer
from tests.cache import REPOSITORY
from tests.command import builder
from tests.e2e.conftest import contents
from tests.e2e.test_formats import run
from tests.emulation import Root, root_of
from tests.oci.test_schemas import SCHEMAS, complaints
from tests.platforms import HOST, MACHINES, OTHER, PLATFORMS, read_images, read_index
from tests.registry import Registry
from tests.standin_platforms import TAG as BASE_TAG
from tests.standin_platforms import two_platform_standin

pytestmark = [pytest.mark.archive, pytest.mark.engine, pytest.mark.index]

TAG = "localhost/platforms-e2e:1.0"
BOTH = "linux/amd64,linux/arm64"
# https://refspecs.linuxfoundation.org/elf/gabi4+/ch4.eheader.html
_ELF_MACHINES = {"amd64": 62, "arm64": 183}
# https://asgi.readthedocs.io/en/latest/specs/www.html: the application, asked without a server.
PROGRAM = """
import asyncio, platform
import second_brain.main as main

scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "GET"}
scope |= {"scheme": "http", "path": "/health", "query_string": b"", "headers": []}
said = []

async def receive():
    return {"type": "http.request", "body": b"", "more_body": False}

async def send(message):
    said.append(message)

asyncio.run(main.app(scope, receive, send))
print(platform.machine(), said[0]["status"], said[1]["body"].decode())
"""


@dataclass(frozen=True, slots=True)
class Built:
    """One build for both."""

    result: Mapping[str, Any]
    images: Mapping[Platform, Image]
    folder: Path
    stdout: str

    def own_layers(self, platform: Platform) -> list[tuple[str, Layer]]:
        """The layers that this project made, with their names in the plan."""
        [told] = [p for p in self.result["platforms"] if p["platform"] == str(platform)]
        names = [layer["name"] for layer in told["layers"]]
        pairs = zip(names, self.images[platform].layers, strict=True)
        return [(name, layer) for name, layer in pairs if name != "base"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """backend/, which asks for Python 3.12, on the Python that both bases have."""
    project = tmp_path_factory.mktemp("project") / "backend"
    shutil.copytree(REPOSITORY / "backend", project)
    (project / ".python-version").write_text("3.13\n")
    return project


def environ(folder: Path) -> dict[str, str]:
    return {"BUILDER_STORE": str(folder / "store"), "SOURCE_DATE_EPOCH": "1700000000"}


def base() -> str:
    return f"--base=oci:{two_platform_standin()}:{BASE_TAG}"


@pytest.fixture(scope="module")
def built(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Built]:
    folder = tmp_path_factory.mktemp("built")
    metadata = folder / "metadata.json"
    outputs = [f"--output=oci:{folder}/layout", f"--output=oci-archive:{folder}/oci.tar"]
    words = ["--tag", TAG, base(), "--platform", BOTH, f"--metadata-file={metadata}", *outputs]
    done = builder("build", project, *words, env=environ(folder))
    yield Built(
        result=json.loads(metadata.read_text()),
        images=read_images(folder / "layout", "1.0"),
        folder=folder,
        stdout=done.stdout,
    )
    subprocess.run(["podman", "rmi", "--force", TAG], capture_output=True, check=False)


def test_stdout_names_the_index(built: Built) -> None:
    index = read_index(Layout(built.folder / "layout"), "1.0")
    assert built.stdout == f"{TAG}@{index.digest}\n"
    assert [p["platform"] for p in built.result["platforms"]] == BOTH.split(",")


@pytest.mark.skipif(not SCHEMAS.is_dir(), reason=f"the schemas are not at {SCHEMAS}")
def test_the_index_is_valid(built: Built) -> None:
    index = read_index(Layout(built.folder / "layout"), "1.0")
    assert complaints("image-index-schema.json", index.raw) == []


def test_the_index_has_both_platforms_as_their_configs_have_them(built: Built) -> None:
    index = read_index(Layout(built.folder / "layout"), "1.0")
    assert [entry.platform for entry in index.value.manifests] == list(PLATFORMS)
    for platform, image in built.images.items():
        assert image.config.value.platform == platform


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_every_program_and_library_is_for_its_machine(built: Built, platform: Platform) -> None:
    found = {
        path: struct.unpack_from("<H", data, 18)[0]
        for _, layer in built.own_layers(platform)
        for path, data in contents(layer).items()
        if data.startswith(b"\x7fELF")
    }
    wanted = _ELF_MACHINES[platform.architecture]
    assert {path: machine for path, machine in found.items() if machine != wanted} == {}
    assert len(found) > 10


@pytest.mark.parametrize("platform", PLATFORMS, ids=str)
def test_every_layer_reads_back_as_it_is_described(built: Built, platform: Platform) -> None:
    for _, layer in built.own_layers(platform):
        assert verify_layer(layer) > 0


def test_the_archive_holds_both(built: Built, tmp_path: Path) -> None:
    with tarfile.open(built.folder / "oci.tar") as tar:
        tar.extractall(tmp_path, filter="data")
    images = read_images(tmp_path, TAG)
    assert {p: i.digest for p, i in images.items()} == {
        p: i.digest for p, i in built.images.items()
    }
    for image in images.values():
        for layer in image.layers:
            assert verify_layer(layer) > 0


def test_podman_loaded_this_machine_s_and_it_answers(built: Built, project: Path) -> None:
    told = run("podman", "image", "inspect", "--format", "{{.Architecture}} {{.Digest}}", TAG)
    architecture, digest = told.split()
    assert architecture == HOST.architecture
    # podman keeps the digest of the list beside that of the image.
    assert digest in {str(built.images[HOST].digest), built.result["digest"]}
    done = builder("test", TAG, "--project", project, env=environ(built.folder))
    assert "/health answers 200" in done.stderr


def test_pushed_everyone_gets_their_own(
    built: Built, project: Path, registry: Registry, tmp_path: Path
) -> None:
    name = f"{registry.host}/team/platforms:1.0"
    words = ["--platform", BOTH, base(), "--insecure-registry", registry.host]
    done = builder("push", project, name, *words, env=environ(built.folder))
    assert done.stdout == f"{name}@{built.result['digest']}\n"
    for platform, image in built.images.items():
        plain = ("--tls-verify=false", f"--override-arch={platform.architecture}")
        copied = tmp_path / platform.architecture
        run(
            "skopeo",
            *plain[1:],
            "copy",
            "--quiet",
            "--src-tls-verify=false",
            f"docker://{name}",
            f"dir:{copied}",
        )
        assert (copied / "manifest.json").read_bytes() == image.manifest.raw
    run("podman", "pull", "--quiet", "--tls-verify=false", name)
    try:
        done = builder("test", name, "--project", project, env=environ(built.folder))
        assert "/health answers 200" in done.stderr
    finally:
        run("podman", "untag", name, name)


@pytest.fixture(scope="module")
def other(built: Built, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """The image for the other machine, unpacked, to run by emulation."""
    folder = tmp_path_factory.mktemp("emulated") / "root"
    return root_of(built.images[OTHER].layers, OTHER, folder)


def test_the_other_machine_serves_the_application_from_its_bytecode(
    built: Built, other: Root
) -> None:
    env = dict(built.images[OTHER].config.value.env)
    done = other.run("/app/.venv/bin/python", "-v", "-c", PROGRAM, environ=env)
    assert done.stdout == f'{MACHINES[OTHER.architecture]} 200 {{"status":"ok"}}\n'
    loaded = re.findall(r"^# code object from '(/.+)'$", done.stderr, re.MULTILINE)
    assert [path for path in loaded if not path.endswith(".pyc")] == []
    assert [
        path for path in loaded if path.endswith("second_brain/__pycache__/main.cpython-313.pyc")
    ]
    assert len(loaded) > 200


def test_what_is_pure_python_is_stored_once(built: Built) -> None:
    pure = []
    for platform in PLATFORMS:
        found = {
            (name, layer.digest): _is_pure(layer) for name, layer in built.own_layers(platform)
        }
        pure.append({layer for layer, kinds in found.items() if kinds <= {True}})
        # No layer that is for one machine holds a distribution that is not.
        assert {True, False} not in found.values()
    assert pure[0] == pure[1]
    assert {name for name, _ in pure[0]} == {"account", "dependencies", "project"}


def _is_pure(layer: Layer) -> set[bool]:
    """Of each distribution in it, whether its wheel is for every machine."""
    told = (data for path, data in contents(layer).items() if path.endswith(".dist-info/WHEEL"))
    return {b"-none-any" in wheel for wheel in told}


def test_two_cost_less_than_twice_one(built: Built) -> None:
    one, other = (
        {layer.digest: layer.size for _, layer in built.own_layers(platform)}
        for platform in PLATFORMS
    )
    both = sum((one | other).values())
    ratio = both / sum(one.values())
    sys.stdout.write(f"{sum(one.values())} bytes for one, {both} for both: {ratio:.3f} times\n")
    assert ratio < 2


def test_the_order_of_platforms_changes_no_image(
    built: Built, project: Path, tmp_path: Path
) -> None:
    swapped = ",".join(reversed(BOTH.split(",")))
    words = ["--platform", swapped, base(), "--no-load", "--tag", TAG]
    builder("build", project, *words, f"--output=oci:{tmp_path}/layout", env=environ(tmp_path))
    images = read_images(tmp_path / "layout", "1.0")
    assert list(images) == list(reversed(PLATFORMS))
    assert {p: i.digest for p, i in images.items()} == {
        p: i.digest for p, i in built.images.items()
    }
