"""Programs that the benchmark runs around what it measures, and engines of its own."""

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from tests.interpreter import cpython
from tests.machine import engine_environ

PROGRAMS = ("buildah", "podman", "skopeo", "docker-registry", "curl", "jq", "pigz")
UV_CACHE = Path(os.environ.get("UV_CACHE_DIR") or Path.home() / ".cache" / "uv")


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
    """Engines with a storage of the benchmark's own, which it may empty; uv's Python."""
    root = Path(tempfile.mkdtemp(prefix="bench-storage-", dir="/var/tmp"))
    atexit.register(_remove, root)
    file = root / "storage.conf"
    file.write_text(
        f'[storage]\ndriver = "overlay"\ngraphroot = "{root}/graph"\nrunroot = "{root}/run"\n'
    )
    python = cpython() / "bin" / "python3.12"
    storage = {"CONTAINERS_STORAGE_CONF": str(file)}
    return {**engine_environ(), **storage, "UV_PYTHON": str(python)}


def _remove(storage: Path) -> None:
    # podman mounts it onto itself, and leaves it so when a container was ended by force.
    subprocess.run(["umount", storage / "graph" / "overlay"], capture_output=True, check=False)
    shutil.rmtree(storage, ignore_errors=True)


def require(*programs: str) -> None:
    """Have these programs, as Debian's packages of the same names when this is root's machine."""
    missing = [program for program in programs if shutil.which(program) is None]
    if not missing:
        return
    if os.getuid() or shutil.which("apt-get") is None:
        sys.exit(f"the benchmark needs {', '.join(missing)}: apt-get install {' '.join(missing)}")
    print(f"installing {', '.join(missing)}", file=sys.stderr)
    run("apt-get", "-qq", "install", "--yes", "--no-install-recommends", *missing)
