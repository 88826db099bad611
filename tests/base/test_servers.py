"""Mirrors of a registry: in which order they are asked, and what is said when one fails."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.base.base import Base, BaseRequest
from builder.base.find import find_first_base
from builder.errors import BuilderError, RegistryError, SettingsError, TransportError
from builder.events import Caution, Event
from builder.oci.descriptor import Descriptor
from builder.oci.manifest import parse_manifest
from builder.registry.hosts import Hosts
from builder.settings import RegistrySettings
from builder.store.layout import Layout, Store
from builder.store.places import known_places
from layers.digest import Digest
from tests.base.access import open_access
from tests.base.images import AMD64, PYTHON, ROOTFS, make_image
from tests.images import blob_path
from tests.registry_client.fake import Answer, FaultyServer, closed_port, faulty_server, refused

NAME = "registry.test/team/base:1"
AT_MIRROR = "/v2/cache/team/base"
AT_REGISTRY = "/v2/team/base"
TAG = "/manifests/1"


@dataclass(slots=True)
class Place:
    """A registry, a mirror of it, and one image that may be shown at either."""

    directory: Path
    stack: ExitStack
    mirror: FaultyServer
    registry: FaultyServer
    layout: Layout
    image: Descriptor
    mirror_host: str
    registry_host: str
    blocked: bool = False
    events: list[Event] = field(default_factory=list)

    @property
    def store(self) -> Store:
        return Store(self.directory / "store")

    @property
    def blobs(self) -> tuple[Descriptor, ...]:
        manifest = parse_manifest(self.layout.read(self.image)).value
        return (manifest.config, *manifest.layers)

    def show(self, server: FaultyServer, at: str, *selectors: str) -> None:
        for selector in selectors or ("1",):
            path = f"{at}/manifests/{selector}"
            headers = {"Content-Type": self.image.media_type}
            server.on(path, Answer(body=self.layout.read(self.image), headers=headers))
        for blob in self.blobs:
            server.on(f"{at}/blobs/{blob.digest}", Answer(body=self.layout.read(blob)))

    def hosts(self) -> Hosts:
        conf = self.directory / "registries.conf"
        conf.write_text(
            f'[[registry]]\nprefix = "registry.test"\nlocation = "{self.registry_host}"\n'
            f"blocked = {str(self.blocked).lower()}\n"
            f'[[registry.mirror]]\nlocation = "{self.mirror_host}/cache"\n'
        )
        return Hosts.read(RegistrySettings(conf=str(conf)), {}, etc=self.directory)

    def find(self, *others: str, digest: Digest | None = None) -> Base:
        self.events.clear()
        access = self.stack.enter_context(open_access(hosts=self.hosts()))
        requests = [
            BaseRequest(source=source, platform=AMD64, registries=access, digest=digest)
            for source in (NAME, *others)
        ]
        return find_first_base(requests, store=self.store, events=self.events.append)

    def cautions(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Caution)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with ExitStack() as stack:
        mirror, registry = (stack.enter_context(faulty_server()) for _ in range(2))
        layout = Layout(tmp_path / "remote")
        image = make_image(layout, [ROOTFS, PYTHON])
        yield Place(tmp_path, stack, mirror, registry, layout, image, mirror.host, registry.host)


def test_the_mirror_is_asked_first(place: Place) -> None:
    place.show(place.mirror, AT_MIRROR)
    base = place.find()
    assert (base.name, base.digest) == (NAME, place.image.digest)
    assert f"{AT_MIRROR}{TAG}" in place.mirror.paths()
    assert place.registry.asked == []
    assert place.cautions() == []
    layer = base.image.layers[0].digest
    assert known_places(place.store, place.mirror.host, layer) == ("cache/team/base",)
    assert known_places(place.store, place.registry.host, layer) == ()


@pytest.mark.parametrize(
    "answer",
    [
        *map(refused, (400, 401, 403, 404, 429, 500, 503)),
        Answer(body=b"<html>welcome</html>"),
    ],
    ids=lambda answer: str(answer.status),
)
def test_the_registry_is_asked_when_the_mirror_fails(place: Place, answer: Answer) -> None:
    place.mirror.on(f"{AT_MIRROR}{TAG}", answer)
    place.show(place.registry, AT_REGISTRY)
    assert place.find().digest == place.image.digest
    [caution] = place.cautions()
    assert caution.endswith(f"; asking {place.registry.host}/team/base instead")


def test_the_registry_is_asked_when_the_mirror_has_not_all_of_it(place: Place) -> None:
    place.show(place.mirror, AT_MIRROR)
    del place.mirror.answers[f"{AT_MIRROR}/blobs/{place.blobs[2].digest}"]
    place.mirror.on(f"{AT_MIRROR}/blobs/{place.blobs[1].digest}", Answer(body=b"other"))
    place.show(place.registry, AT_REGISTRY)
    assert place.find().digest == place.image.digest
    assert len(place.cautions()) == 1


def test_a_layer_is_opened_where_it_is_to_be_had(place: Place) -> None:
    place.mirror_host = closed_port()
    place.show(place.registry, AT_REGISTRY)
    layer = place.find().image.layers[1]
    blob_path(place.store, Descriptor.of_layer(layer)).unlink()
    del place.registry.asked[:]
    base = place.find()
    assert place.registry.asked == []
    with base.image.layers[1].source.open() as stream:
        assert len(stream.read()) == layer.size
    assert place.registry.paths() == [f"{AT_REGISTRY}/blobs/{layer.digest}"]
    assert place.cautions() == [
        (
            f"cannot reach {place.mirror_host}: connection refused; "
            f"asking {place.registry.host}/team/base instead"
        )
    ]


def failure(place: Place, *others: str) -> BuilderError:
    with pytest.raises(BuilderError) as caught:
        place.find(*others)
    assert not any("the next base" in text for text in place.cautions())
    return caught.value


def test_the_last_error_counts_and_those_before_are_named(place: Place) -> None:
    place.mirror_host = closed_port()
    error = failure(place, "oci:never")
    assert isinstance(error, RegistryError)
    assert error.status == 404
    assert error.message == str(error)
    assert error.message == (
        f"base {NAME}: asking {place.registry.host} for team/base:1: the answer is 404 Not Found: "
        "MANIFEST_UNKNOWN: manifest unknown "
        f"(before that: cannot reach {place.mirror_host}: connection refused)"
    )


def test_an_answer_of_a_mirror_counts_against_the_next_base(place: Place) -> None:
    place.registry_host = closed_port()
    error = failure(place, "oci:never")
    assert isinstance(error, TransportError)
    assert f"cannot reach {place.registry_host}: connection refused" in error.message


def test_the_next_base_is_taken_when_no_server_is_reached(place: Place) -> None:
    place.mirror_host, place.registry_host = closed_port(), closed_port()
    place.layout.tag("base", place.image)
    local = f"oci:{place.layout.root}"
    assert place.find(local).name == local
    assert place.cautions()[-1].endswith(f"; the next base is taken instead: {local}")


def test_a_pinned_digest_is_what_is_asked_for(place: Place) -> None:
    place.show(place.mirror, AT_MIRROR, str(place.image.digest))
    assert place.find(digest=place.image.digest).digest == place.image.digest
    assert place.mirror.paths()[0] == f"{AT_MIRROR}/manifests/{place.image.digest}"


def test_a_blocked_registry_is_not_asked(place: Place) -> None:
    place.blocked = True
    assert isinstance(failure(place), SettingsError)
    assert place.mirror.asked == place.registry.asked == []
