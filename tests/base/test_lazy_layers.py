"""When the bytes of a base's layers are fetched: when somebody wants them, and not before."""

import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from builder.base.base import Base, BaseRequest
from builder.base.find import find_base
from builder.destinations.blobs import add_blobs
from builder.destinations.parse import parse_destination
from builder.errors import BaseError, LayerError, RegistryError, TransportError
from builder.oci.descriptor import Descriptor
from builder.oci.reference import Reference
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.settings import PullPolicy
from builder.store.layout import Layout, Store
from builder.store.places import known_places
from layers.entries import FileEntry
from layers.layer import Layer
from tests.base.access import open_access
from tests.base.images import AMD64, PYTHON, ROOTFS, make_image
from tests.images import blob_path
from tests.registry import Registry
from tests.registry_client.faults import Fault, FaultPlan, Kind, Operation
from tests.registry_client.proxy import FaultProxy, Seen, faulty

pytestmark = pytest.mark.engine

NOISE = bytes(range(256)) * 4096
REPOSITORY = "lazy/base"


@pytest.fixture(scope="module")
def filled(registry: Registry, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The shared registry, with a base of three layers; the last one has a megabyte."""
    layout = Layout(tmp_path_factory.mktemp("lazy"))
    layout.tag("1", make_image(layout, [ROOTFS, PYTHON, [FileEntry.of("noise", NOISE)]]))
    copy = ["skopeo", "--insecure-policy", "copy", "--quiet", "--preserve-digests"]
    to = f"docker://{registry.host}/{REPOSITORY}:1"
    subprocess.run([*copy, "--dest-tls-verify=false", f"oci:{layout.root}:1", to], check=True)
    return registry


@pytest.fixture
def proxy(filled: Registry) -> Iterator[FaultProxy]:
    with faulty(filled) as running:
        yield running


@pytest.fixture
def access() -> Iterator[RegistryAccess]:
    with open_access() as opened:
        yield opened


@dataclass(slots=True)
class Puller:
    """Finds the base, through the proxy as a mirror."""

    proxy: FaultProxy
    store: Store
    access: RegistryAccess
    told: int = 0

    def find(self, policy: PullPolicy = PullPolicy.MISSING) -> Base:
        request = BaseRequest(
            source=f"registry.test/{REPOSITORY}:1",
            platform=AMD64,
            policy=policy,
            mirror=self.proxy.url,
            registries=self.access,
        )
        return find_base(request, store=self.store)

    def find_indexed(self) -> Base:
        """A base whose index is kept, and whose layers are gone from the store."""
        drop_layers(self.find(), self.store)
        self.fetched()
        return self.find()

    def fetched(self) -> list[str]:
        """The digests of the blobs that were asked for since the last time."""
        return [seen.path.rpartition("/")[2] for seen in self.requests()]

    def requests(self) -> list[Seen]:
        new = self.proxy.seen(Operation.BLOB_GET)[self.told :]
        self.told += len(new)
        return new


@pytest.fixture
def puller(proxy: FaultProxy, access: RegistryAccess, tmp_path: Path) -> Puller:
    return Puller(proxy, Store(tmp_path / "store"), access)


def drop_layers(base: Base, store: Store) -> None:
    for layer in base.image.layers:
        blob_path(store, Descriptor.of_layer(layer)).unlink()


def digests(layers: Sequence[Layer]) -> list[str]:
    return [str(layer.digest) for layer in layers]


def read(layer: Layer) -> bytes:
    with layer.source.open() as stream:
        return stream.read()


def test_an_unknown_base_is_fetched_whole(puller: Puller) -> None:
    base = puller.find()
    config = str(base.image.config.digest)
    assert sorted(puller.fetched()) == sorted([config, *digests(base.image.layers)])
    assert [len(read(layer)) for layer in base.image.layers] == [
        layer.size for layer in base.image.layers
    ]
    assert puller.fetched() == []


@pytest.mark.parametrize("policy", [PullPolicy.MISSING, PullPolicy.ALWAYS])
def test_a_base_whose_files_are_known_is_not(puller: Puller, policy: PullPolicy) -> None:
    first = puller.find()
    drop_layers(first, puller.store)
    puller.fetched()
    base = puller.find(policy)
    assert base == replace(first, image=base.image)
    assert base.digest == first.digest
    assert puller.fetched() == []
    assert not any(puller.store.has(Descriptor.of_layer(x)) for x in base.image.layers)


def test_without_its_documents_they_alone_are_fetched(puller: Puller) -> None:
    base = puller.find_indexed()
    blob_path(puller.store, base.image.manifest.value.config).unlink()
    assert puller.find().digest == base.digest
    assert puller.fetched() == [str(base.image.config.digest)]


def test_opening_one_fetches_that_one(puller: Puller) -> None:
    base = puller.find_indexed()
    noisy = base.image.layers[2]
    assert NOISE in read(noisy)
    assert puller.fetched() == [str(noisy.digest)]
    # It passed by, and was not kept.
    assert NOISE in read(noisy)
    assert puller.fetched() == [str(noisy.digest)]


def test_what_came_into_the_store_meanwhile_is_read_there(puller: Puller) -> None:
    base = puller.find_indexed()
    add_blobs(base.image, puller.store)
    assert sorted(puller.fetched()) == sorted(digests(base.image.layers))
    assert NOISE in read(base.image.layers[2])
    add_blobs(base.image, puller.store)
    assert puller.fetched() == []


def test_a_broken_connection_is_mended(puller: Puller) -> None:
    base = puller.find_indexed()
    puller.proxy.plan = FaultPlan([Fault(kind=Kind.RESET_DOWNLOAD, tenth=4, times=2)])
    assert NOISE in read(base.image.layers[2])
    first, *again = puller.requests()
    assert "range" not in first.headers
    starts = [int(seen.headers["range"].removeprefix("bytes=").rstrip("-")) for seen in again]
    assert len(starts) == 2
    assert 0 < starts[0] < starts[1]


def test_bytes_that_are_not_the_layer_s_are_refused(puller: Puller) -> None:
    base = puller.find_indexed()
    puller.proxy.plan = FaultPlan([Fault(kind=Kind.CORRUPT_BODY)])
    with pytest.raises(LayerError, match=r"^blob sha256:[0-9a-f]+: wanted") as caught:
        add_blobs(base.image, puller.store)
    assert (caught.value.hint or "").startswith(f"{puller.proxy.host}, or something on the way, ")
    assert not list(puller.store.root.glob(".ingest-*"))


def test_never_pulling_wants_everything_in_the_store(puller: Puller) -> None:
    drop_layers(puller.find(), puller.store)
    with pytest.raises(BaseError, match=r"is not in the store .* and the pull policy is never"):
        puller.find(PullPolicy.NEVER)
    add_blobs(puller.find().image, puller.store)
    puller.fetched()
    assert NOISE in read(puller.find(PullPolicy.NEVER).image.layers[2])
    assert puller.fetched() == []


def test_a_layer_that_cannot_be_had_is_told_as_such(puller: Puller) -> None:
    layer = puller.find_indexed().image.layers[0]
    puller.proxy.plan = FaultPlan([Fault(kind=Kind.STATUS_502, times=100)])
    with pytest.raises(RegistryError) as caught:
        layer.source.open()
    assert caught.value.message.startswith(
        f"layer {layer.digest} of registry.test/{REPOSITORY}:1 is not in the store "
        f"{puller.store.root}, and cannot be fetched: asking {puller.proxy.host} for blob "
    )
    assert caught.value.status == 502


def test_a_registry_that_went_away_is_told_as_such(
    filled: Registry, tmp_path: Path, access: RegistryAccess
) -> None:
    with faulty(filled) as gone:
        layer = Puller(gone, Store(tmp_path / "store"), access).find_indexed().image.layers[0]
    with pytest.raises(TransportError, match=r"is not in the store .* cannot reach 127\.0\.0\.1"):
        layer.source.open()


def test_where_layers_lie_is_kept(puller: Puller) -> None:
    base = puller.find()
    for layer in base.image.layers:
        places = known_places(puller.store, puller.proxy.host, layer.digest)
        assert places == (REPOSITORY,)


def test_an_archive_that_reads_layers_thrice_fetches_them_once(
    puller: Puller, tmp_path: Path
) -> None:
    image = puller.find_indexed().image
    out = f"docker-archive:{tmp_path / 'base.tar'}"
    parse_destination(out, store=puller.store, run=run).put(image, [Reference.parse("base:1")])
    assert sorted(puller.fetched()) == sorted(digests(image.layers))
