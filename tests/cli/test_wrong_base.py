"""A base that cannot be had, or that is not what an image needs; a store that went bad."""

import json
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from builder.oci.descriptor import Descriptor
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.store.layout import Layout
from layers.entries import Entry, FileEntry, SymlinkEntry
from tests.cli.conftest import MINOR, Place, base_layer, reference, write_base
from tests.command import builder
from tests.images import blob_path
from tests.registry import Registry
from tests.registry_client.fake import closed_port

SETTINGS = "settings T s  demo 1.0\n"
HOST = str(Platform.host())
NAME = "docker.io/library/python:3.12-slim-bookworm"


@pytest.mark.engine
def test_the_registry_does_not_have_it(place: Place, registry: Registry) -> None:
    missing = f"{registry.host}/library/nothing:1"
    assert place.refused("--base", missing, code=3).replace(registry.host, "REGISTRY") == (
        f"{SETTINGS}asking REGISTRY for REGISTRY/library/nothing:1 ({HOST})\n"
        "error: base REGISTRY/library/nothing:1: asking REGISTRY for library/nothing:1: the "
        'answer is 404 Not Found: MANIFEST_UNKNOWN: manifest unknown: {"Tag": "1"}\n'
        "hint: check the repository and the tag\n"
    )
    reference(place.build())


def test_the_registry_cannot_be_reached(place: Place) -> None:
    host = closed_port()
    said = place.refused("--base", "python", "--base-mirror", f"http://{host}", code=3)
    first, second, *tries, error, hint = said.replace(host, "MIRROR").splitlines()
    assert (first, second) == (
        SETTINGS.strip(),
        f"asking MIRROR for docker.io/library/python:latest ({HOST})",
    )
    assert [line.partition(";")[0] for line in tries] == [
        "cannot reach MIRROR: connection refused"
    ] * 3
    assert error == "error: base python: cannot reach MIRROR: connection refused"
    assert hint == (
        "hint: check the name and the network; a mirror or a local base (oci:DIR, "
        "docker-archive:FILE, containers-storage:NAME) does without it"
    )
    reference(place.build())


def test_the_registry_s_name_is_unknown(place: Place) -> None:
    said = place.refused("--base", "nowhere.invalid/python:3", code=3)
    assert "error: base nowhere.invalid/python:3: cannot reach nowhere.invalid: " in said
    assert "trying again" not in said


def test_the_next_base_is_taken_aloud(place: Place) -> None:
    built = place.build(
        "--base", "nowhere.invalid/python:3", "--base", place.environ["BUILDER_BASE"], "--json"
    )
    asking, warning, hint = place.plain(built.stderr).splitlines()[1:4]
    assert asking == f"asking nowhere.invalid for nowhere.invalid/python:3 ({HOST})"
    assert warning.startswith(
        "warning: base nowhere.invalid/python:3: cannot reach nowhere.invalid: "
    )
    assert warning.endswith("; the next base is taken instead: BASE")
    assert hint == (
        "hint: the image will differ from one on nowhere.invalid/python:3; --locked refuses that"
    )
    assert json.loads(built.stdout)["base"]["name"] == place.environ["BUILDER_BASE"]


def test_never_pulling_into_an_empty_store(place: Place) -> None:
    assert place.refused("--base", "python:3.12-slim-bookworm", "--pull", "never", code=1) == (
        f"{SETTINGS}error: base python:3.12-slim-bookworm: {NAME} for {HOST} is not in the store "
        "STORE, and the pull policy is never\n"
        "hint: build once with --pull missing, or name a base that is on this machine\n"
    )


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("oci:OUT/none", "OUT/none is not an OCI image layout: there is no such directory"),
        ("oci:OUT", "OUT is not an OCI image layout: it has no index.json"),
        ("oci-archive:OUT/none", "cannot read OUT/none: No such file or directory"),
        ("docker-archive:OUT/none", "cannot read OUT/none: No such file or directory"),
        ("oci-archive:OUT", "cannot read OUT: Is a directory"),
        (
            "oci-archive:PROJECT/uv.lock",
            "PROJECT/uv.lock is no tar archive, or a damaged one: truncated header",
        ),
        (
            "docker-archive:PROJECT/uv.lock",
            "PROJECT/uv.lock is no tar archive, or a damaged one: truncated header",
        ),
    ],
)
def test_nothing_to_read_there(place: Place, source: str, reason: str) -> None:
    given = source.replace("OUT", str(place.out)).replace("PROJECT", str(place.project))
    assert place.refused("--base", given, code=1) == (f"{SETTINGS}error: base {source}: {reason}\n")


@pytest.mark.engine
def test_podman_does_not_have_it(place: Place) -> None:
    assert place.refused("--base", "containers-storage:localhost/none:1", code=1) == (
        f"{SETTINGS}error: base containers-storage:localhost/none:1: the containers' storage of "
        "this user has no image localhost/none:1\n"
        "hint: `podman images` lists what is there, by its full names\n"
    )


@pytest.mark.engine
def test_what_podman_pulled_compressed_is_a_base(place: Place) -> None:
    name = f"localhost/builder-cli-base:{place.project.parent.name.lower()}"
    pull = ["podman", "pull", "--quiet", f"{place.environ['BUILDER_BASE']}:base"]
    pulled = subprocess.run(pull, check=True, capture_output=True, text=True).stdout.split()[-1]
    try:
        subprocess.run(["podman", "tag", pulled, name], check=True)
        built = place.build("--base", f"containers-storage:{name}", "--output", "oci:layout")
        assert reference(built)
        [manifest] = Layout(place.out / "layout").index().manifests
        layers = parse_manifest(Layout(place.out / "layout").read(manifest)).value.layers
        assert layers[0].media_type == "application/vnd.oci.image.layer.v1.tar"
    finally:
        subprocess.run(["podman", "rmi", "--force", pulled], check=False, capture_output=True)


def test_the_base_is_for_another_machine(place: Place) -> None:
    other = "linux/arm64" if Platform.host().architecture == "amd64" else "linux/amd64"
    assert place.refused("--platform", other, code=1) == (
        f"{SETTINGS}error: base BASE: the image is for {HOST}, wanted one for {other}\n"
        "hint: choose a base for that platform, or build for the base's\n"
    )


def test_a_base_without_python(place: Place, tmp_path: Path) -> None:
    entries = [entry for entry in base_layer() if "python" not in entry.path]
    write_base(tmp_path / "bare", entries)
    said = place.on_base(f"oci:{tmp_path}/bare").refused(code=1)
    assert said == (
        f"{SETTINGS}error: the base BASE has no Python on its PATH\n"
        'hint: choose one that has, such as "python:3.12-slim-bookworm"\n'
    )


def test_a_base_whose_python_has_no_lock_of_its_own(place: Place, tmp_path: Path) -> None:
    entries = [entry for entry in base_layer() if "python" not in entry.path]
    name = f"usr/local/bin/python{MINOR}t"
    free: list[Entry] = [
        FileEntry.of(name, b"\x7fELF", mode=0o755),
        SymlinkEntry(path="usr/local/bin/python3", target=f"python{MINOR}t"),
    ]
    write_base(tmp_path / "free", [*entries, *free])
    said = place.on_base(f"oci:{tmp_path}/free").refused(code=1)
    assert f"error: the base BASE has the free-threaded Python /{name}, which " in said


def test_a_base_without_a_c_library(place: Place, tmp_path: Path) -> None:
    entries = [entry for entry in base_layer() if "libc" not in entry.path]
    write_base(tmp_path / "bare", entries)
    said = place.on_base(f"oci:{tmp_path}/bare").refused(code=1)
    assert said == (
        f"{SETTINGS}error: the base BASE has neither glibc nor musl\n"
        'hint: choose one that has, such as "python:3.12-slim-bookworm"\n'
    )


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _follow(hint: str, place: Place) -> None:
    """Do what the hint says, and nothing else."""
    path = Path(
        hint.removeprefix("hint: remove ").partition(";")[0].replace("STORE", str(place.store))
    )
    assert path.is_file()
    path.unlink()


def _blobs_of_base(place: Place) -> dict[str, Descriptor]:
    """Of the base, as they lie in the store too."""
    layout = Layout(Path(place.environ["BUILDER_BASE"].removeprefix("oci:")))
    [named] = layout.index().manifests
    manifest = parse_manifest(layout.read(named)).value
    return {"manifest": named, "config": manifest.config, "layer": manifest.layers[0]}


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_a_damaged_blob_of_the_base(place: Place, part: str) -> None:
    expected = reference(place.build())
    blob = _blobs_of_base(place)[part]
    path = blob_path(Layout(place.store), replace(blob, annotations={}))
    _flip(path)
    said = place.refused("--output", f"oci-archive:{place.out}/app.tar", code=1).splitlines()
    assert said[-2].endswith(
        f"blob sha256:X: wanted {blob.size} bytes of that digest, "
        f"got {blob.size} bytes that hash to sha256:X"
    )
    assert (
        said[-1] == f"hint: remove STORE/blobs/sha256/{path.name}; the next build brings it again; "
        "python -m builder cache verify finds what else is damaged"
    )
    _follow(said[-1], place)
    built = place.build("--output", f"oci-archive:{place.out}/app.tar")
    assert reference(built) == expected


def test_damaged_layers_of_ours_are_refused_and_made_again(place: Place) -> None:
    expected = reference(place.build())
    damaged = [
        path for path in (place.store / "blobs/sha256").iterdir() if path.stat().st_size < 900
    ]
    base = {blob.digest.hex for blob in _blobs_of_base(place).values()}
    for path in damaged:
        if path.name not in base:
            _flip(path)
    output = ("--output", f"oci-archive:{place.out}/app.tar")
    said = place.refused(*output, code=1)
    assert said.endswith("; python -m builder cache verify finds what else is damaged\n")
    builder("cache", "verify", env=place.environ, code=1)
    assert reference(place.build(*output)) == expected


def test_a_damaged_index_of_the_store(place: Place) -> None:
    expected = reference(place.build())
    (place.store / "index.json").write_text("{")
    said = place.refused(code=1)
    assert "error: STORE: index.json: " in said
    assert said.endswith(
        "hint: see what is wrong with the store, and mend it: python -m builder cache verify\n"
    )
    builder("cache", "verify", env=place.environ, code=1)
    assert reference(place.build()) == expected


def test_damaged_facts_are_found_out_again(place: Place) -> None:
    expected = reference(place.build())
    for fact in (place.store / "facts").rglob("*.json"):
        fact.write_text('{"format": 1}')
    assert reference(place.build()) == expected
    assert f"Python {MINOR}" in place.build().stderr
