"""What every destination promises, shown on each of them."""

import hashlib
import io
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

import pytest

from builder.destinations.destination import Destination
from builder.destinations.parse import parse_destination
from builder.errors import LayerError, SettingsError
from builder.oci.image import Image
from builder.oci.image_index import Built, ImageIndex
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import run
from layers.entries import BytesContent, Content
from tests.destinations import readers
from tests.destinations.conftest import Images, make_images
from tests.destinations.readers import Found, output_of
from tests.images import blob_path

pytestmark = pytest.mark.engine

APP = [Reference.parse("builder-tests/app:1.0")]
OTHER = [Reference.parse("builder-tests/other:2.0")]

type Read = Callable[[Path, Reference], Found]


@dataclass(frozen=True, slots=True)
class Kind:
    """How the user writes a destination, and how its image is read back.

    Attributes:
        text: with ``{}`` for a new directory.
        read: by another tool.
        keeps_digest: whether the format has a place for the manifest.
        holds_many: whether other images stay.
        takes_indexes: whether images for several platforms can be put there.
    """

    text: str
    read: Read
    keeps_digest: bool = True
    holds_many: bool = False
    takes_indexes: bool = True


KINDS = {
    "oci": Kind(
        "oci:{}/layout",
        lambda at, name: readers.skopeo(f"oci:{at}/layout:{name.tag}"),
        holds_many=True,
    ),
    "oci-archive": Kind(
        "oci-archive:{}/new/app.tar",
        lambda at, name: readers.skopeo(f"oci-archive:{at}/new/app.tar:{name.local}"),
    ),
    "docker-archive": Kind(
        "docker-archive:{}/new/app.tar",
        lambda at, name: readers.skopeo(f"docker-archive:{at}/new/app.tar:{name.local}"),
        keeps_digest=False,
        takes_indexes=False,
    ),
    "podman": Kind("podman", lambda _, name: readers.podman(name.local), holds_many=True),
}


@dataclass(frozen=True, slots=True)
class Place:
    kind: Kind
    at: Path
    destination: Destination

    def read(self, names: Sequence[Reference]) -> Found:
        return self.kind.read(self.at, names[0])

    def files(self) -> dict[str, str]:
        """Every file there, with its digest."""
        return {
            str(path.relative_to(self.at)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(self.at.rglob("*"))
            if path.is_file()
        }

    def new_files(self) -> list[str]:
        """What a layout that was only begun should not have: it is valid, and names no image.

        Blobs that came whole may stay, as their names say what they hold.
        """
        whole = {f"layout/blobs/sha256/{digest}" for digest in self.files().values()}
        return [name for name in self.files() if name not in whole]


@pytest.fixture(params=KINDS)
def place(request: pytest.FixtureRequest, images: Images, tmp_path: Path) -> Iterator[Place]:
    kind = KINDS[request.param]
    at = tmp_path / "out"
    at.mkdir()
    yield Place(kind, at, parse_destination(kind.text.format(at), store=images.store, run=run))
    _forget(images)


def _forget(images: Images) -> None:
    for image in (images.first, images.second):
        # By id: whatever names it has, it is ours.
        run(["podman", "rmi", "--force", image.config.digest.hex])


def _agrees(found: Found, built: Built, kind: Kind) -> bool:
    """Of an index the tools show its digest, and the image for this machine."""
    image = built if isinstance(built, Image) else built.image_for(Platform.host())
    assert image
    diff_ids = [str(layer.diff_id) for layer in image.layers]
    same_digest = found.digest == str(built.digest) or not kind.keeps_digest
    return same_digest and list(found.diff_ids) == diff_ids


def test_the_label_is_what_the_user_wrote(place: Place) -> None:
    assert place.destination.label == place.kind.text.format(place.at)


def test_what_is_put_can_be_read_back(place: Place, images: Images) -> None:
    detail = place.destination.put(images.first, APP)
    assert "\n" not in detail
    assert _agrees(place.read(APP), images.first, place.kind)


def test_doing_it_again_changes_nothing(place: Place, images: Images) -> None:
    first = place.destination.put(images.first, APP)
    files = place.files()
    assert place.destination.put(images.first, APP) == first
    assert place.files() == files
    assert _agrees(place.read(APP), images.first, place.kind)


def test_a_name_moves_to_the_new_image(place: Place, images: Images) -> None:
    place.destination.put(images.first, APP)
    place.destination.put(images.second, APP)
    assert _agrees(place.read(APP), images.second, place.kind)


def test_other_images_stay(place: Place, images: Images) -> None:
    place.destination.put(images.first, APP)
    place.destination.put(images.second, OTHER)
    assert _agrees(place.read(OTHER), images.second, place.kind)
    if place.kind.holds_many:
        assert _agrees(place.read(APP), images.first, place.kind)


def test_an_index_can_be_read_back_or_is_refused_before_and_after(
    place: Place, images: Images
) -> None:
    if place.kind.takes_indexes:
        place.destination.expect(images.index.platforms)
        detail = place.destination.put(images.index, APP)
        assert "\n" not in detail
        assert _agrees(place.read(APP), images.index, place.kind)
        assert place.destination.put(images.index, APP) == detail
        return
    with pytest.raises(SettingsError):
        place.destination.expect(images.index.platforms)
    with pytest.raises(SettingsError):
        place.destination.put(images.index, APP)
    assert place.files() == {}


def test_a_name_moves_between_images_and_indexes(place: Place, images: Images) -> None:
    if place.kind.takes_indexes:
        place.destination.put(images.first, APP)
        place.destination.put(images.index, APP)
        assert _agrees(place.read(APP), images.index, place.kind)
    place.destination.put(images.first, APP)
    assert _agrees(place.read(APP), images.first, place.kind)


def test_compressed_otherwise_it_replaces_itself(place: Place, images: Images) -> None:
    place.destination.put(images.first, [*APP, *OTHER])
    place.destination.put(images.repacked, APP)
    assert _agrees(place.read(APP), images.repacked, place.kind)


@dataclass(frozen=True, slots=True)
class _Failing:
    """Content that gives half of itself, and then Ctrl-C."""

    content: Content

    def open(self) -> BinaryIO:
        with self.content.open() as stream:
            half = stream.read(1 << 20)

        class Half(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                if data := super().read(size):
                    return data
                raise KeyboardInterrupt

        return Half(half)


def _with_source(image: Image, source: Content) -> Image:
    return replace(image, layers=(replace(image.layers[0], source=source), *image.layers[1:]))


def _first_layer(images: Images) -> bytes:
    with images.first.layers[0].source.open() as stream:
        return stream.read()


def _lacking_its_blob(images: Images) -> None:
    blob_path(images.store, images.first.manifest.value.layers[0]).unlink()


@pytest.mark.parametrize("before", [True, False], ids=["over another", "new"])
def test_interrupted_it_leaves_what_was_there(
    place: Place, images: Images, tmp_path: Path, *, before: bool
) -> None:
    stranger = make_images(tmp_path / "another store", "stranger")
    if before:
        place.destination.put(stranger.first, OTHER)
    files = place.files()
    layer = _first_layer(images)
    _lacking_its_blob(images)
    broken = _with_source(images.first, _Failing(BytesContent(layer)))
    with pytest.raises(KeyboardInterrupt):
        place.destination.put(broken, APP)
    for thread in threading.enumerate():
        if thread.name.startswith("worker"):
            thread.join()
    kept = {name: digest for name, digest in place.files().items() if name in files}
    assert kept == files
    assert set(place.new_files()) - set(files) <= {"layout/index.json", "layout/oci-layout"}
    if before:
        assert _agrees(place.read(OTHER), stranger.first, place.kind)
    _forget(stranger)


def test_a_damaged_layer_is_refused(place: Place, images: Images) -> None:
    data = bytearray(_first_layer(images))
    data[len(data) // 2] ^= 1
    _lacking_its_blob(images)
    broken = _with_source(images.first, BytesContent(bytes(data)))
    both: list[Built] = [
        broken,
        *([ImageIndex.of([images.foreign, broken])] * place.kind.takes_indexes),
    ]
    for built in both:
        with pytest.raises(LayerError, match=str(images.first.layers[0].digest)):
            place.destination.put(built, APP)
    assert set(place.new_files()) <= {"layout/index.json", "layout/oci-layout"}


def test_no_image_is_left_in_podman_by_another_name(images: Images) -> None:
    put = parse_destination("podman", store=images.store, run=run).put
    listed = ("podman", "images", "--format", "{{.Repository}}")
    before = set(output_of(*listed).splitlines())
    put(images.first, [*APP, *OTHER])
    names = readers.podman_names(images.first.config.digest.hex)
    assert sorted(names) == ["localhost/builder-tests/app:1.0", "localhost/builder-tests/other:2.0"]
    new = set(output_of(*listed).splitlines()) - before
    assert not [name for name in new if name.startswith("localhost/tmp/")]
    _forget(images)
