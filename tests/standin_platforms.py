"""A stand-in for ``python:3.13-slim-trixie`` on two platforms, under one index.

Both are ``apt:trixie`` of the builder's own making, with the same CPython: Debian's, of the same
version for either machine, put where uv would have put one.

``python -m tests.standin_platforms DIR`` leaves a copy of the OCI layout in ``DIR``.
"""

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.base import apt_image, python_layer
from builder.base.base import AptRequest, Base, BaseRequest
from builder.base.find import find_base
from builder.debian import FORMAT as PACKAGES_FORMAT
from builder.debian.archive.archive import Archive
from builder.debian.archive.user_sources import release_sources
from builder.debian.package import Pin, candidate
from builder.errors import InstallError
from builder.events import ignore
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index, parse_manifest
from builder.oci.platform import Platform
from builder.process import Completed, run
from builder.project.interpreter import find_interpreter
from builder.settings import Settings
from builder.store.layout import Layout, Store
from builder.target import Python
from layers.layer import FORMAT as LAYER_FORMAT
from tests.cache import composed_once
from tests.platforms import MACHINES, PLATFORMS

TAG = "3.13-slim-trixie"
PYTHON = Python(version=(3, 13), path="/usr/local/bin/python3.13")

_SUITE = "trixie"
_PACKAGES = ("python3.13-minimal", "libpython3.13-minimal", "libpython3.13-stdlib")


def two_platform_standin() -> Path:
    """The OCI layout with one index, tagged ``TAG``; composed once per machine.

    Skips the test where it cannot be made.
    """
    if shutil.which("dpkg-deb") is None:
        pytest.skip("dpkg-deb is not installed")
    interpreter()
    ours = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    formats = (apt_image.FORMAT, python_layer.FORMAT, PACKAGES_FORMAT, LAYER_FORMAT)
    key = hashlib.sha256(f"{ours} {formats}".encode()).hexdigest()[:12]
    return composed_once(f"standin-platforms-{key}", compose)


def interpreter() -> Path:
    """The Python 3.13 of this machine: it compiles the stand-in, and installs for it.

    Skips the test where there is none.
    """
    try:
        return find_interpreter(PYTHON, project=Path("/"), run=run)
    except InstallError as error:
        pytest.skip(error.message)


def serve_two_platforms(registry_url: str) -> str:
    """Copy the stand-in into a plain-HTTP registry as it is; return its reference there."""
    host = registry_url.removeprefix("http://").rstrip("/")
    reference = f"{host}/library/python:{TAG}"
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests"]
    source = f"oci:{two_platform_standin()}:{TAG}"
    subprocess.run([*copy, "--dest-tls-verify=false", source, f"docker://{reference}"], check=True)
    return reference


def compose(folder: Path) -> None:
    """Write the layout into an empty folder."""
    layout = Layout(folder)
    scratch = folder.parent / "scratch"
    store = Store(scratch / "store")
    pythons = scratch / "pythons"
    versions = {str(platform): _install(platform, pythons, store) for platform in PLATFORMS}
    assert len(set(versions.values())) == 1, f"{_SUITE} has other Pythons for others: {versions}"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_PYTHON_INSTALL_DIR", str(pythons))
        bases = [_compose(platform, pythons, store) for platform in PLATFORMS]
    listed = [_copy(base, store, layout) for base in bases]
    index = Index(manifests=tuple(listed)).to_document()
    layout.put(index.raw)
    layout.tag(TAG, index.descriptor())


def _install(platform: Platform, pythons: Path, store: Store) -> str:
    """What ``uv python install`` would leave; returns the version."""
    sources = release_sources(Settings(), _SUITE, project=pythons)
    archive = Archive(sources, architecture=platform.architecture, store=store, events=ignore)
    index = archive.index()
    packages = [candidate(index.versions(name)) for name in _PACKAGES]
    pins = [package.pin for package in packages if package and package.pin]
    assert len(pins) == len(_PACKAGES), f"{_SUITE} offers {pins} for {platform}"
    archive.fetch(pins)
    unpacked = pythons.parent / "unpacked" / platform.architecture
    for pin in pins:
        _unpack(archive, pin, unpacked)
    version = pins[0].version.partition("-")[0]
    prefix = pythons / f"cpython-{version}-linux-{MACHINES[platform.architecture]}-gnu"
    for name in ("bin", "lib"):
        shutil.copytree(unpacked / "usr" / name, prefix / name, symlinks=True)
    return version


def _unpack(archive: Archive, pin: Pin, directory: Path) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    package = directory.parent / "package.deb"
    with archive.open(pin) as stream:
        package.write_bytes(stream.read())
    subprocess.run(["dpkg-deb", "--extract", package, directory], check=True)


@dataclass(frozen=True, slots=True)
class _Runner:
    """Runs our own Python in place of trixie's, whose C library may be newer than ours."""

    pythons: Path

    def __call__(
        self,
        argv: Sequence[str],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
    ) -> Completed:
        if Path(argv[0]).is_relative_to(self.pythons):
            argv = [str(interpreter()), *argv[1:]]
        return run(argv, cwd=cwd, environ=environ, stdin=stdin)


def _compose(platform: Platform, pythons: Path, store: Store) -> Base:
    apt = AptRequest(settings=Settings(), project=pythons, python=PYTHON.version)
    request = BaseRequest(source=f"apt:{_SUITE}", platform=platform, apt=apt)
    return find_base(request, store=store, run=_Runner(pythons.resolve()))


def _copy(base: Base, store: Store, layout: Layout) -> Descriptor:
    """Copy an image into the layout; return what points at it from an index."""
    found = base.image.manifest.descriptor()
    manifest = parse_manifest(base.image.manifest.raw).value
    with ExitStack() as opened:
        for blob in (found, manifest.config, *manifest.layers):
            layout.add(opened.enter_context(store.open(blob)), blob)
    return replace(found, platform=base.image.config.value.platform)


if __name__ == "__main__":
    [target] = sys.argv[1:]
    shutil.copytree(two_platform_standin(), target)
    sys.stdout.write(f"{target}:{TAG}\n")
