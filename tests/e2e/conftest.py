"""backend/, built once by the command, in every form that it can have."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from builder.base.intake import load_image
from builder.oci.image import Image
from builder.store.layout import Store
from layers.layer import Layer
from layers.verify import read_members
from tests.cache import REPOSITORY
from tests.command import builder
from tests.registry import Registry

TAG = "localhost/second-brain-e2e:1.0"


@dataclass(frozen=True, slots=True)
class Built:
    """One build of backend/."""

    result: Mapping[str, Any]
    image: Image
    folder: Path
    environ: Mapping[str, str]
    stdout: str
    stderr: str

    def layers(self, name: str) -> list[Layer]:
        """The layers of a name that the plan has."""
        names = [layer["name"] for layer in self.result["layers"]]
        pairs = zip(names, self.image.layers, strict=True)
        return [layer for its_name, layer in pairs if its_name == name]

    @property
    def own_layers(self) -> list[Layer]:
        """The layers that this project made."""
        return [
            layer for name in ("account", "dependencies", "project") for layer in self.layers(name)
        ]

    @property
    def files(self) -> dict[str, bytes]:
        """Every regular file of the environment and the source."""
        layers = [*self.layers("dependencies"), *self.layers("project")]
        return {path: data for layer in layers for path, data in contents(layer).items()}


def contents(layer: Layer) -> dict[str, bytes]:
    """Every regular file of a layer."""
    return {
        member.name: stream.read()
        for member, stream in read_members(layer)
        if stream is not None and member.isreg()
    }


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """backend/ as a developer's machine has it: with secrets, caches and a venv of its own."""
    project = tmp_path_factory.mktemp("project") / "backend"
    shutil.copytree(REPOSITORY / "backend", project)
    (project / ".env").write_text("AZURE_OPENAI_ENDPOINT=https://secret.example.com\n")
    (project / "src/second_brain/.env").write_text("TOKEN=secret\n")
    (project / ".venv/bin").mkdir(parents=True)
    (project / ".venv/bin/python").write_text("not an interpreter\n")
    (project / "src/second_brain/__pycache__").mkdir()
    (project / "src/second_brain/__pycache__/main.cpython-312.pyc").write_bytes(b"stale")
    return project


@pytest.fixture(scope="session")
def built(
    project: Path, registry_with_base: Registry, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Built]:
    """backend/ on the default base, in the store, in podman, and at every other destination."""
    folder = tmp_path_factory.mktemp("built")
    environ = {
        "HOME": str(folder / "home"),
        "UV_CACHE_DIR": os.environ.get("UV_CACHE_DIR") or str(Path.home() / ".cache" / "uv"),
        "BUILDER_STORE": str(folder / "store"),
        "BUILDER_BASE_MIRROR": registry_with_base.url,
        "SOURCE_DATE_EPOCH": "1700000000",
    }
    outputs = [
        f"--output={kind}:{folder / name}"
        for kind, name in (
            ("oci", "layout"),
            ("oci-archive", "oci.tar"),
            ("docker-archive", "docker.tar"),
        )
    ]
    metadata = folder / "metadata.json"
    done = builder(
        "build", project, "--tag", TAG, "--metadata-file", metadata, *outputs, env=environ
    )
    store = Store(folder / "store")
    (named,) = store.index().manifests
    yield Built(
        result=json.loads(metadata.read_text()),
        image=load_image(named, store),
        folder=folder,
        environ=environ,
        stdout=done.stdout,
        stderr=done.stderr,
    )
    subprocess.run(["podman", "rmi", "--force", TAG], capture_output=True, check=False)
