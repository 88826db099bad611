"""An index of images for several platforms, at every destination, as other tools find it there."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from builder.destinations.parse import parse_destination
from builder.destinations.podman import PodmanDestination
from builder.errors import SettingsError
from builder.oci.image_index import Built, ImageIndex
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import run
from builder.store.layout import Layout
from tests.destinations import readers
from tests.destinations.conftest import FOREIGN, Images
from tests.destinations.readers import members, output_of
from tests.destinations.runners import Counting, FakeRun
from tests.images import find_named, make_image, read_index

NAMES = [Reference.parse("builder-tests/several:1.0"), Reference.parse("ghcr.io/builder-tests/s:2")]
LOCAL = "localhost/builder-tests/several:1.0"
HOST = Platform.host()


@pytest.fixture
def put(images: Images, tmp_path: Path) -> Callable[..., str]:
    """Puts the index of the images, or another, where it is told."""

    def do(text: str, index: Built | None = None) -> str:
        destination = parse_destination(text.format(tmp_path), store=images.store, run=run)
        return destination.put(index or images.index, NAMES)

    return do


@pytest.fixture
def in_podman(images: Images) -> Iterator[Images]:
    yield images
    run(["podman", "rmi", "--force", images.second.config.digest.hex])


@pytest.fixture(params=["oci:{}/layout", "oci-archive:{}/app.tar"], ids=["oci", "oci-archive"])
def whole(request: pytest.FixtureRequest, put: Callable[..., str], tmp_path: Path) -> str:
    """What skopeo calls an index at a destination that holds all of it."""
    put(request.param)
    return f"{request.param.format(tmp_path)}:{'1.0' if 'layout' in request.param else LOCAL}"


@pytest.mark.engine
def test_skopeo_reads_the_index_as_it_is(whole: str, images: Images) -> None:
    assert output_of("skopeo", "inspect", "--raw", whole).encode() == images.index.index.raw


@pytest.mark.engine
def test_skopeo_copies_all_of_it(whole: str, images: Images, tmp_path: Path) -> None:
    output_of("skopeo", "copy", "--all", "--quiet", whole, f"oci:{tmp_path}/copy:all")
    copied = read_index(Layout(tmp_path / "copy"), "all")
    assert copied.digest == images.index.digest
    for image in copied.images:
        for layer in image.layers:
            with layer.source.open() as stream:
                assert stream.read()


@pytest.mark.engine
def test_skopeo_copies_the_image_of_either_platform(
    whole: str, images: Images, tmp_path: Path
) -> None:
    for image in images.index.images:
        architecture = image.config.value.platform.architecture
        chosen = ("--override-os", "linux", "--override-arch", architecture)
        output_of("skopeo", *chosen, "copy", "--quiet", whole, f"oci:{tmp_path}/one:{architecture}")
        found = find_named(Layout(tmp_path / "one"), architecture)
        assert found.digest == image.digest


@pytest.mark.engine
def test_umoci_keeps_all_of_a_layout(
    put: Callable[..., str], images: Images, tmp_path: Path
) -> None:
    put("oci:{}/layout")
    output_of("umoci", "gc", "--layout", tmp_path / "layout")
    assert output_of("umoci", "list", "--layout", tmp_path / "layout").split() == ["1.0", "2"]
    assert read_index(Layout(tmp_path / "layout"), "1.0").digest == images.index.digest
    blobs = [path.name for path in (tmp_path / "layout").glob("blobs/sha256/*")]
    assert len(blobs) == 1 + 2 * 2 + 2


@pytest.mark.engine
def test_podman_loads_this_machines_image_from_an_archive(
    put: Callable[..., str], in_podman: Images, tmp_path: Path
) -> None:
    put("oci-archive:{}/app.tar")
    output_of("podman", "load", "--quiet", "--input", tmp_path / "app.tar")
    assert readers.podman(LOCAL).config == in_podman.second.config.digest.hex


def test_an_archive_lists_one_image_the_index(
    put: Callable[..., str], images: Images, tmp_path: Path
) -> None:
    put("oci-archive:{}/app.tar")
    [entry] = members(tmp_path / "app.tar")["index.json"]["manifests"]
    assert entry == {
        **images.index.descriptor.to_json(),
        "annotations": {"org.opencontainers.image.ref.name": LOCAL},
    }


def test_what_images_share_is_written_once(put: Callable[..., str], tmp_path: Path) -> None:
    put("oci-archive:{}/app.tar")
    listed = output_of("tar", "-tf", tmp_path / "app.tar").split()
    assert len(listed) == len(set(listed))
    blobs = [name for name in listed if name.startswith("blobs/sha256/") and name[-1] != "/"]
    assert len(blobs) == 1 + 2 * 2 + 2


def test_an_archive_of_the_same_index_has_the_same_bytes(
    put: Callable[..., str], tmp_path: Path
) -> None:
    put("oci-archive:{}/one.tar")
    put("oci-archive:{}/two.tar")
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_a_layout_names_the_index_and_keeps_other_images(
    put: Callable[..., str], images: Images, tmp_path: Path
) -> None:
    put("oci:{}/layout:all")
    one = parse_destination(f"oci:{tmp_path}/layout:one", store=images.store, run=run)
    one.put(images.first, NAMES)
    layout = Layout(tmp_path / "layout")
    assert read_index(layout, "all").digest == images.index.digest
    assert find_named(layout, "one").digest == images.first.digest


def test_the_output_says_for_which_platforms_it_is(put: Callable[..., str], images: Images) -> None:
    ending = f", for {FOREIGN}, {HOST}"
    assert put("oci:{}/layout").endswith(ending)
    assert put("oci-archive:{}/app.tar").endswith(ending)
    assert not put("oci-archive:{}/app.tar", images.first).endswith(f"{HOST}")


ONE_ONLY = ["docker-archive:{}/app.tar", "docker"]


@pytest.mark.parametrize("text", ONE_ONLY)
def test_what_has_room_for_one_image_refuses_an_index(
    text: str, images: Images, tmp_path: Path
) -> None:
    label = text.format(tmp_path)
    destination = parse_destination(label, store=images.store, run=FakeRun())
    with pytest.raises(SettingsError) as before:
        destination.expect(images.index.platforms)
    with pytest.raises(SettingsError) as caught:
        destination.put(images.index, NAMES)
    assert caught.value.message == before.value.message
    assert caught.value.message.startswith(f"cannot write {label}: ")
    assert caught.value.message.endswith(
        f" holds an image for one platform, and this one is for {FOREIGN}, {HOST}"
    )
    assert f"--platform {FOREIGN}; or write oci-archive:FILE" in (caught.value.hint or "")
    assert list(tmp_path.glob("*.tar")) == []


@pytest.mark.parametrize("text", [*ONE_ONLY, "podman", "oci:{}/layout", "oci-archive:{}/app.tar"])
def test_one_platform_is_welcome_everywhere(text: str, images: Images, tmp_path: Path) -> None:
    destination = parse_destination(text.format(tmp_path), store=images.store, run=FakeRun())
    for platform in (HOST, FOREIGN):
        destination.expect([platform])


@pytest.mark.parametrize("text", ["podman", "oci:{}/layout", "oci-archive:{}/app.tar"])
def test_several_are_welcome_where_the_format_can(
    text: str, images: Images, tmp_path: Path
) -> None:
    destination = parse_destination(text.format(tmp_path), store=images.store, run=FakeRun())
    destination.expect(images.index.platforms)


def test_a_docker_archive_of_an_index_of_one_image(
    put: Callable[..., str], images: Images, tmp_path: Path
) -> None:
    put("docker-archive:{}/app.tar", ImageIndex.of([images.first]))
    [entry] = members(tmp_path / "app.tar")["manifest.json"]
    assert entry["Config"] == f"{images.first.config.digest.hex}.json"


def podman_of(images: Images) -> tuple[PodmanDestination, Counting]:
    runner = Counting()
    return PodmanDestination(store=images.store, run=runner), runner


def digests_of(name: str) -> set[str]:
    [facts] = json.loads(output_of("podman", "image", "inspect", name))
    return {each.rpartition("@")[2] for each in facts["RepoDigests"]}


@pytest.mark.engine
def test_podman_gets_this_machines_image(in_podman: Images) -> None:
    podman, _ = podman_of(in_podman)
    said = podman.put(in_podman.index, NAMES)
    assert said == (
        f"loaded as {LOCAL}, ghcr.io/builder-tests/s:2: {HOST}; "
        f"podman keeps one platform, so not {FOREIGN}"
    )
    assert readers.podman(LOCAL).config == in_podman.second.config.digest.hex
    assert sorted(readers.podman_names(LOCAL)) == sorted(name.local for name in NAMES)


@pytest.mark.engine
def test_podman_knows_it_by_the_digest_of_the_index_and_by_its_own(in_podman: Images) -> None:
    podman_of(in_podman)[0].put(in_podman.index, NAMES)
    assert {str(in_podman.index.digest), str(in_podman.second.digest)} <= digests_of(LOCAL)
    by_digest = f"{LOCAL}@{in_podman.index.digest}"
    assert readers.podman(by_digest).config == in_podman.second.config.digest.hex


@pytest.mark.engine
def test_an_index_that_is_there_costs_one_start(in_podman: Images) -> None:
    podman, runner = podman_of(in_podman)
    said = podman.put(in_podman.index, NAMES)
    runner.commands.clear()
    assert podman.put(in_podman.index, NAMES) == said
    assert runner.commands == ["image"]


@pytest.mark.engine
@pytest.mark.parametrize("kind", ["index, then image", "image, then index", "index, then index"])
def test_an_image_in_use_stays_when_only_what_lists_it_changes(
    in_podman: Images, kind: str
) -> None:
    other = ImageIndex.of(in_podman.index.images, {"org.opencontainers.image.revision": "2"})
    plain, listed = in_podman.second, in_podman.index
    kinds: dict[str, tuple[Built, Built]] = {
        "index, then image": (listed, plain),
        "image, then index": (plain, listed),
        "index, then index": (listed, other),
    }
    before, after = kinds[kind]
    podman, runner = podman_of(in_podman)
    podman.put(before, NAMES)
    container = output_of("podman", "create", "--network", "none", LOCAL)
    try:
        podman.put(after, NAMES)
    finally:
        output_of("podman", "rm", container)
    assert "rmi" not in runner.commands
    assert str(after.digest) in digests_of(LOCAL)


@pytest.mark.engine
def test_an_index_of_the_image_packed_otherwise_replaces_it(in_podman: Images) -> None:
    podman, _ = podman_of(in_podman)
    podman.put(in_podman.first, NAMES)
    podman.put(ImageIndex.of([in_podman.foreign, in_podman.repacked]), NAMES)
    assert str(in_podman.repacked.digest) in digests_of(LOCAL)
    assert str(in_podman.first.digest) not in digests_of(LOCAL)
    run(["podman", "rmi", "--force", in_podman.first.config.digest.hex])


def foreign_index(images: Images) -> ImageIndex:
    other = make_image(images.foreign.layers, platform=Platform("linux", "s390x"))
    return ImageIndex.of([images.foreign, other])


def test_an_index_without_an_image_for_this_machine_is_not_loaded(images: Images) -> None:
    podman = PodmanDestination(store=images.store, run=FakeRun())
    index = foreign_index(images)
    with pytest.raises(SettingsError) as before:
        podman.expect(index.platforms)
    with pytest.raises(SettingsError) as caught:
        podman.put(index, NAMES)
    assert caught.value.message == before.value.message
    assert caught.value.message == (
        f"nothing to load into podman: this machine is {HOST}, and the image is for "
        f"{FOREIGN}, linux/s390x"
    )
    assert "--no-load" in (caught.value.hint or "")
    assert "--output oci-archive:FILE" in (caught.value.hint or "")


@pytest.mark.engine
def test_podman_takes_an_uncommon_variant(images: Images) -> None:
    own = make_image(images.second.layers, platform=replace(HOST, variant="v3"))
    podman, _ = podman_of(images)
    try:
        said = podman.put(ImageIndex.of([images.foreign, own]), NAMES)
        assert f": {HOST}/v3; podman keeps one platform, so not {FOREIGN}" in said
        assert readers.podman(LOCAL).digest == str(own.digest)
    finally:
        run(["podman", "rmi", "--force", own.config.digest.hex])
