"""Images of this machine as they are pushed: every byte as it was found."""

import json
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from builder.base.intake import load_image
from builder.destinations.archives import DockerArchiveDestination, OciArchiveDestination
from builder.errors import BaseError, BuilderError, LayerError, SettingsError
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import Index, parse_manifest
from builder.oci.platform import Platform
from builder.oci.reference import Reference
from builder.parallel import in_parallel
from builder.store.layout import Layout, Store
from layers.compress import GZIP
from layers.digest import Digest
from layers.entries import FileEntry
from tests.base.images import AMD64, ARM64, PYTHON, ROOTFS, make_image, make_index, stored_image
from tests.images import blob_path
from tests.push.opening import contents, files, opened


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "own")


def blobs(layout: Layout) -> dict[str, bytes]:
    directory = layout.root / "blobs" / "sha256"
    return {f"sha256:{path.name}": path.read_bytes() for path in directory.iterdir()}


def refused(text: str, store: Store, platform: Platform | None = None) -> BuilderError:
    with pytest.raises(BuilderError) as caught, opened(text, store, platform=platform):
        pass
    return caught.value


def test_an_index_goes_with_all_its_images(layout: Layout, store: Store) -> None:
    amd = make_image(layout, [ROOTFS, PYTHON], codec=GZIP)
    arm = make_image(layout, [ROOTFS, PYTHON], codec=GZIP, platform=ARM64)
    inner = replace(make_index(layout, arm), platform=ARM64)
    top = make_index(layout, amd, inner)
    layout.tag("1", top)
    before = files(layout.root)
    for source in (str(layout.root), f"oci:{layout.root}", f"oci:{layout.root}:1"):
        assert contents(source, store) == blobs(layout)
    with opened(str(layout.root), store) as tree:
        assert tree.descriptor == top
        digests = [document.descriptor.digest for document in tree.documents()]
    assert digests == [amd.digest, arm.digest, inner.digest, top.digest]
    assert (files(layout.root), blobs(store)) == (before, {})


def test_a_platform_is_one_image_of_an_index(layout: Layout, store: Store) -> None:
    amd = make_image(layout, [ROOTFS])
    arm = make_image(layout, [PYTHON], platform=ARM64)
    layout.tag("1", make_index(layout, amd, replace(make_index(layout, arm), platform=ARM64)))
    with opened(str(layout.root), store, platform=Platform("linux", "arm64")) as tree:
        assert (tree.descriptor, tree.children) == (arm, ())
    assert refused(str(layout.root), store, Platform("linux", "s390x")).message == (
        f"cannot push {layout.root}: the index has no manifest for linux/s390x; "
        "it offers: linux/amd64, linux/arm64/v8"
    )


def test_an_image_tells_its_platform(layout: Layout, store: Store) -> None:
    image = make_image(layout, [ROOTFS])
    layout.tag("1", replace(image, platform=None))
    with opened(str(layout.root), store) as tree:
        assert tree.descriptor == image
    assert refused(str(layout.root), store, ARM64).message == (
        f"cannot push {layout.root}: the image is for linux/amd64, wanted one for linux/arm64/v8"
    )


def test_several_names_of_one_image_need_no_choice(layout: Layout, store: Store) -> None:
    image = make_image(layout, [ROOTFS])
    layout.tag("1", image)
    layout.tag("latest", image)
    with opened(str(layout.root), store) as tree:
        assert tree.descriptor == image
    layout.tag("2", make_image(layout, [PYTHON]))
    assert "several images, and none was chosen" in refused(str(layout.root), store).message


def test_a_platform_chooses_between_images_of_one_name(layout: Layout, store: Store) -> None:
    amd, arm = (make_image(layout, [ROOTFS], platform=p) for p in (AMD64, ARM64))
    listed = Index(manifests=(amd, arm)).to_document().raw
    (layout.root / "index.json").write_bytes(listed)
    with opened(str(layout.root), store, platform=AMD64) as tree:
        assert tree.descriptor == amd
    error = refused(str(layout.root), store)
    assert "2 images of one name, and no platform was chosen" in error.message
    assert error.hint == "choose with --platform: linux/amd64, linux/arm64/v8"


def test_docker_s_documents_stay_docker_s(layout: Layout, store: Store) -> None:
    image = make_image(layout, [ROOTFS], codec=GZIP)
    document = json.loads(layout.read(image))
    document["mediaType"] = media_types.DOCKER_MANIFEST
    document["config"]["mediaType"] = media_types.DOCKER_CONFIG
    raw = json.dumps(document, indent=3).encode()
    layout.put(raw)
    layout.tag("1", described(raw, media_types.DOCKER_MANIFEST))
    with opened(str(layout.root), store) as tree:
        assert (tree.raw, tree.descriptor.media_type) == (raw, media_types.DOCKER_MANIFEST)
        assert {b.descriptor.media_type for b in tree.blobs} >= {media_types.DOCKER_CONFIG}
        assert tree.descriptor.platform == AMD64


def described(raw: bytes, media_type: str) -> Descriptor:
    return Descriptor(media_type=media_type, digest=Digest.of(raw), size=len(raw))


@pytest.mark.parametrize(
    "media_type",
    [
        "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip",
        "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip",
    ],
)
def test_what_may_not_be_distributed_stays_out(
    layout: Layout, store: Store, media_type: str
) -> None:
    image = make_image(layout, [ROOTFS, PYTHON])
    document = json.loads(layout.read(image))
    own = document["layers"][1]["digest"]
    foreign = document["layers"][0]
    foreign |= {"mediaType": media_type, "urls": ["https://vendor.test/layer"]}
    raw = json.dumps(document).encode()
    layout.put(raw)
    layout.tag("1", described(raw, media_types.MANIFEST))
    digest = Digest(foreign["digest"])
    (layout.root / "blobs" / "sha256" / digest.hex).unlink()
    with opened(str(layout.root), store) as tree:
        assert tree.raw == raw
        sent = {str(blob.descriptor.digest) for blob in tree.all_blobs()}
    assert sent == {document["config"]["digest"], own}


def test_a_layout_of_some_platforms_says_which_it_lacks(layout: Layout, store: Store) -> None:
    amd, arm, other = (
        make_image(layout, [ROOTFS], platform=p) for p in (AMD64, ARM64, Platform("linux", "s390x"))
    )
    index = make_index(layout, amd, arm, other)
    layout.tag("1", index)
    for absent in (arm, other):
        blob_path(layout, absent).unlink()
    error = refused(str(layout.root), store)
    assert error.message == (
        f"cannot push {layout.root}: the index {index.digest} points at 3 blobs, of which "
        f"{layout.root} lacks 2, or has them in another size: "
        f"{arm.digest} (linux/arm64/v8, {arm.size} bytes), "
        f"{other.digest} (linux/s390x, {other.size} bytes)"
    )
    assert error.hint == "push one image of it with --platform: linux/amd64"
    with opened(str(layout.root), store, platform=AMD64) as tree:
        assert tree.descriptor == amd


@pytest.mark.parametrize("harm", ["gone", "short"])
def test_a_blob_that_is_not_all_there_is_named_before_anything_is_sent(
    layout: Layout, store: Store, harm: str
) -> None:
    image = make_image(layout, [ROOTFS])
    layout.tag("1", image)
    [layer] = parse_manifest(layout.read(image)).value.layers
    path = blob_path(layout, layer)
    path.unlink() if harm == "gone" else path.write_bytes(path.read_bytes()[:-1])
    assert f"lacks 1, or has them in another size: {layer.digest}" in (
        refused(str(layout.root), store).message
    )


def test_a_blob_of_other_bytes_is_refused_when_it_is_read(layout: Layout, store: Store) -> None:
    image = make_image(layout, [ROOTFS])
    layout.tag("1", image)
    [layer] = parse_manifest(layout.read(image)).value.layers
    path = blob_path(layout, layer)
    path.write_bytes(bytes(len(path.read_bytes())))
    with pytest.raises(LayerError, match=str(layer.digest)):
        contents(str(layout.root), store)


def test_what_an_index_lists_has_to_be_an_image(layout: Layout, store: Store) -> None:
    image = make_image(layout, [ROOTFS])
    [layer] = parse_manifest(layout.read(image)).value.layers
    layout.tag("1", make_index(layout, image, layer))
    assert refused(str(layout.root), store).message == (
        f"cannot push {layout.root}: {layer.digest} in {layout.root} is {layer.media_type}; "
        "expected an image manifest or index"
    )


def test_archives_are_read_in_place_by_several_threads(tmp_path: Path, store: Store) -> None:
    texts = [[FileEntry.of(f"f{i}", bytes([i]) * 5_000_000)] for i in range(4)]
    image = stored_image(tmp_path, *texts)
    file = tmp_path / "image.tar"
    destination = OciArchiveDestination(label="", file=file)
    destination.put(image, [Reference.parse("app:1")])
    with opened(f"oci-archive:{file}", store) as tree:
        assert (tree.raw, tree.descriptor) == (image.manifest.raw, image.descriptor)

        def read(number: int) -> Digest:
            with tree.blobs[number].open() as stream:
                return Digest.of(b"".join(iter(lambda: stream.read(1 << 16), b"")))

        got = in_parallel(read, range(len(tree.blobs)), stop=threading.Event())
    assert got == [blob.descriptor.digest for blob in tree.blobs]
    assert blobs(store) == {}


@pytest.mark.parametrize("platform", [AMD64, ARM64])
def test_docker_s_archives_are_for_any_platform(
    tmp_path: Path, store: Store, platform: Platform
) -> None:
    made = Store(tmp_path / "made")
    image = load_image(make_image(made, [ROOTFS], platform=platform), made)
    file = tmp_path / "saved.tar"
    DockerArchiveDestination(label="", file=file).put(image, [Reference.parse("app:1")])
    got = contents(f"docker-archive:{file}:localhost/app:1", store)
    assert image.config.raw in got.values()
    with opened(f"docker-archive:{file}", store) as tree:
        assert tree.descriptor.platform == platform
    other = ARM64 if platform == AMD64 else AMD64
    assert f"the image is for {platform}, wanted" in (
        refused(f"docker-archive:{file}", store, other).message
    )


def test_the_builder_s_own_images_go_by_their_names(store: Store) -> None:
    image = make_image(store, [ROOTFS])
    store.tag("localhost/second-brain:1.0", image)
    store.tag("registry.test/team/app:2", image)
    digest = make_image(store, [PYTHON]).digest
    for name in (
        "second-brain:1.0",
        "localhost/second-brain:1.0",
        f"second-brain:1.0@{image.digest}",
    ):
        with opened(name, store) as tree:
            assert tree.descriptor == image
    error = refused("second-brian:1.0", store)
    assert error.message == (
        f"cannot push second-brian:1.0: the builder's store {store.root} has no image "
        "localhost/second-brian:1.0"
    )
    assert error.hint == (
        "did you mean localhost/second-brain:1.0? "
        "or build it: python -m builder build --tag second-brian:1.0"
    )
    assert f"wanted {digest}" in refused(f"second-brain:1.0@{digest}", store).message
    assert "it holds localhost/second-brain:1.0, registry.test/team/app:2; or build it" in str(
        refused("q", store).hint
    )


def test_an_empty_store_says_how_to_fill_it(store: Store) -> None:
    assert refused("app", store).hint == (
        "it holds no images yet; build it: python -m builder build --tag app"
    )


def test_a_layer_that_the_store_lost_is_told_first(store: Store) -> None:
    image = make_image(store, [ROOTFS])
    store.tag("localhost/app:1", image)
    [layer] = parse_manifest(store.read(image)).value.layers
    blob_path(store, layer).unlink()
    assert f"the builder's store {store.root} lacks 1" in refused("app:1", store).message


@pytest.mark.parametrize(
    ("source", "kind", "message", "hint"),
    [
        ("oci:", SettingsError, "it names no image", "oci:DIR[:TAG]"),
        ("docker://", SettingsError, "it names no image", "docker://REF"),
        ("./none", SettingsError, "there is no such directory", None),
        ("./file.tar", BaseError, "a file of a kind", "oci-archive:file.tar or docker-archive:"),
        ("file.tar", BaseError, "no image localhost/file.tar:latest", "write oci-archive:file.tar"),
        (".", SettingsError, "is no project and no image", None),
        ("oci:none:1", BaseError, "there is no such directory", None),
        ("oci-archive:none", BaseError, "cannot read none: No such file", None),
        ("oci-archive:file.tar", BaseError, "holds no file index.json", None),
        ("docker-archive:file.tar", BaseError, "holds no file manifest.json", None),
    ],
)
def test_what_cannot_be_pushed_says_why(  # noqa: PLR0913, PLR0917
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    store: Store,
    source: str,
    kind: type[BuilderError],
    message: str,
    hint: str | None,
) -> None:
    monkeypatch.chdir(tmp_path)
    with tarfile.open("file.tar", "w"):
        pass
    error = refused(source, store)
    assert type(error) is kind
    assert error.message.startswith(f"cannot push {source}: ")
    assert message in error.message
    assert hint is None or hint in str(error.hint)
