"""One call, images for several platforms, and the index that lists them."""

import hashlib
import json
import tomllib
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.oci.image_index import ImageIndex
from builder.oci.manifest import parse_index
from builder.oci.platform import Platform
from builder.store.layout import Layout
from tests.cli.conftest import MACHINES, TABLES, Place, base_layer, make_place
from tests.cli.test_what_is_kept import lock_with_hashes
from tests.command import builder
from tests.images import make_image, make_layer
from tests.project.projects import write_project
from tests.wheels import write_wheel

BOTH = "linux/amd64,linux/arm64"
OTHER = next(name for name in MACHINES if name != Platform.host().architecture)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base for two machines; nothing in it runs."""
    layout = Layout(tmp_path_factory.mktemp("bases") / "layout")
    images = []
    for architecture in MACHINES:
        layers = [make_layer(layout, base_layer(architecture))]
        run = {"Env": ["PATH=/usr/local/bin:/usr/bin"]}
        image = make_image(layers, run, Platform("linux", architecture))
        layout.put(image.config.raw)
        layout.put(image.manifest.raw)
        images.append(image)
    index = ImageIndex.of(images)
    layout.put(index.index.raw)
    layout.tag("base", index.descriptor)
    return f"oci:{layout.root}"


@pytest.fixture(scope="module")
def locked_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a dependency that is Python alone."""
    directory = tmp_path_factory.mktemp("platforms") / "project"
    write_wheel(directory / "wheels", "pure")
    tables = f"{TABLES}\n[tool.uv]\nno-index = true\nfind-links = ['wheels']\n"
    write_project(directory, project='dependencies = ["pure"]', tables=tables)
    lock_with_hashes(directory)
    return directory


@pytest.fixture
def place(tmp_path: Path, base: str, locked_project: Path) -> Place:
    return make_place(tmp_path, base, locked_project)


def built(place: Place, *arguments: str) -> dict[str, Any]:
    result: dict[str, Any] = json.loads(place.build("--json", *arguments).stdout)
    return result


def test_one_index_lists_an_image_for_each_platform(place: Place) -> None:
    result = built(place, "--platform", BOTH)
    store = Layout(place.store)
    [named] = [each for each in store.index().manifests if str(each.digest) == result["digest"]]
    index = parse_index(store.read(named)).value
    assert [str(each.platform) for each in index.manifests] == BOTH.split(",")
    assert [str(each.digest) for each in index.manifests] == [
        image["digest"] for image in result["platforms"]
    ]
    assert index.annotations["org.opencontainers.image.title"] == "demo"
    assert "org.opencontainers.image.base.digest" not in index.annotations


def test_flags_settings_and_variable_say_the_same(place: Place) -> None:
    digest = built(place, "--platform", BOTH)["digest"]
    first, second = BOTH.split(",")
    assert built(place, "--platform", first, "--platform", second)["digest"] == digest
    environ = json.loads(place.build("--json", BUILDER_PLATFORM=BOTH).stdout)
    assert environ["digest"] == digest
    place.replace("[tool.builder]", f"[tool.builder]\nplatform = {BOTH.split(',')}")
    assert built(place)["digest"] == digest


def test_an_image_is_the_same_alone_and_in_an_index(place: Place) -> None:
    images = built(place, "--platform", BOTH)["platforms"]
    alone = [built(place, "--platform", platform)["digest"] for platform in BOTH.split(",")]
    assert [image["digest"] for image in images] == alone


def test_what_is_python_alone_is_the_same_blob_for_every_platform(place: Place) -> None:
    amd64, arm64 = built(place, "--platform", BOTH)["platforms"]
    digests = [
        [layer["digest"] for layer in image["layers"] if layer["name"] != "base"]
        for image in (amd64, arm64)
    ]
    assert digests[0] == digests[1]


def test_nothing_is_installed_for_the_second_platform_that_the_first_has(place: Place) -> None:
    trace = place.out / "trace.json"
    place.build("--platform", "linux/amd64")
    place.build("--platform", BOTH, "--trace", trace)
    events = json.loads(trace.read_text())["traceEvents"]
    steps = [event["name"] for event in events if event["ph"] == "X"]
    assert not any(name.startswith("pack pure") for name in steps)


def test_an_index_that_was_built_before_is_found(place: Place) -> None:
    first = built(place, "--platform", BOTH)
    trace = place.out / "trace.json"
    again = built(place, "--platform", BOTH, "--trace", str(trace))
    assert again == first
    names = [event["name"] for event in json.loads(trace.read_text())["traceEvents"]]
    assert not any(name.startswith("uv ") for name in names)


def test_a_dry_run_shows_every_plan(place: Place) -> None:
    plan = built(place, "--platform", BOTH, "--dry-run")
    assert [each["platform"] for each in plan["platforms"]] == BOTH.split(",")
    assert plan["destinations"] == []


def test_lock_writes_down_every_platform(place: Place) -> None:
    builder("lock", place.project, "--platform", BOTH, env=place.environ, cwd=place.out)
    locked = tomllib.loads((place.project / "image.lock").read_text())["image"]
    assert [image["platform"] for image in locked] == BOTH.split(",")
    assert len({image["digest"] for image in locked}) == len(locked)
    place.build("--locked", "--platform", BOTH)


def test_a_base_that_lacks_one_of_the_platforms(place: Place) -> None:
    said = place.refused("--platform", f"{BOTH},linux/s390x", code=1)
    assert "linux/s390x" in said
    assert "linux/amd64, linux/arm64" in said


def test_the_same_platform_twice(place: Place) -> None:
    said = place.refused("--platform", "linux/arm64,linux/arm64/v8", code=2)
    assert "linux/arm64" in said


def test_a_command_that_pushes_part_of_an_index_names_one_platform(place: Place) -> None:
    place.build("--platform", BOTH)
    arguments = ("push", "localhost/demo:latest", "127.0.0.1:1/demo:1", "--platform", BOTH)
    done = builder(*arguments, env=place.environ, cwd=place.out, code=2)
    assert "linux/amd64, linux/arm64" in done.stderr


def test_what_this_machine_does_not_run_it_does_not_test(place: Place) -> None:
    host = Platform.host()
    said = place.refused("--platform", f"linux/{OTHER}", "--test", code=2)
    assert f"error: --test starts the image on this machine, which is {host}; " in said
    assert f"add --platform {host}" in said


def test_the_names_that_kernels_have_for_machines_are_understood(place: Place) -> None:
    plan = built(place, "--platform", "linux/aarch64, Linux/x86_64", "--dry-run")
    assert [each["platform"] for each in plan["platforms"]] == ["linux/arm64", "linux/amd64"]


def test_growth_is_that_of_the_same_platform_and_name(place: Place) -> None:
    place.append('\n[tool.builder.checks]\nmax-growth = "1kB"\n')
    place.build("--platform", "linux/amd64", "--tag", "a:1")
    noise = bytes(byte for number in range(40) for byte in hashlib.sha256(bytes([number])).digest())
    (place.project / "src/demo/data.txt").write_text(noise.hex())
    said = place.refused("--platform", "linux/amd64", "--tag", "a:1", code=1)
    assert "max-growth: the layers grew from" in said
    place.build("--platform", "linux/amd64", "--tag", "b:1")
    # It is known by another name now, and too large for this one all the same.
    place.refused("--platform", "linux/amd64", "--tag", "a:1", code=1)
    place.build("--platform", "linux/arm64", "--tag", "a:1")


def test_a_record_that_lies_for_one_platform_gives_it_nothing_of_the_other(
    tmp_path: Path, base: str
) -> None:
    directory = tmp_path / "lying"
    honest = write_wheel(directory / "wheels", "twin", tag="py3-none-manylinux_2_17_x86_64")
    lying = honest.with_name(honest.name.replace("x86_64", "aarch64"))
    with zipfile.ZipFile(honest) as wheel, zipfile.ZipFile(lying, "w") as other:
        for name in wheel.namelist():
            other.writestr(name, b"VALUE = 2\n" if name == "twin/__init__.py" else wheel.read(name))
    tables = f"{TABLES}\n[tool.uv]\nno-index = true\nfind-links = ['wheels']\n"
    write_project(directory, project='dependencies = ["twin"]', tables=tables)
    lock_with_hashes(directory)
    (tmp_path / "alone").mkdir()
    # What is not as RECORD says is fetched again, which uv refuses when it is offline.
    places = [make_place(each, base, directory) for each in (tmp_path, tmp_path / "alone")]
    first, alone = (replace(p, environ={**p.environ, "UV_OFFLINE": "0"}) for p in places)
    both = built(first, "--platform", BOTH)["platforms"]
    assert both[1]["digest"] == built(alone, "--platform", "linux/arm64")["digest"]
    added = [[layer["digest"] for layer in image["layers"][1:]] for image in both]
    assert added[0] != added[1]
