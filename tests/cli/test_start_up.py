"""What is loaded before anything is said or done, counted: a clock would tell of the machine."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.settings import RegistrySettings
from builder.store.layout import Layout, Store
from tests.cli.conftest import Place

# What costs tens of milliseconds, of others and of Python itself.
HEAVY = {"httpx2", "podman", "requests", "uv", "packaging", "zlib_ng", "backports", "debian"}
HEAVY_STDLIB = {
    *("ssl", "socket", "http", "email", "urllib", "asyncio", "tarfile", "zipfile", "hashlib"),
    *("json", "tomllib", "dataclasses", "inspect", "subprocess", "tempfile", "logging"),
    *("concurrent", "difflib", "traceback"),
}
# What no build does without: facts are JSON, settings TOML, types dataclasses.
NEEDED = {
    *("urllib", "hashlib", "json", "tomllib", "dataclasses", "inspect", "subprocess", "tempfile"),
}
IMAGE = "registry.example.com/team/base:1"


def imported(*arguments: str | Path, **environ: str) -> list[str]:
    """Modules that a call of the program loads, in order, those of Python's own start among them.

    The version of a compression library is no import of it.
    """
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "builder", *arguments],
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    names = [line.rpartition("|")[2].strip() for line in lines]
    return [name for name in names if not name.endswith("._version")]


def of(packages: set[str], modules: list[str]) -> set[str]:
    return {module for module in modules if module.partition(".")[0] in packages}


@pytest.mark.parametrize("arguments", [["--help"], ["build", "--help"], ["test", "--help"]])
def test_help_loads_nothing_but_the_parser(arguments: list[str]) -> None:
    modules = imported(*arguments)
    assert of({"builder", "layers"}, modules) == {
        "builder",
        "builder.cli",
        "builder.cli.arguments",
    }
    assert of(HEAVY | HEAVY_STDLIB, modules) == set()
    assert len(modules) <= 75


def test_a_local_build_loads_neither_http_nor_podman(place: Place) -> None:
    modules = imported("build", place.project, "--no-load", **place.environ)
    strangers = {"httpx2", "httpcore2", "httpcore", "podman", "requests", "urllib3"}
    assert of(strangers, modules) == set()


def from_registry(place: Place, directory: Path) -> Place:
    """The same place, whose store has the base under a name in a registry that nobody can ask."""
    conf = directory / "registries.conf"
    conf.write_text("")
    home = {"HOME": str(directory), "BUILDER_REGISTRIES_CONF": str(conf)}
    place = replace(place, environ={**place.environ, **home})
    place.build()
    store, reference = Store(place.store), Reference.parse(IMAGE)
    settings = RegistrySettings(conf=str(conf))
    access = RegistryAccess.of(settings, home, run=run, events=lambda _: None)
    where = " ".join(map(str, access.pull_endpoints(reference)))
    key = f"{reference.full} {Platform.host()} {where}"
    store.remember("base", key, {"manifest": base_of(place).to_json()})
    return place.on_base(IMAGE)


def base_of(place: Place) -> Descriptor:
    (manifest,) = Layout(Path(place.environ["BUILDER_BASE"].removeprefix("oci:"))).index().manifests
    return replace(manifest, annotations={})


@pytest.mark.parametrize("kind", ["of this machine", "of a registry"])
def test_a_build_that_finds_nothing_changed_loads_only_what_says_so(
    kind: str, place: Place, tmp_path: Path
) -> None:
    place = from_registry(place, tmp_path) if kind == "of a registry" else place
    first = place.build()
    again = place.build()
    assert again.stdout == first.stdout
    assert "built already" in again.stderr
    modules = imported("build", place.project, "--no-load", **place.environ)
    assert of(HEAVY | HEAVY_STDLIB - NEEDED, modules) == set()
    ours = of({"builder", "layers"}, modules)
    rooms = {f"builder.{room}" for room in ("transport", "debian", "destinations", "health")}
    assert {name for name in ours if name.rpartition(".")[0] in rooms} == set()
    assert ours & {"builder.making.image", "builder.project.install", "layers.tar"} == set()
    # A hundred of ours take fifty milliseconds: each dataclass alone takes half of one.
    assert len(ours) <= 92
    assert len(modules) <= 220
