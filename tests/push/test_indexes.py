"""Indexes that builds left in the store, and what arrives of them: all, and each blob once."""

import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import oras.client
import pytest

from builder.base.intake import load_image
from builder.destinations.parse import parse_destination
from builder.errors import BaseError, RegistryError
from builder.events import ignore
from builder.oci import media_types
from builder.oci.descriptor import BASE_NAME, Descriptor
from builder.oci.image_index import ImageIndex
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.process import run
from builder.push.deliver import Route, deliver, report
from builder.push.source import open_source
from builder.registry.delivery import Delivery, Outcome
from builder.store.layout import Layout, Store
from builder.workshop import Workshop
from layers.compress import GZIP
from layers.entries import Entry, FileEntry
from tests.base.access import open_access
from tests.base.images import AMD64, ARM64, make_image
from tests.images import blob_path
from tests.push.opening import contents, opened
from tests.registry import Registry

HOST, OTHER = (AMD64, ARM64) if Platform.host().architecture == "amd64" else (ARM64, AMD64)
PURE = (FileEntry.of("app/pure.py", b"print()" * 1000),)
SKOPEO = ("skopeo", "--insecure-policy", "copy", "--quiet")
TITLE = {"org.opencontainers.image.title": "app"}


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "own")


def native(platform: Platform) -> list[Entry]:
    return [FileEntry.of("app/native.so", f"for {platform}".encode() * 100)]


def stored(store: Store, *images: Descriptor) -> ImageIndex:
    """An index of images, named as a build names it."""
    index = ImageIndex.of([load_image(image, store) for image in images], TITLE)
    store.put(index.index.raw)
    store.tag("localhost/app:1", index.descriptor)
    return index


def built(store: Store) -> ImageIndex:
    """For two platforms; the images share a layer."""
    platforms = (OTHER, HOST)
    return stored(
        store, *(make_image(store, [PURE, native(p)], platform=p, codec=GZIP) for p in platforms)
    )


def based_on(base: str, store: Store, platform: Platform) -> Descriptor:
    """An image that names its base, whose layer is the lower of two, and is its platform's."""
    made = make_image(store, [native(platform), PURE], platform=platform)
    manifest = parse_manifest(store.read(made)).value
    document = replace(manifest, annotations={BASE_NAME: base}).to_document()
    store.put(document.raw)
    return document.descriptor()


def layers_of(store: Store, image: Descriptor) -> tuple[Descriptor, ...]:
    return parse_manifest(store.read(image)).value.layers


def push(source: str, name: str, store: Store, platform: Platform | None = None) -> Delivery:
    shop = Workshop(store=store, run=run, events=ignore)
    with (
        open_access() as access,
        open_source(source, access, shop, platform=platform) as tree,
    ):
        [delivery] = deliver(tree, Route.to([Reference.parse(name)], access, shop), shop)
    return delivery


def test_a_stored_index_is_all_of_its_images(store: Store) -> None:
    index = built(store)
    with opened("app:1", store) as tree:
        assert (tree.descriptor, tree.raw) == (index.descriptor, index.index.raw)
        assert [child.raw for child in tree.children] == [i.manifest.raw for i in index.images]
        told = report(tree, ())
    assert (told["platforms"], told["size"]) == ([str(OTHER), str(HOST)], index.size)


@pytest.mark.parametrize("platform", [AMD64, ARM64], ids=str)
def test_a_platform_picks_its_image(store: Store, platform: Platform) -> None:
    index = built(store)
    image = index.image_for(platform)
    assert image
    with opened("app:1", store, platform=platform) as tree:
        assert (tree.raw, tree.children) == (image.manifest.raw, ())
        assert tree.descriptor.platform == platform


@pytest.mark.parametrize("form", ["oci:{}/layout", "oci-archive:{}/app.tar"])
def test_where_an_index_was_put_it_is_found_whole(store: Store, tmp_path: Path, form: str) -> None:
    source = form.format(tmp_path)
    parse_destination(source, store=store, run=run).put(built(store), [Reference.parse("app:1")])
    assert contents(source, Store(tmp_path / "another")) == contents("app:1", store)


def test_a_platform_that_was_not_built_is_refused_with_those_that_were(store: Store) -> None:
    built(store)
    with (
        pytest.raises(BaseError, match=f"no manifest for linux/s390x; it offers: {OTHER}, {HOST}"),
        opened("app:1", store, platform=Platform("linux", "s390x")),
    ):
        pass


def test_what_the_store_lost_of_one_image_is_told_and_the_other_can_go(store: Store) -> None:
    index = built(store)
    lost, whole = index.images
    blob_path(store, lost.descriptor).unlink()
    with pytest.raises(BaseError, match="lacks 1, or has them in another size") as caught:
        contents("app:1", store)
    assert str(lost.digest) in caught.value.message
    assert caught.value.hint == f"push one image of it with --platform: {HOST}"
    assert whole.manifest.raw in contents("app:1", store, HOST).values()


@pytest.fixture
def two_bases(registry: Registry, store: Store, tmp_path: Path) -> tuple[ImageIndex, Sequence[str]]:
    """An index whose images have bases in two repositories; the names of these."""
    names = []
    for number, platform in enumerate((OTHER, HOST)):
        layout = Layout(tmp_path / f"base {number}")
        layout.tag("1", make_image(layout, [native(platform)], platform=platform))
        names.append(f"{registry.host}/bases/{tmp_path.name.lower()}-{number}:1")
        argv = [*SKOPEO, "--preserve-digests", "--dest-tls-verify=false"]
        subprocess.run([*argv, f"oci:{layout.root}:1", f"docker://{names[-1]}"], check=True)
    pairs = zip(names, (OTHER, HOST), strict=True)
    return stored(store, *(based_on(name, store, platform) for name, platform in pairs)), names


@pytest.mark.engine
def test_layers_of_several_bases_that_were_never_fetched(
    two_bases: tuple[ImageIndex, Sequence[str]], store: Store
) -> None:
    index, bases = two_bases
    for image in index.images:
        blob_path(store, image.manifest.value.layers[0]).unlink()
    found = contents("app:1", store)
    assert set(found) >= {str(layer.digest) for image in index.images for layer in image.layers}
    own = index.images[1].manifest.value.layers[1]
    blob_path(store, own).unlink()
    with pytest.raises(RegistryError, match=f"layer {own.digest} of ") as caught:
        contents("app:1", store)
    assert any(base in caught.value.message for base in bases)


@pytest.mark.engine
def test_bases_that_were_never_fetched_are_mounted(
    registry: Registry, two_bases: tuple[ImageIndex, Sequence[str]], store: Store
) -> None:
    index, _ = two_bases
    lower = [image.manifest.value.layers[0] for image in index.images]
    for layer in lower:
        blob_path(store, layer).unlink()
    delivery = push("app:1", f"{registry.host}/indexes/mounted:1", store)
    mounted = {blob.descriptor.digest for blob in delivery.of(Outcome.MOUNTED)}
    assert mounted == {layer.digest for layer in lower}
    assert not any(map(store.has, lower))


@pytest.mark.engine
def test_every_blob_of_an_index_goes_once(registry: Registry, store: Store, tmp_path: Path) -> None:
    index = built(store)
    name = f"{registry.host}/indexes/once:1"
    before = len(registry.requests())
    delivery = push("app:1", name, store)
    asked = registry.requests()[before:]
    uploaded = [
        r.path.rpartition("digest=")[2]
        for r in asked
        if r.method == "PUT" and "/uploads/" in r.path
    ]
    assert len(uploaded) == len(set(uploaded)) == 2 + 3
    assert len(delivery.of(Outcome.SENT)) == 2 + 3
    manifests = [
        r.path.rpartition("/")[2] for r in asked if r.method == "PUT" and "/manifests/" in r.path
    ]
    assert manifests == [*(str(image.digest) for image in index.images), "1"]
    raw = ["skopeo", "inspect", "--raw", "--tls-verify=false", f"docker://{name}"]
    assert subprocess.run(raw, check=True, capture_output=True).stdout == index.index.raw
    argv = [*SKOPEO, "--all", "--src-tls-verify=false"]
    subprocess.run([*argv, f"docker://{name}", f"oci:{tmp_path}/copy:1"], check=True)
    assert contents(f"oci:{tmp_path}/copy:1", store) == contents("app:1", store)


@pytest.mark.engine
def test_an_index_that_is_there_is_not_sent_again(registry: Registry, store: Store) -> None:
    built(store)
    name = f"{registry.host}/indexes/again:1"
    push("app:1", name, store)
    before = len(registry.requests())
    delivery = push("app:1", name, store)
    assert (delivery.sent_bytes, delivery.tagged) == (0, ())
    assert {r.method for r in registry.requests()[before:]} <= {"GET", "HEAD"}


@pytest.mark.engine
def test_of_an_index_that_changes_only_what_changed_is_asked_for(
    registry: Registry, store: Store
) -> None:
    first = built(store)
    name = f"{registry.host}/indexes/changed:1"
    push("app:1", name, store)
    changed = (FileEntry.of("app/changed", b"another line"),)
    platforms = (OTHER, HOST)
    images = [
        make_image(store, [PURE, native(p), changed], platform=p, codec=GZIP) for p in platforms
    ]
    stored(store, *images)
    before = len(registry.requests())
    delivery = push("app:1", name, store)
    assert len(delivery.of(Outcome.SENT)) == 1 + 2  # the layer, and two configs
    asked = [r.path for r in registry.requests()[before:]]
    kept = {layer.digest for image in first.images for layer in image.layers}
    assert not [path for path in asked for digest in kept if str(digest) in path]


@pytest.mark.engine
def test_one_image_of_a_stored_index_goes_alone(registry: Registry, store: Store) -> None:
    index = built(store)
    push("app:1", f"{registry.host}/indexes/alone:1", store, HOST)
    image = index.image_for(HOST)
    assert image
    assert registry.read("indexes/alone", "manifests/1") == image.manifest.raw
    assert registry.read("indexes/alone", f"manifests/{index.images[0].digest}") is None


@pytest.mark.engine
def test_podman_and_oras_read_what_was_pushed(registry: Registry, store: Store) -> None:
    index = built(store)
    name = f"{registry.host}/indexes/read:1"
    push("app:1", name, store)
    client = oras.client.OrasClient(insecure=True)
    listed = client.get_manifest(name, [media_types.INDEX])
    assert [entry["digest"] for entry in listed["manifests"]] == [
        str(image.digest) for image in index.images
    ]
    assert listed["annotations"] == TITLE
    image = index.image_for(HOST)
    assert image
    pulled = run(["podman", "pull", "--quiet", "--tls-verify=false", name])
    assert pulled.stdout.strip() == image.config.digest.hex, pulled.last_words
    run(["podman", "rmi", "--force", image.config.digest.hex])
