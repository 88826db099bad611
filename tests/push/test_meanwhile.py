"""What others do at the registry while an image is built that goes there."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from builder.oci.image import Image
from builder.oci.tree import ManifestTree
from builder.push.ahead import going_ahead
from builder.push.deliver import deliver, report
from builder.registry.delivery import Delivery
from layers.digest import Digest
from tests.push.test_ahead import Pushing, base_of, finish, pushing, wait_until
from tests.registry import Registry

pytestmark = pytest.mark.engine


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Pushing]:
    with Registry(tmp_path / "registry") as registry, pushing(registry, tmp_path) as it:
        yield it


def built(
    it: Pushing,
    image: Image,
    *names: str,
    known: Callable[[], bool],
    meanwhile: Callable[[], object],
) -> tuple[Delivery, ...]:
    """Push what is built anew, with something else that happens before there is an image."""
    route = it.route(*names)
    with going_ahead(route) as ahead:
        ahead.stand_on(base_of(image, 1))
        finish(ahead, image.layers[1:])
        wait_until(known)
        meanwhile()
        return deliver(ManifestTree.of_image(image), route, it.shop)


def since(it: Pushing, what: str) -> Callable[[], bool]:
    """Whether there was such a request from now on."""
    before = it.asked().count(what)
    return lambda: it.asked().count(what) > before


def remove(it: Pushing, repository: str, image: Image) -> None:
    """Remove a manifest, under all of its names."""
    with closing(it.registry.connect()) as connection:
        connection.request("DELETE", f"/v2/{repository}/manifests/{image.digest}")
        assert connection.getresponse().status == 202


def lose(it: Pushing, repository: str, *digests: Digest) -> None:
    """Remove blobs, as a registry does with what no manifest points at."""
    for digest in digests:
        for link in it.registry.storage.glob(f"**/{repository}/_layers/sha256/{digest.hex}/link"):
            link.unlink()


def blobs_of(image: Image) -> list[Digest]:
    return [blob.descriptor.digest for blob in ManifestTree.of_image(image).blobs]


@pytest.mark.parametrize("loses", [False, True])
def test_a_name_that_somebody_moves_comes_back(opened: Pushing, *, loses: bool) -> None:
    """It stood for the image when the build began, which is said to be there in the end."""
    image, other = opened.image("base", "source"), opened.image("base", "other")
    opened.push(image, "app:1", "app:2")

    def meanwhile() -> None:
        opened.push(other, "app:1")
        remove(opened, "app", image)
        if loses:
            lose(opened, "app", *set(blobs_of(image)) - set(blobs_of(other)))

    looked = since(opened, "GET manifests")
    deliveries = built(opened, image, "app:1", "app:2", known=looked, meanwhile=meanwhile)
    for tag in ("1", "2"):
        assert opened.registry.read("app", f"manifests/{tag}") == image.manifest.raw
    for digest in blobs_of(image):
        assert opened.registry.read("app", f"blobs/{digest}")
    [repository] = report(ManifestTree.of_image(image), deliveries)["repositories"]
    assert repository["changed_tags"] == ["1", "2"]


def test_a_name_that_somebody_moves_to_the_image_is_not_asked_again(opened: Pushing) -> None:
    image, other = opened.image("base", "source"), opened.image("base", "other")
    opened.push(other, "app:1")
    looked = since(opened, "GET manifests")
    before = len(opened.asked())
    built(opened, image, "app:1", known=looked, meanwhile=lambda: opened.push(image, "app:1"))
    asked = opened.asked()[before:]
    assert asked.count("HEAD manifests") == 2  # of each push
    assert asked[-1] == "PUT manifests"


def test_a_blob_that_was_seen_and_is_lost_goes_again(opened: Pushing) -> None:
    """It was in the repository when its layer was finished, and no name of the image told so."""
    image = opened.image("base", "source")
    opened.push(image, "app:other")
    lost = image.layers[1].digest
    built(
        opened,
        image,
        "app:1",
        known=since(opened, "HEAD blobs"),
        meanwhile=lambda: lose(opened, "app", lost),
    )
    assert opened.registry.read("app", "manifests/1") == image.manifest.raw
    assert opened.registry.read("app", f"blobs/{lost}")
