"""What holds for every kind of source: the same base comes out of each."""

import gzip
import json
import os
import subprocess
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.base.base import Base, BaseRequest
from builder.base.find import find_base
from builder.base.tree import DirectoryTree
from builder.errors import BaseError, BuilderError, EngineError
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.process import CommandRunner, Completed
from builder.store.layout import Layout, Store
from layers.compress import TAR
from layers.digest import CHUNK
from tests.base.access import open_access
from tests.base.images import AMD64, ARM64, PATH, PYTHON, ROOTFS, make_image
from tests.images import blob_path

TAG = "registry.test/team/base:1"


@dataclass(frozen=True, slots=True)
class Origin:
    """One image, told to a kind of source: its name there, and one that is not there."""

    source: str
    absent: str
    name: str


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    made = Layout(tmp_path / "layout")
    made.tag(TAG, make_image(made, [ROOTFS, PYTHON]))
    return made


def oci(layout: Layout, _: Path) -> Origin:
    source = f"oci:{layout.root}:1"
    return Origin(source, f"oci:{layout.root}:2", source)


def oci_untagged(layout: Layout, tmp_path: Path) -> Origin:
    source = f"oci:{layout.root}"
    return Origin(source, f"oci:{tmp_path / 'none'}", source)


def pack(layout: Layout, archive: Path) -> None:
    with tarfile.open(archive, "w") as tar:
        tar.add(layout.root, ".")


def oci_archive(layout: Layout, tmp_path: Path) -> Origin:
    archive = tmp_path / "base.tar"
    pack(layout, archive)
    source = f"oci-archive:{archive}:{TAG}"
    return Origin(source, f"oci-archive:{archive}:nothing", source)


def oci_archive_gzip(layout: Layout, tmp_path: Path) -> Origin:
    archive = tmp_path / "base:odd.tar.gz"
    pack(layout, tmp_path / "plain.tar")
    archive.write_bytes(gzip.compress((tmp_path / "plain.tar").read_bytes()))
    return Origin(f"oci-archive:{archive}", f"oci-archive:{archive}:no", f"oci-archive:{archive}")


def docker_archive(layout: Layout, tmp_path: Path) -> Origin:
    """As ``docker save`` writes it: a layer that was there before is a link to it."""
    manifest = parse_manifest(layout.read(layout.index().manifests[0])).value
    root = tmp_path / "saved"
    paths = []
    for number, layer in enumerate(manifest.layers):
        (root / str(number)).mkdir(parents=True)
        paths.append(f"{number}/layer.tar")
        (root / paths[-1]).write_bytes(layout.read(layer))
    (root / "linked").mkdir()
    (root / "linked" / "layer.tar").symlink_to("../0/layer.tar")
    (root / "config.json").write_bytes(layout.read(manifest.config))
    entry = {
        "Config": "config.json",
        "RepoTags": [TAG],
        "Layers": ["linked/layer.tar", *paths[1:]],
    }
    (root / "manifest.json").write_text(json.dumps([entry]))
    archive = tmp_path / "saved.tar"
    with tarfile.open(archive, "w") as tar:
        tar.add(root, "")
    source = f"docker-archive:{archive}:{TAG}"
    return Origin(source, f"docker-archive:{archive}:other", source)


def containers_storage(layout: Layout, _: Path) -> Origin:
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet"]
    subprocess.run([*copy, f"oci:{layout.root}:{TAG}", f"containers-storage:{TAG}"], check=True)
    source = f"containers-storage:{TAG}"
    return Origin(source, "containers-storage:registry.test/none", source)


MAKERS: list[Callable[[Layout, Path], Origin]] = [
    oci,
    oci_untagged,
    oci_archive,
    oci_archive_gzip,
    docker_archive,
]


@pytest.fixture(
    params=[
        *(pytest.param(make, id=make.__name__) for make in MAKERS),
        pytest.param(containers_storage, id="containers_storage", marks=pytest.mark.engine),
        pytest.param("registry", id="registry", marks=pytest.mark.engine),
    ]
)
def origin(
    request: pytest.FixtureRequest,
    layout: Layout,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Origin:
    own_storage(tmp_path, monkeypatch)
    if request.param == "registry":
        host = request.getfixturevalue("registry").host
        name = f"{host}/team/base:1"
        copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"]
        source = f"oci:{layout.root}:{TAG}"
        to = ["--dest-tls-verify=false", source, f"docker://{name}"]
        subprocess.run([*copy, *to], check=True)
        return Origin(name, f"{host}/team/other:1", name)
    made: Origin = request.param(layout, tmp_path)
    return made


def own_storage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A containers' storage that no other test and no user sees."""
    conf = tmp_path / "storage.conf"
    roots = f'graphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    conf.write_text(f'[storage]\ndriver = "vfs"\n{roots}')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(conf))


def find(source: str, store: Store, platform: Platform = AMD64) -> Base:
    with open_access() as access:
        return find_base(
            BaseRequest(source=source, platform=platform, registries=access), store=store
        )


def test_the_same_base_comes_out(origin: Origin, layout: Layout, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    base = find(origin.source, store)
    assert base.name == origin.name
    assert base.image.config.value.platform == AMD64
    assert base.image.config.value.env == {"PATH": PATH}
    expected = parse_manifest(layout.read(layout.index().manifests[0])).value
    assert [layer.media_type for layer in base.image.layers] == [TAR, TAR]
    assert [layer.digest for layer in base.image.layers] == [d.digest for d in expected.layers]
    python = base.files.python(PATH)
    assert python is not None
    assert python.path == "/usr/local/bin/python3.12"
    assert base.files.passwd == b"root:x:0:0::/root:/bin/sh\n"


def test_everything_is_in_the_store_and_verified(origin: Origin, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    image = find(origin.source, store).image
    assert store.read(image.descriptor) == image.manifest.raw
    assert store.read(image.manifest.value.config) == image.config.raw
    for layer in image.layers:
        with layer.source.open() as stream:
            while stream.read(CHUNK):
                pass
    assert not list(store.root.glob(".ingest-*"))


def test_a_second_time_nothing_changes(origin: Origin, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    first = find(origin.source, store)
    before = {p: p.stat().st_mtime_ns for p in (store.root / "blobs").rglob("*") if p.is_file()}
    assert find(origin.source, store).digest == first.digest
    after = {p: p.stat().st_mtime_ns for p in (store.root / "blobs").rglob("*") if p.is_file()}
    assert {p: after[p] for p in before} == before
    assert find(origin.source, Store(tmp_path / "other")).digest == first.digest


def test_another_platform_is_refused_by_both_names(origin: Origin, tmp_path: Path) -> None:
    with pytest.raises(BuilderError) as caught:
        find(origin.source, Store(tmp_path / "store"), ARM64)
    assert caught.value.message == (
        f"base {origin.source}: the image is for linux/amd64, wanted one for linux/arm64/v8"
    )
    assert caught.value.hint


def test_an_absent_image_is_an_error_that_names_it(origin: Origin, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    with pytest.raises(BuilderError) as caught:
        find(origin.absent, store)
    assert caught.value.message.startswith(f"base {origin.absent}: ")
    assert not list(store.root.rglob("*.json"))[1:]


def test_a_damaged_layer_is_refused(layout: Layout, tmp_path: Path) -> None:
    manifest = parse_manifest(layout.read(layout.index().manifests[0])).value
    path = blob_path(layout, manifest.layers[0])
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    for make in (oci, oci_archive, docker_archive_of_damaged):
        origin = make(layout, tmp_path)
        with pytest.raises(BuilderError, match=manifest.layers[0].digest.hex) as caught:
            find(origin.source, Store(tmp_path / make.__name__))
        assert caught.value.message.startswith(f"base {origin.source}: blob sha256:")


def docker_archive_of_damaged(layout: Layout, tmp_path: Path) -> Origin:
    manifest = parse_manifest(layout.read(layout.index().manifests[0])).value
    archive = tmp_path / "damaged.tar"
    with tarfile.open(archive, "w") as tar:
        for number, layer in enumerate(manifest.layers):
            tar.add(blob_path(layout, layer), f"{number}.tar")
        tar.add(blob_path(layout, manifest.config), "c.json")
        listing = tmp_path / "m.json"
        listing.write_text(json.dumps([{"Config": "c.json", "Layers": ["0.tar", "1.tar"]}]))
        tar.add(listing, "manifest.json")
    return Origin(f"docker-archive:{archive}", "", "")


def without(*programs: str) -> CommandRunner:
    """A runner for which some programs are not installed."""

    def run(argv: Sequence[str], **_: object) -> Completed:
        if argv[0] in programs:
            raise FileNotFoundError(argv[0])
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return Completed(tuple(argv), done.returncode, done.stdout, done.stderr)

    return run


def test_storage_needs_one_of_two_tools(tmp_path: Path) -> None:
    request = BaseRequest(source="containers-storage:app", platform=AMD64)
    with pytest.raises(BuilderError, match="needs skopeo or podman, and neither is on PATH"):
        find_base(request, store=Store(tmp_path / "s"), run=without("skopeo", "podman"))


def test_a_tool_that_fails_is_quoted(tmp_path: Path) -> None:
    def fail(argv: Sequence[str], **_: object) -> Completed:
        return Completed(tuple(argv), 1, "", "cannot lock the storage")

    request = BaseRequest(source="containers-storage:app", platform=AMD64)
    with pytest.raises(EngineError, match="skopeo could not read app: cannot lock the storage"):
        find_base(request, store=Store(tmp_path / "s"), run=fail)


@pytest.mark.engine
def test_podman_reads_the_storage_where_skopeo_is_missing(
    layout: Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_storage(tmp_path, monkeypatch)
    origin = containers_storage(layout, tmp_path)
    store = Store(tmp_path / "store")
    by_skopeo = find(origin.source, store)
    request = BaseRequest(source=origin.source, platform=AMD64)
    by_podman = find_base(request, store=store, run=without("skopeo"))
    assert by_podman.digest == by_skopeo.digest
    absent = BaseRequest(source=origin.absent, platform=AMD64)
    with pytest.raises(BuilderError, match=r"has no image registry\.test/none"):
        find_base(absent, store=store, run=without("skopeo"))


def test_an_unreadable_archive_is_an_error(tmp_path: Path) -> None:
    archive = tmp_path / "x.tar"
    archive.write_bytes(os.urandom(1 << 12))
    for kind in ("oci-archive", "docker-archive"):
        with pytest.raises(BuilderError, match=r"is no tar archive, or a damaged one"):
            find(f"{kind}:{archive}", Store(tmp_path / "s"))
        with pytest.raises(BuilderError, match=r"cannot read .*/none: No such file"):
            find(f"{kind}:{tmp_path}/none", Store(tmp_path / "s"))
    archive.write_bytes(gzip.compress(b"x" * 99)[:-9])
    with pytest.raises(BuilderError, match="the archive is damaged"):
        find(f"oci-archive:{archive}", Store(tmp_path / "s"))


@pytest.mark.parametrize("kind", ["oci-archive", "docker-archive"])
def test_a_damaged_compressed_archive_is_told_by_its_name(
    kind: str, layout: Layout, tmp_path: Path
) -> None:
    plain = tmp_path / "plain.tar"
    pack(layout, plain)
    whole = gzip.compress(plain.read_bytes())
    archive = tmp_path / "base.tar.gz"
    method = whole[:2] + b"\xff" + whole[3:]
    middle = whole[:200] + bytes(100) + whole[300:]
    for damaged in (method, middle, whole[:-20]):
        archive.write_bytes(damaged)
        with pytest.raises(BaseError) as caught:
            find(f"{kind}:{archive}", Store(tmp_path / "s"))
        message = caught.value.message
        assert message.startswith(f"base {kind}:{archive}: {archive}: the archive is damaged: ")


def test_a_source_that_cannot_be_read_is_told_as_the_bases_fault(tmp_path: Path) -> None:
    (tmp_path / "index.json").mkdir()
    with pytest.raises(BaseError, match=r"cannot read index\.json: Is a directory"):
        DirectoryTree(tmp_path).open("index.json")
    # What opens may still fail to be read.
    if not Path("/proc/self/mem").exists():
        pytest.skip("no /proc here: nothing else opens and cannot be read")
    told = "cannot read mem in /proc/self: Input/output error"
    with (
        DirectoryTree(Path("/proc/self")).open("mem") as stream,
        pytest.raises(BaseError) as caught,
    ):
        stream.read(1)
    assert caught.value.message == told
