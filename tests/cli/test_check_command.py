"""``check`` as its users start it: what it prints, of which images, and how it refuses."""

import json
import os
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.destinations.layout import LayoutDestination
from builder.oci.image import Image
from builder.oci.image_index import ImageIndex
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.store.layout import Layout, Store
from layers.entries import Entry, WhiteoutEntry
from tests.command import builder
from tests.examine.looking import RUN, START, file, key
from tests.images import make_image, make_layer
from tests.registry import Registry

AMD64, ARM64 = Platform("linux", "amd64"), Platform("linux", "arm64")
HOST = Platform.host()
GOOD: Sequence[Sequence[Entry]] = ([START],)
BAD: Sequence[Sequence[Entry]] = ([START, key("app/a.key")], [WhiteoutEntry(path="app/a.key")])


@dataclass(frozen=True, slots=True)
class Place:
    """A directory with a layout, and a user without any file."""

    path: Path

    @property
    def environ(self) -> dict[str, str]:
        return {
            **dict.fromkeys((name for name in os.environ if name.startswith("BUILDER_")), ""),
            "HOME": str(self.path),
            "BUILDER_STORE": str(self.path / "store"),
        }

    @property
    def source(self) -> str:
        return f"oci:{self.path}/layout"

    def image(
        self, layers: Sequence[Sequence[Entry]] = BAD, platform: Platform | None = None
    ) -> Image:
        made = Layout(self.path / "made")
        return make_image([make_layer(made, each) for each in layers], RUN, platform)

    def put(self, image: Image | ImageIndex) -> None:
        destination = LayoutDestination(label="test", directory=self.path / "layout", tag="1")
        destination.put(image, [Reference.parse("app:1")])

    def index(self, amd64: Sequence[Sequence[Entry]], arm64: Sequence[Sequence[Entry]]) -> None:
        images = [self.image(amd64, AMD64), self.image(arm64, ARM64)]
        self.put(ImageIndex.of(images, {}))

    def check(self, *arguments: str | Path, code: int = 0, **environ: str) -> tuple[str, str]:
        """What it says on stdout and on stderr, with times, digests and the directory taken out."""
        env = {**self.environ, **environ}
        done = builder("check", *arguments, env=env, cwd=self.path, code=code)
        assert "Traceback" not in done.stderr
        return self.plain(done.stdout), self.plain(done.stderr)

    def plain(self, text: str) -> str:
        text = re.sub(r" +\d+\.\d\d s +", " TIME ", text.replace(str(self.path), "PLACE"))
        return re.sub(r"sha256:[0-9a-f]{12,64}", "DIGEST", text)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_nothing_is_found(place: Place) -> None:
    place.put(place.image(GOOD))
    out, err = place.check(place.source)
    assert out == ""
    assert err.splitlines() == [
        f"check {HOST} TIME nothing found",
        "oci:PLACE/layout: nothing found",
    ]


def test_findings_are_data_and_a_summary_is_not(place: Place) -> None:
    place.put(place.image())
    out, err = place.check(place.source, code=1)
    assert out == (
        "error: secret: /app/a.key (layer DIGEST): holds a private key (line 1); a later layer "
        "hides the file, and whoever has the image can read it all the same\n"
        "  fix: never let it into any layer: exclude it in .dockerignore, or mount it while the "
        "image is built (RUN --mount=type=secret); it is published if the image was, "
        "so replace it\n"
    )
    assert err.splitlines()[-1] == "oci:PLACE/layout: 1 error"


def test_warnings_alone_are_no_failure(place: Place) -> None:
    made = Layout(place.path / "made")
    place.put(make_image([make_layer(made, [START])], {**RUN, "User": ""}))
    out, err = place.check(place.source)
    assert out.startswith("warning: root-user: the container runs as root")
    assert err.splitlines()[-1] == "oci:PLACE/layout: 1 warning"


def test_json_has_all_fields(place: Place) -> None:
    image = place.image()
    place.put(image)
    done = builder("check", place.source, "--json", env=place.environ, code=1)
    told = json.loads(done.stdout)
    [platform] = told.pop("platforms")
    assert told == {"image": place.source, "passed": False}
    assert (platform["platform"], platform["digest"]) == (str(HOST), str(image.digest))
    assert platform["warnings"] == platform["accepted"] == []
    [error] = platform["errors"]
    assert error.pop("message").startswith("holds a private key")
    assert error.pop("fix").startswith("never let it into any layer")
    assert error == {
        "check": "secret",
        "severity": "error",
        "path": "/app/a.key",
        "distribution": None,
        "layer": str(image.layers[0].digest),
    }


def test_json_where_nothing_is_found(place: Place) -> None:
    place.put(place.image(GOOD))
    told = json.loads(place.check(place.source, "--json")[0])
    assert told["passed"] is True
    assert [platform["errors"] for platform in told["platforms"]] == [[]]


def test_of_an_index_every_image_is_checked(place: Place) -> None:
    place.index(GOOD, BAD)
    out, err = place.check(place.source, code=1)
    assert out.splitlines()[0] == "linux/arm64 DIGEST"
    assert out.splitlines()[1].startswith("error: secret: /app/a.key")
    assert err.splitlines() == [
        "check linux/amd64 TIME nothing found",
        "check linux/arm64 TIME 1 error",
        "oci:PLACE/layout: 1 error, in 2 images",
    ]


@pytest.mark.parametrize(
    "flags",
    [
        ["--platform", "linux/amd64,linux/arm64"],
        ["--platform", "linux/amd64", "--platform", "linux/arm64"],
    ],
)
def test_several_platforms_of_an_index(flags: list[str], place: Place) -> None:
    place.index(GOOD, BAD)
    _, err = place.check(place.source, *flags, code=1)
    assert err.splitlines()[-1] == "oci:PLACE/layout: 1 error, in 2 images"


def test_one_platform_of_an_index(place: Place) -> None:
    place.index(GOOD, BAD)
    _, err = place.check(place.source, "--platform", "linux/amd64")
    assert err.splitlines()[-1] == "oci:PLACE/layout: nothing found"


@pytest.mark.parametrize("wanted", ["linux/s390x", "linux/amd64,linux/s390x"])
def test_a_platform_that_the_index_lacks(wanted: str, place: Place) -> None:
    place.index(GOOD, BAD)
    out, err = place.check(place.source, "--platform", wanted, code=1)
    assert out == ""
    assert err.startswith("error: ")
    assert "oci:PLACE/layout" in err
    assert "linux/s390x" in err
    assert "linux/amd64, linux/arm64" in err


PROJECT = """\
[project]
name = "demo"
version = "1.0"
requires-python = ">=3.12"

[tool.builder.checks]
accept = [
  { check = "secret", path = "/app/*.key", reason = "made for the demonstration" },
  { check = "setuid", reason = "no more" },
]
max-layers = 1
"""


def test_a_project_s_settings_count_when_it_is_named(place: Place) -> None:
    place.put(place.image())
    project = place.path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text(PROJECT)
    out, err = place.check(place.source, "--project", project, code=1)
    lines = [line for line in out.splitlines() if not line.startswith("  fix")]
    assert [line.partition(":")[0] for line in lines] == ["error", "accepted", "  reason"]
    assert lines[0].startswith("error: max-layers: there are 2 layers, and there may be 1")
    assert lines[2] == "  reason: made for the demonstration"
    assert "nothing is found any more that is accepted as setuid" in err
    assert err.splitlines()[-1] == "oci:PLACE/layout: 1 error, 1 accepted"


def test_a_project_that_is_only_here_does_not_count(place: Place) -> None:
    place.put(place.image())
    (place.path / "pyproject.toml").write_text(PROJECT)
    out, _ = place.check(place.source, code=1)
    assert out.startswith("error: secret: ")


def test_a_project_that_is_not_there(place: Place) -> None:
    place.put(place.image())
    out, err = place.check(place.source, "--project", "nowhere", code=2)
    assert out == ""
    assert "PLACE/nowhere" in err


def test_a_name_that_build_gave(place: Place) -> None:
    image = place.image()
    store = Store(place.path / "store")
    for layer in image.layers:
        with layer.source.open() as stream:
            store.add(stream, image.manifest.value.layers[image.layers.index(layer)])
    store.put(image.config.raw)
    store.put(image.manifest.raw)
    store.tag("localhost/app:1", image.descriptor)
    _, err = place.check("app:1", code=1)
    assert err.splitlines()[-1] == "app:1: 1 error"


@pytest.mark.parametrize(
    ("image", "code", "said"),
    [
        ("app:1", 1, "error: cannot check app:1: the builder's store PLACE/store has no image"),
        ("localhost/app:1", 1, "error: cannot check localhost/app:1: the builder's store"),
        ("oci:", 2, "error: cannot check oci:: it names no image"),
        ("./nowhere", 2, "error: cannot check ./nowhere: there is no such directory"),
        ("oci:nowhere", 1, "error: cannot check oci:nowhere: nowhere is not an OCI image layout"),
        ("Not A Name", 2, "error: cannot check Not A Name: "),
        ("docker://localhost:1/app:1", 3, "error: "),
        # A name with a registry that the store does not know is asked for there.
        ("localhost:1/app:1", 3, "error: "),
    ],
)
def test_what_cannot_be_checked(image: str, code: int, said: str, place: Place) -> None:
    out, err = place.check(image, code=code)
    assert out == ""
    assert said in err


def test_a_damaged_layer(place: Place) -> None:
    image = place.image()
    place.put(image)
    blob = place.path / "layout/blobs/sha256" / image.layers[0].digest.hex
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    out, err = place.check(place.source, code=1)
    assert out == ""
    assert "error: cannot check oci:PLACE/layout: layer DIGEST" in err


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Registry]:
    with Registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.mark.engine
@pytest.mark.parametrize("scheme", ["", "docker://"])
def test_an_image_in_a_registry_is_fetched_once(
    scheme: str, place: Place, registry: Registry
) -> None:
    place.put(place.image([[*BAD[0], file(f"for-{scheme[:6]}")], *BAD[1:]]))
    name = f"{registry.host}/team/app:1"
    builder("push", place.source, name, env=place.environ)
    before = len(registry.requests())
    _, err = place.check(f"{scheme}{name}", code=1)
    assert err.splitlines()[-1] == f"{scheme}{name}: 1 error"
    paths = [each.path for each in registry.requests()[before:] if each.method == "GET"]
    blobs = [path for path in paths if "/blobs/" in path]
    assert len(blobs) == len(set(blobs)) == 3
