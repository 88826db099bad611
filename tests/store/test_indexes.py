"""An index of images in a store: kept whole, seen to be whole, and removed as a whole."""

from pathlib import Path

import pytest

from builder.events import ignore
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index, parse_manifest
from builder.store.inventory import NamedImage, take_inventory
from builder.store.layout import Layout, Store
from builder.store.prune import Limits, prune
from builder.store.summary import summarize
from builder.store.verify import verify
from tests.images import blob_path
from tests.store.stores import NAME, blob, blobs, image, names, used

FROM_REGISTRY = {NAME: "docker.io/library/python"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def index(layout: Layout, name: str | None, *listed: Descriptor) -> Descriptor:
    document = Index(manifests=listed, annotations={"title": name or "inner"}).to_document()
    layout.put(document.raw)
    if name is not None:
        layout.tag(name, document.descriptor())
    return document.descriptor()


def for_two(layout: Layout, name: str) -> Descriptor:
    """An index of two images, the second in an index of its own, which share a layer."""
    shared, own = b"pure", name.encode()
    inner = index(layout, None, image(layout, None, shared, own + b" arm64"))
    return index(layout, name, image(layout, None, shared, own + b" amd64"), inner)


def layers_of(layout: Layout, manifest: Descriptor) -> tuple[Descriptor, ...]:
    return parse_manifest(layout.read(manifest)).value.layers


def only_image(store: Store) -> NamedImage:
    [found] = take_inventory(Layout(store.root)).images
    return found


def test_all_of_an_index_is_kept(store: Store) -> None:
    top = for_two(store, "app")
    needed = blobs(store)
    lost = blob(store, b"lost")
    found = only_image(store)
    assert (found.digest, found.names, found.is_whole) == (top.digest, ("app",), True)
    assert found.needs == needed
    removal = prune(store.root, Limits(), ignore)
    assert [file.path.name for file in removal.blobs] == [lost.digest.hex]
    assert (blobs(store), names(store)) == (needed, ["app"])


def test_an_index_goes_as_a_whole_and_leaves_what_another_needs(store: Store) -> None:
    old = for_two(store, "old")
    new = for_two(store, "new")
    used(blob_path(store, old), 1_000_000_000)
    removal = prune(store.root, Limits(max_age=3600), ignore)
    assert [gone.digest for gone in removal.images] == [old.digest]
    assert names(store) == ["new"]
    assert blobs(store) == only_image(store).needs
    assert only_image(store).digest == new.digest
    assert verify(store.root, ignore).is_sound


def test_a_store_that_shall_be_smaller_keeps_the_index_used_last(store: Store) -> None:
    for number, name in enumerate(("one", "two", "three")):
        used(blob_path(store, for_two(store, name)), 1_000_000_000 + number)
    size = sum(found.size for found in take_inventory(store).files())
    prune(store.root, Limits(max_size=size // 2), ignore)
    assert names(store) == ["three"]
    assert only_image(store).is_whole


def test_every_blob_of_an_index_is_missed(store: Store) -> None:
    for_two(store, "app")
    for name in sorted(blobs(store)):
        path = store.root / "blobs" / "sha256" / name
        data = path.read_bytes()
        path.unlink()
        assert not only_image(store).is_whole
        assert verify(store.root, ignore, dry_run=True).incomplete_names == ("app",)
        path.write_bytes(data)
    assert only_image(store).is_whole


def test_an_index_with_a_damaged_blob_loses_its_name(store: Store) -> None:
    for_two(store, "app")
    image(store, "other", b"pure")
    bad = blob(store, b"app arm64")
    blob_path(store, bad).write_bytes(b"app ARM64")
    findings = verify(store.root, ignore)
    assert [file.path.name for file in findings.damaged] == [bad.digest.hex]
    assert findings.incomplete_names == ("app",)
    assert names(store) == ["other"]
    assert verify(store.root, ignore).is_sound


def test_layers_of_bases_may_still_be_with_their_registries(store: Store) -> None:
    children = []
    for number in (1, 2):
        base = image(store, None, b"base %d" % number)
        children.append(image(store, None, b"own", base=base, annotations=FROM_REGISTRY))
        blob_path(store, layers_of(store, base)[0]).unlink()
    index(store, "app", *children)
    assert only_image(store).is_whole
    assert verify(store.root, ignore).is_sound
    [_, own] = layers_of(store, children[0])
    blob_path(store, own).unlink()
    assert not only_image(store).is_whole


def test_every_base_of_an_index_counts_as_one(store: Store) -> None:
    bases = [image(store, None, b"base %d" % number) for number in (1, 2)]
    of_bases = blobs(store)
    index(store, "app", *(image(store, None, b"own", base=base) for base in bases))
    assert only_image(store).base == of_bases
    shares = {share.label: share.files for share in summarize(take_inventory(store))}
    assert (shares["bases"], shares["images"]) == (2 * 3, len(blobs(store)) - 2 * 3)
