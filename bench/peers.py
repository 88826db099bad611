"""backend/ built by us and by buildah from a Dockerfile, on the same base and the same uv cache."""

import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol

import uv

from tests.cache import REPOSITORY
from tests.machine import engine_environ
from tests.standin import TAG, standin_layout

UV_CACHE = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")
CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"


def run(*argv: str | Path, environ: Mapping[str, str] | None = None) -> str:
    """A command's stdout; what it said on stderr when it fails."""
    done = subprocess.run(
        list(map(str, argv)),
        env={**os.environ, **engines(), **(environ or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{argv}\n{done.stdout}{done.stderr}")
    return done.stdout


@cache
def engines() -> dict[str, str]:
    """Engines with a storage of the benchmark's own: what it removes is never anybody else's."""
    root = Path(tempfile.mkdtemp(prefix="bench-storage-", dir="/var/tmp"))
    atexit.register(shutil.rmtree, root, ignore_errors=True)
    file = root / "storage.conf"
    file.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/graph"\nrunroot = "{root}/run"\n'
    )
    return {**engine_environ(), "CONTAINERS_STORAGE_CONF": str(file)}


class Builder(Protocol):
    """One way to build an image of a project."""

    @property
    def name(self) -> str: ...

    def forget(self) -> None:
        """Leave only the base and uv's cache, as on a machine that never built this."""

    def build(self) -> None:
        """Build, and have the image in podman's storage."""


@dataclass(frozen=True)
class Ours:
    """`python -m builder build`, loading into podman."""

    project: Path
    name: str = "localhost/bench:ours"
    store: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(dir=UV_CACHE.parent)))

    def forget(self) -> None:
        run("podman", "rmi", "--all", "--force")
        shutil.rmtree(self.store, ignore_errors=True)

    def build(self) -> None:
        base = f"oci:{standin_layout()}:{TAG}"
        command = (sys.executable, "-m", "builder", "build", self.project, "--tag", self.name)
        run(*command, "--base", base, environ={"BUILDER_STORE": str(self.store)})


@dataclass(frozen=True)
class Buildah:
    """`buildah bud --layers` with the Dockerfile beside this file."""

    project: Path
    name: str = "localhost/bench:buildah"
    base: str = "localhost/bench:base"

    def forget(self) -> None:
        run("podman", "rmi", "--all", "--force")
        layout = f"oci:{standin_layout()}:{TAG}"
        run("skopeo", "copy", "-q", layout, f"containers-storage:{self.base}")

    def build(self) -> None:
        dockerfile = REPOSITORY / "bench/dockerfile/Dockerfile"
        run(
            *("buildah", "bud", "--quiet", "--layers", "--network=host", "--isolation=chroot"),
            *("--build-arg", f"BASE={self.base}", "--build-arg", f"SSL_CERT_FILE={CERTIFICATES}"),
            *("--build-context", f"uv={Path(uv.find_uv_bin()).parent}"),
            *(
                "--volume",
                f"{UV_CACHE}:/root/.cache/uv",
                "--volume",
                "/etc/ssl/certs:/etc/ssl/certs:ro",
            ),
            *("--tag", self.name, "--file", dockerfile, self.project),
        )


def compressed_size(name: str) -> int:
    """Bytes of the image's layers as a registry would hold them."""
    with tempfile.TemporaryDirectory() as folder:
        run("skopeo", "copy", "-q", f"containers-storage:{name}", f"oci:{folder}:x")
        manifest = json.loads(run("skopeo", "inspect", "--raw", f"oci:{folder}:x"))
    return sum(layer["size"] for layer in manifest["layers"])
