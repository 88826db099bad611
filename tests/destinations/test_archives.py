"""Archives and layouts as files: the same bytes, whole or not there, named as tools expect."""

import os
import resource
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.destinations.archives import DockerArchiveDestination, OciArchiveDestination
from builder.destinations.destination import Destination
from builder.destinations.layout import LayoutDestination
from builder.errors import LayerError, StoreError
from builder.oci.image import Image
from builder.oci.reference import Reference
from builder.store.layout import Layout
from layers.digest import DiffId
from layers.entries import BytesContent
from tests.destinations.conftest import Images, make_images
from tests.destinations.readers import members
from tests.images import make_image, read_image

NAMES = [Reference.parse("app:1.0"), Reference.parse("ghcr.io/team/app:1.0.3")]
ARCHIVES = [OciArchiveDestination, DockerArchiveDestination]


@pytest.fixture(params=ARCHIVES, ids=["oci", "docker"])
def archive(request: pytest.FixtureRequest, tmp_path: Path) -> Destination:
    made: Destination = request.param(label="archive", file=tmp_path / "app.tar")
    return made


def test_the_same_image_gives_the_same_bytes(archive: Destination, tmp_path: Path) -> None:
    file = tmp_path / "app.tar"
    archive.put(make_images(tmp_path / "here", "same").first, NAMES)
    once = file.read_bytes()
    file.unlink()
    archive.put(make_images(tmp_path / "over" / "there", "same").first, NAMES)
    assert file.read_bytes() == once


def test_the_mode_is_as_for_any_new_file(
    archive: Destination, images: Images, tmp_path: Path
) -> None:
    before = os.umask(0o027)
    try:
        archive.put(images.first, NAMES)
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "app.tar").stat().st_mode) == 0o640


def test_a_link_keeps_pointing_at_the_file(
    archive: Destination, images: Images, tmp_path: Path
) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "app.tar").symlink_to("disk/real.tar")
    archive.put(images.first, NAMES)
    assert (tmp_path / "app.tar").is_symlink()
    assert (tmp_path / "disk" / "real.tar").stat().st_size > images.first.size


def test_a_directory_is_not_replaced(archive: Destination, images: Images, tmp_path: Path) -> None:
    (tmp_path / "app.tar").mkdir()
    with pytest.raises(StoreError, match="it is not a file"):
        archive.put(images.first, NAMES)
    assert (tmp_path / "app.tar").is_dir()


@pytest.mark.parametrize("kind", ARCHIVES, ids=["oci", "docker"])
def test_a_device_is_not_replaced(kind: type[OciArchiveDestination], images: Images) -> None:
    with pytest.raises(StoreError, match="cannot write /dev/null: it is not a file"):
        kind(label="null", file=Path("/dev/null")).put(images.first, NAMES)
    assert Path("/dev/null").is_char_device()


@pytest.fixture
def small_disk() -> Iterator[None]:
    """Files may not grow beyond 1 MiB: the kernel refuses writes, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("images", "small_disk")
def test_a_full_disk_is_told_by_the_file_that_was_asked_for(
    archive: Destination, images: Images, tmp_path: Path
) -> None:
    (tmp_path / "app.tar").write_bytes(b"the one before")
    with pytest.raises(StoreError, match=r"cannot write .*/app\.tar: File too large"):
        archive.put(images.first, NAMES)
    assert (tmp_path / "app.tar").read_bytes() == b"the one before"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


@pytest.mark.usefixtures("images", "small_disk")
def test_a_full_disk_under_a_layout(images: Images, tmp_path: Path) -> None:
    layout = LayoutDestination(label="oci", directory=tmp_path / "layout")
    with pytest.raises(StoreError, match="File too large") as caught:
        layout.put(images.first, NAMES)
    assert "BUILDER_STORE" not in (caught.value.hint or "")
    assert Layout(tmp_path / "layout").index().manifests == ()


def test_a_place_below_a_file(archive: Destination, images: Images, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    below = type(archive)(label="x", file=tmp_path / "file" / "app.tar")  # type: ignore[call-arg]
    with pytest.raises(StoreError, match=r"File exists|Not a directory"):
        below.put(images.first, NAMES)


def test_a_docker_archive_names_everything(images: Images, tmp_path: Path) -> None:
    DockerArchiveDestination(label="d", file=tmp_path / "app.tar").put(images.first, NAMES)
    documents = members(tmp_path / "app.tar")
    [entry] = documents["manifest.json"]
    assert entry["RepoTags"] == ["localhost/app:1.0", "ghcr.io/team/app:1.0.3"]
    assert entry["Config"] == f"{images.first.config.digest.hex}.json"
    assert entry["Layers"] == [f"{layer.diff_id.hex}.tar" for layer in images.first.layers]
    assert documents[entry["Config"]] == images.first.config.value.members


def test_an_oci_archive_says_which_name_it_holds(images: Images, tmp_path: Path) -> None:
    archive = OciArchiveDestination(label="o", file=tmp_path / "app.tar")
    assert archive.put(images.first, NAMES).endswith(
        "as localhost/app:1.0 (of 2 names: an oci-archive holds one)"
    )
    [entry] = members(tmp_path / "app.tar")["index.json"]["manifests"]
    assert entry["annotations"] == {"org.opencontainers.image.ref.name": "localhost/app:1.0"}
    assert entry["platform"]["os"] == "linux"


def test_a_layer_that_stands_twice_in_an_image(
    archive: Destination, images: Images, tmp_path: Path
) -> None:
    layer = images.first.layers[1]
    archive.put(make_image([layer, images.first.layers[0], layer]), NAMES)
    assert (tmp_path / "app.tar").is_file()


def test_a_tar_that_is_not_the_diff_ids(images: Images, tmp_path: Path) -> None:
    layer = images.first.layers[0]
    liar = type(layer)(
        media_type=layer.media_type,
        digest=layer.digest,
        size=layer.size,
        diff_id=DiffId.of(b"another"),
        source=BytesContent(_bytes(images.first)),
    )
    with pytest.raises(LayerError, match="its tar should be"):
        DockerArchiveDestination(label="d", file=tmp_path / "app.tar").put(
            make_image([liar]), NAMES
        )
    assert not (tmp_path / "app.tar").exists()


def _bytes(image: Image) -> bytes:
    with image.layers[0].source.open() as stream:
        return stream.read()


def test_a_layout_names_images_by_tag_alone(images: Images, tmp_path: Path) -> None:
    two = [*NAMES, Reference.parse("app:edge"), Reference.parse("elsewhere/app:edge")]
    LayoutDestination(label="l", directory=tmp_path / "layout").put(images.first, two)
    layout = Layout(tmp_path / "layout")
    for tag in ("1.0", "1.0.3", "edge"):
        assert read_image(layout, tag).digest == images.first.digest


def test_a_layout_under_a_chosen_tag(images: Images, tmp_path: Path) -> None:
    chosen = LayoutDestination(label="l", directory=tmp_path / "layout", tag="mine")
    assert chosen.put(images.first, NAMES).startswith(f"{tmp_path}/layout:mine, 3.")
    assert read_image(Layout(tmp_path / "layout"), "mine").digest == images.first.digest


def test_a_layouts_blobs_are_its_own(images: Images, tmp_path: Path) -> None:
    LayoutDestination(label="l", directory=tmp_path / "layout").put(images.first, NAMES)
    files = [path for path in (tmp_path / "layout").rglob("*") if path.is_file()]
    assert {path.stat().st_nlink for path in files} == {1}


def test_a_directory_with_other_things_is_no_layout(images: Images, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "thesis.txt").touch()
    with pytest.raises(StoreError, match=r"holds 'thesis\.txt'"):
        LayoutDestination(label="l", directory=tmp_path / "home").put(images.first, NAMES)
