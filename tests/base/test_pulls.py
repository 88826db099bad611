"""When a registry is asked, for what, and what happens when it does not answer well."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from builder import parallel
from builder.base.base import Base, BaseRequest
from builder.base.find import find_base
from builder.errors import BaseError, LayerError, RegistryError, TransportError, exit_code
from builder.events import Event, Notice
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import parse_manifest
from builder.oci.platform import Platform
from builder.registry.access import RegistryAccess
from builder.settings import PullPolicy
from builder.store.layout import Layout, Store
from layers.compress import DOCKER_TAR_GZIP, GZIP, TAR_GZIP
from layers.digest import Digest
from layers.entries import FileEntry
from tests.base.access import open_access
from tests.base.images import AMD64, ARM64, PATH, PYTHON, ROOTFS, make_image, make_index
from tests.images import blob_path
from tests.registry import Registry
from tests.registry_client.fake import Answer, FaultyServer, closed_port, faulty_server, refused

NAME = "docker.io/library/python:3.12-slim-bookworm"
SHORT = "python:3.12-slim-bookworm"
REPOSITORY = "/v2/library/python"
TAGGED = f"{REPOSITORY}/manifests/3.12-slim-bookworm"


class Mirror:
    """A faulty server that holds one image for two platforms under the default base's name."""

    def __init__(self, server: FaultyServer, layout: Layout) -> None:
        self.server = server
        self.layout = layout
        self.image = make_image(layout, [ROOTFS, PYTHON])
        self.arm = make_image(layout, [ROOTFS], platform=ARM64)
        self.index = make_index(layout, self.image, self.arm)
        self.show(self.index, TAGGED)
        for manifest in (self.image, self.arm):
            self.show(manifest, f"{REPOSITORY}/manifests/{manifest.digest}")
            parsed = parse_manifest(layout.read(manifest)).value
            for blob in (parsed.config, *parsed.layers):
                self.show(blob, self.path(blob))

    @property
    def layers(self) -> tuple[Descriptor, ...]:
        return parse_manifest(self.layout.read(self.image)).value.layers

    def path(self, blob: Descriptor) -> str:
        return f"{REPOSITORY}/blobs/{blob.digest}"

    def show(self, descriptor: Descriptor, path: str) -> None:
        self.server.on(path, self.answer(descriptor))

    def answer(self, descriptor: Descriptor) -> Answer:
        headers = {"Content-Type": descriptor.media_type}
        return Answer(body=self.layout.read(descriptor), headers=headers)

    def asked(self) -> list[str]:
        paths = self.server.paths()
        self.server.asked.clear()
        return paths


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    with faulty_server() as server:
        yield Mirror(server, Layout(tmp_path / "remote"))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def find(
    mirror: Mirror | str,
    store: Store,
    policy: PullPolicy = PullPolicy.MISSING,
    *,
    source: str = SHORT,
    platform: Platform = AMD64,
) -> Base:
    address = mirror if isinstance(mirror, str) else mirror.server.url
    with open_access() as access:
        request = BaseRequest(
            source=source, platform=platform, policy=policy, mirror=address, registries=access
        )
        return find_base(request, store=store)


def short(mirror: Mirror, access: RegistryAccess) -> BaseRequest:
    return BaseRequest(source=SHORT, platform=AMD64, mirror=mirror.server.url, registries=access)


def test_a_pull_moves_what_the_platform_needs(mirror: Mirror, store: Store) -> None:
    base = find(mirror, store)
    assert (base.name, base.digest) == (NAME, mirror.image.digest)
    config = parse_manifest(base.image.manifest.raw).value.config
    asked = mirror.asked()
    assert asked[:3] == [
        TAGGED,
        f"{REPOSITORY}/manifests/{mirror.image.digest}",
        mirror.path(config),
    ]
    assert sorted(asked[3:]) == sorted(mirror.path(layer) for layer in mirror.layers)


def test_missing_asks_nobody_twice(mirror: Mirror, store: Store) -> None:
    first = find(mirror, store)
    mirror.asked()
    assert find(mirror, store).digest == first.digest
    assert mirror.asked() == []


def test_always_asks_for_the_manifest_alone(mirror: Mirror, store: Store) -> None:
    find(mirror, store)
    mirror.asked()
    assert find(mirror, store, PullPolicy.ALWAYS).digest == mirror.image.digest
    assert mirror.asked() == [TAGGED]


def test_always_follows_a_tag_that_moved(mirror: Mirror, store: Store) -> None:
    find(mirror, store)
    moved = make_image(mirror.layout, [ROOTFS, PYTHON, [FileEntry.of("new", b"")]])
    mirror.show(moved, TAGGED)
    parsed = parse_manifest(mirror.layout.read(moved)).value
    for blob in (parsed.config, parsed.layers[2]):
        mirror.show(blob, mirror.path(blob))
    mirror.asked()
    assert find(mirror, store).digest == mirror.image.digest
    assert "new" in find(mirror, store, PullPolicy.ALWAYS).files.files
    assert mirror.asked() == [TAGGED, *map(mirror.path, (parsed.config, parsed.layers[2]))]
    assert find(mirror, store).digest == moved.digest


def test_always_does_not_fall_back(mirror: Mirror, store: Store) -> None:
    find(mirror, store)
    mirror.server.on(TAGGED, refused(404))
    with pytest.raises(RegistryError, match="404 Not Found"):
        find(mirror, store, PullPolicy.ALWAYS)


def test_never_asks_nobody(mirror: Mirror, store: Store) -> None:
    with pytest.raises(BaseError) as caught:
        find(mirror, store, PullPolicy.NEVER)
    assert caught.value.message == (
        f"base {SHORT}: {NAME} for linux/amd64 is not in the store {store.root}, "
        "and the pull policy is never"
    )
    assert caught.value.hint == (
        "build once with --pull missing, or name a base that is on this machine"
    )
    assert mirror.asked() == []
    find(mirror, store)
    mirror.asked()
    assert find(mirror, store, PullPolicy.NEVER).digest == mirror.image.digest
    assert mirror.asked() == []


def test_a_blob_that_got_lost_is_fetched_again(mirror: Mirror, store: Store) -> None:
    find(mirror, store)
    mirror.asked()
    config = parse_manifest(mirror.layout.read(mirror.image)).value.config
    blob_path(store, config).unlink()
    find(mirror, store)
    assert mirror.asked() == [TAGGED, mirror.path(config)]


def test_platforms_are_remembered_apart(mirror: Mirror, store: Store) -> None:
    find(mirror, store)
    arm = find(mirror, store, platform=Platform("linux", "arm64"))
    assert arm.digest == mirror.arm.digest
    assert find(mirror, store).digest == mirror.image.digest


def test_what_a_mirror_calls_a_tag_is_not_believed_of_another(mirror: Mirror, store: Store) -> None:
    other = f"http://{closed_port()}"
    find(mirror, store)
    with pytest.raises(BaseError, match="is not in the store"):
        find(other, store, PullPolicy.NEVER)
    pinned = f"{SHORT}@{mirror.index.digest}"
    mirror.show(mirror.index, f"{REPOSITORY}/manifests/{mirror.index.digest}")
    find(mirror, store, source=pinned)
    base = find(other, store, source=pinned)
    assert (base.name, base.digest) == (f"{NAME}@{mirror.index.digest}", mirror.image.digest)


def test_a_digest_has_to_match(mirror: Mirror, store: Store) -> None:
    path = f"{REPOSITORY}/manifests/{mirror.arm.digest}"
    mirror.server.on(path, mirror.answer(mirror.image))
    with pytest.raises(RegistryError, match=f"wanted the manifest {mirror.arm.digest}"):
        find(mirror, store, source=f"{SHORT}@{mirror.arm.digest}")


@pytest.mark.parametrize("announced", ["", "text/plain", media_types.DOCKER_INDEX])
def test_a_documents_own_word_on_its_kind_wins(
    mirror: Mirror, store: Store, announced: str
) -> None:
    answer = mirror.answer(mirror.image)
    mirror.server.on(TAGGED, Answer(body=answer.body, headers={"Content-Type": announced}))
    assert find(mirror, store).digest == mirror.image.digest


def test_dockers_own_documents_are_understood(mirror: Mirror, store: Store) -> None:
    names = {
        media_types.MANIFEST: media_types.DOCKER_MANIFEST,
        media_types.CONFIG: media_types.DOCKER_CONFIG,
        TAR_GZIP: DOCKER_TAR_GZIP,
    }
    image = make_image(mirror.layout, [ROOTFS, PYTHON], codec=GZIP)
    raw = mirror.layout.read(image)
    for oci, docker in names.items():
        raw = raw.replace(f'"{oci}"'.encode(), f'"{docker}"'.encode())
    mirror.layout.put(raw)
    manifest = Descriptor(
        media_type=media_types.DOCKER_MANIFEST,
        digest=Digest.of(raw),
        size=len(raw),
        platform=AMD64,
    )
    listing = {"schemaVersion": 2, "mediaType": media_types.DOCKER_INDEX}
    entries = [entry.to_json() for entry in (mirror.arm, manifest)]
    mirror.server.on(TAGGED, Answer(body=json.dumps({**listing, "manifests": entries}).encode()))
    mirror.show(manifest, f"{REPOSITORY}/manifests/{manifest.digest}")
    parsed = parse_manifest(raw).value
    for blob in (parsed.config, *parsed.layers):
        mirror.show(blob, mirror.path(blob))
    base = find(mirror, store)
    assert base.digest == manifest.digest
    assert [layer.media_type for layer in base.image.layers] == [DOCKER_TAR_GZIP] * 2
    assert base.files.python(PATH)


def test_dockers_first_schema_is_refused_by_name(mirror: Mirror, store: Store) -> None:
    signed = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    body = b'{"schemaVersion": 1, "name": "library/python", "fsLayers": [], "history": []}'
    mirror.server.on(TAGGED, Answer(body=body, headers={"Content-Type": signed}))
    with pytest.raises(BaseError) as caught:
        find(mirror, store)
    assert caught.value.message.startswith(f"base {SHORT}: {NAME} is a Docker image of schema 1, ")
    assert caught.value.hint
    assert len(mirror.asked()) == 1


def test_a_single_manifest_is_for_one_platform(mirror: Mirror, store: Store) -> None:
    mirror.show(mirror.arm, TAGGED)
    with pytest.raises(BaseError, match="the image is for linux/arm64/v8, wanted one for linux/a"):
        find(mirror, store)
    assert not any("blobs" in path for path in mirror.asked()[2:])


def test_a_layer_that_breaks_off_is_fetched_again(mirror: Mirror, store: Store) -> None:
    layer = mirror.layers[0]
    whole = mirror.layout.read(layer)
    broken = Answer(body=whole[:100], promised=len(whole) - 100)
    mirror.server.on(mirror.path(layer), broken, broken, Answer(body=whole))
    events: list[Event] = []
    with open_access(events.append) as access:
        base = find_base(short(mirror, access), store=store, events=events.append)
    assert base.digest == mirror.image.digest
    notices = [event.text for event in events if isinstance(event, Notice)]
    assert notices[0] == f"asking {mirror.server.host} for {NAME} (linux/amd64)"
    assert ["trying again in" in notice for notice in notices] == [False, True, True]


def test_a_layer_that_is_another_one_is_refused(mirror: Mirror, store: Store) -> None:
    layer = mirror.layers[0]
    mirror.server.on(mirror.path(layer), Answer(body=bytes(layer.size)))
    with pytest.raises(LayerError, match=f"^base {SHORT}: blob {layer.digest}: wanted"):
        find(mirror, store)
    assert not store.has(layer)
    assert not list(store.root.glob(".ingest-*"))
    mirror.show(layer, mirror.path(layer))
    assert find(mirror, store).digest == mirror.image.digest


def test_a_missing_layer_ends_the_pull(mirror: Mirror, store: Store) -> None:
    layer = mirror.layers[1]
    mirror.server.on(mirror.path(layer), refused(404, "BLOB_UNKNOWN", "blob unknown"))
    with pytest.raises(RegistryError, match=f"blob {layer.digest} of library/python: the answer"):
        find(mirror, store)


def test_ctrl_c_leaves_nothing_half_written(
    mirror: Mirror, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(parallel, "wait", interrupt)
    with open_access() as access:
        with pytest.raises(KeyboardInterrupt):
            find_base(short(mirror, access), store=store)
        monkeypatch.undo()
        for thread in threading.enumerate():
            if thread.name.startswith("worker"):
                thread.join()
    assert not list(store.root.glob(".ingest-*"))
    assert find(mirror, store).digest == mirror.image.digest


def test_an_unreachable_registry_is_given_up_on_soon(store: Store) -> None:
    host = closed_port()
    with pytest.raises(TransportError) as caught:
        find(f"http://{host}", store)
    assert caught.value.message == f"base {SHORT}: cannot reach {host}: connection refused"
    assert "a mirror or a local base (oci:DIR, " in (caught.value.hint or "")
    assert exit_code(caught.value) == 3


def test_an_absent_base_says_where_it_was_looked_for(mirror: Mirror, store: Store) -> None:
    with pytest.raises(RegistryError) as caught:
        find(mirror, store, source="python:9.99")
    assert caught.value.message == (
        f"base python:9.99: asking {mirror.server.host} for library/python:9.99: "
        "the answer is 404 Not Found: MANIFEST_UNKNOWN: manifest unknown"
    )
    assert exit_code(caught.value) == 3


@pytest.mark.engine
def test_the_default_base_comes_out_of_a_real_registry(
    registry_with_base: Registry, store: Store
) -> None:
    base = find(registry_with_base.url, store)
    assert base.name == NAME
    python = base.files.python(base.image.config.value.env["PATH"])
    assert python is not None
    assert (python.path, python.minor) == ("/usr/local/bin/python3.12", "3.12")
    assert str(base.files.libc) == "glibc 2.36"
    assert base.files.passwd.startswith(b"root:x:0:0:")
    assert base.files.directories["tmp"].mode == 0o1777
    assert base.files.resolve("lib/x86_64-linux-gnu").startswith("usr/lib/")
    assert PATH.partition(":")[0] == "/usr/local/bin"
    before = len(registry_with_base.requests())
    assert find(registry_with_base.url, store).digest == base.digest
    assert len(registry_with_base.requests()) == before
