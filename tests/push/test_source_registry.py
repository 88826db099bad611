"""Sources that are, or partly are, in real registries and in an engine's storage."""

import json
import subprocess
from pathlib import Path

import pytest

from builder.errors import BaseError, RegistryError
from builder.events import ignore
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import parse_manifest
from builder.oci.reference import Reference
from builder.process import run
from builder.push.deliver import Route, deliver
from builder.push.source import open_source
from builder.registry.delivery import Delivery, Outcome
from builder.store.layout import Layout, Store
from builder.workshop import Workshop
from tests.base.access import open_access
from tests.base.images import AMD64, ARM64, PYTHON, ROOTFS, make_image, make_index
from tests.base.test_sources import own_storage
from tests.images import blob_path
from tests.push.opening import contents, opened
from tests.registry import Registry

pytestmark = pytest.mark.engine
SKOPEO = ["skopeo", "--insecure-policy", "copy", "--quiet"]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    """An index of two images, named 1."""
    made = Layout(tmp_path / "layout")
    images = (make_image(made, [ROOTFS, PYTHON]), make_image(made, [ROOTFS], platform=ARM64))
    made.tag("1", make_index(made, *images))
    return made


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "own")


def copy_to(registry: Registry, layout: Layout, repository: str) -> str:
    """As skopeo pushes it; its name there."""
    name = f"{registry.host}/{repository}:1"
    argv = [*SKOPEO, "--all", "--preserve-digests", "--dest-tls-verify=false"]
    subprocess.run([*argv, f"oci:{layout.root}:1", f"docker://{name}"], check=True)
    return name


def pushed(source: str, name: str, store: Store) -> Delivery:
    shop = Workshop(store=store, run=run, events=ignore)
    with open_access() as access, open_source(source, access, shop) as tree:
        route = Route.to([Reference.parse(name)], access, shop)
        [delivery] = deliver(tree, route, shop)
    return delivery


def test_an_image_of_a_registry(registry: Registry, layout: Layout, store: Store) -> None:
    name = copy_to(registry, layout, "source/one")
    with opened(str(layout.root), store) as expected, opened(f"docker://{name}", store) as tree:
        assert [d.raw for d in tree.documents()] == [d.raw for d in expected.documents()]
    assert contents(f"docker://{name}", store) == contents(str(layout.root), store)
    absent = f"docker://{registry.host}/source/none:1"
    with pytest.raises(RegistryError, match="source/none:1"), opened(absent, store):
        pass


def test_a_sibling_repository_mounts_all_of_it(
    registry: Registry, layout: Layout, store: Store
) -> None:
    name = copy_to(registry, layout, "source/two")
    before = len(registry.requests())
    delivery = pushed(f"docker://{name}", f"{registry.host}/sibling/two:1", store)
    assert {outcome for _, outcome in delivery.blobs} == {Outcome.MOUNTED}
    asked = registry.requests()[before:]
    assert [r for r in asked if r.method == "GET" and "/blobs/" in r.path] == []


def test_another_registry_gets_it_without_the_store(
    registry: Registry, layout: Layout, store: Store, tmp_path: Path
) -> None:
    name = copy_to(registry, layout, "source/three")
    with Registry(tmp_path / "other") as other:
        pushed(f"docker://{name}", f"{other.host}/copy/three:1", store)
        argv = [*SKOPEO, "--all", "--preserve-digests", "--src-tls-verify=false"]
        pulled = f"oci:{tmp_path}/pulled:1"
        subprocess.run([*argv, f"docker://{other.host}/copy/three:1", pulled], check=True)
    # By skopeo's layout, which nobody here wrote.
    assert contents(pulled, store) == contents(str(layout.root), store)
    assert list((store.root / "blobs" / "sha256").iterdir()) == []


def test_a_built_image_whose_base_was_never_fetched(
    registry: Registry, layout: Layout, store: Store
) -> None:
    name = copy_to(registry, layout, "source/base")
    image, layers = based_on(name, store)
    store.tag("localhost/app:1", image)
    blob_path(store, layers[0]).unlink()
    found = contents("app:1", store)
    assert set(found) >= {str(layer.digest) for layer in layers}
    blob_path(store, layers[1]).unlink()
    with pytest.raises(RegistryError, match=f"{layers[1].digest} of {name} is not in the store"):
        contents("app:1", store)


def based_on(base: str, store: Store) -> tuple[Descriptor, tuple[Descriptor, ...]]:
    """An image with a layer of its own, which names its base."""
    made = make_image(store, [ROOTFS, [*PYTHON[:1]]])
    document = json.loads(store.read(made))
    document["annotations"] = {"org.opencontainers.image.base.name": base}
    raw = json.dumps(document).encode()
    manifest = Descriptor(media_type=media_types.MANIFEST, digest=store.put(raw), size=len(raw))
    return manifest, parse_manifest(raw).value.layers


def test_an_image_of_an_engine_for_another_platform(
    tmp_path: Path, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    own_storage(tmp_path, monkeypatch)
    made = Layout(tmp_path / "layout")
    arm = make_image(made, [ROOTFS], platform=ARM64)
    made.tag("1", arm)
    into = "containers-storage:registry.test/arm:1"
    subprocess.run([*SKOPEO, "--override-arch=arm64", f"oci:{made.root}:1", into], check=True)
    with opened(into, store) as tree:
        assert tree.descriptor.platform == ARM64
        assert {b.descriptor.digest for b in tree.blobs} == {
            part.digest
            for manifest in [parse_manifest(made.read(arm)).value]
            for part in (manifest.config, *manifest.layers)
        }
    with (
        pytest.raises(BaseError, match=r"the image is for linux/arm64/v8, wanted one for linux/am"),
        opened(into, store, platform=AMD64),
    ):
        pass
