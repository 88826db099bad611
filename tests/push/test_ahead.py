"""Layers that go to a registry before there is an image of them."""

import io
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import monotonic, sleep
from typing import BinaryIO, cast

import pytest

from builder.base.base import Base
from builder.errors import InstallError, LayerError, RegistryError, SettingsError, StoreError
from builder.events import Event, Span, ignore
from builder.oci.image import Image
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.process import run
from builder.push.ahead import Ahead, going_ahead
from builder.push.deliver import Route, counts, deliver, report
from builder.registry.access import RegistryAccess
from builder.registry.credential import Credential
from builder.registry.delivery import Delivery
from builder.settings import RegistrySettings
from builder.store.layout import Layout, Store
from builder.store.places import remember_places
from builder.workshop import Workshop
from layers.entries import Content, FileEntry
from layers.layer import Layer
from tests.images import make_image, make_layer
from tests.plan.bases import a_base
from tests.registry import PASSWORD, SHAPES, Registry, Shape, serve_shape

pytestmark = pytest.mark.engine

_PATIENCE = 20.0


@dataclass(slots=True)
class Pushing:
    """A user with a store of their own, who builds and pushes at a registry."""

    registry: Registry
    access: RegistryAccess
    store: Store
    layout: Layout
    events: list[Event] = field(default_factory=list)

    @property
    def shop(self) -> Workshop:
        return Workshop(store=self.store, run=run, events=self.events.append)

    def route(self, *names: str) -> Route:
        references = [Reference.parse(f"{self.registry.host}/{name}") for name in names]
        return Route.to(references, self.access, self.shop)

    def layer(self, text: str) -> Layer:
        return make_layer(self.layout, [FileEntry.of("file", text.encode())])

    def image(self, *texts: str) -> Image:
        return make_image([self.layer(text) for text in texts])

    def push(
        self, image: Image, *names: str, base: int = 1, until: Callable[[], bool] = lambda: True
    ) -> list[str]:
        """Push as a build does, which finishes layers in threads; what each repository took."""
        route = self.route(*names)
        with going_ahead(route) as ahead:
            ahead.stand_on(base_of(image, base))
            finish(ahead, image.layers[base:])
            wait_until(until)
            deliveries = deliver(ManifestTree.of_image(image), route, self.shop)
        return [summary(delivery) for delivery in deliveries]

    def asked(self) -> list[str]:
        """The requests that were let in, in a word or two."""
        return [
            f"{request.method} {kind(request.path)}"
            for request in self.registry.requests()
            if request.status != 401
        ]


def summary(delivery: Delivery) -> str:
    """``counts`` without bytes."""
    return re.sub(r" blobs sent \(.*?\)", " sent", counts(delivery))


def kind(path: str) -> str:
    return next(part for part in ("manifests", "uploads", "blobs", "") if f"/{part}" in path)


def base_of(image: Image, count: int, name: str = "oci:base") -> Base:
    return replace(a_base(name=name), image=replace_layers(image, count))


def replace_layers(image: Image, count: int) -> Image:
    return make_image(image.layers[:count])


def finish(ahead: Ahead, layers: Sequence[Layer]) -> None:
    """As a build does: each layer from a thread of its own."""
    threads = [threading.Thread(target=ahead.send, args=(layer,)) for layer in layers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def wait_until(happened: Callable[[], bool]) -> None:
    deadline = monotonic() + _PATIENCE
    while not happened():
        assert monotonic() < deadline
        sleep(0.01)


@contextmanager
def pushing(registry: Registry, tmp_path: Path) -> Iterator[Pushing]:
    given = {}
    if registry.credentials:
        username, password = registry.credentials
        given[registry.host] = Credential(username=username, password=password)
    settings = RegistrySettings(certs=str(registry.certs_dir) if registry.certs_dir else None)
    with RegistryAccess.of(settings, {}, run=run, events=ignore, given=given) as access:
        yield Pushing(registry, access, Store(tmp_path / "store"), Layout(tmp_path / "layout"))


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found


@pytest.fixture
def everywhere(tmp_path: Path, shape: Shape) -> Iterator[Pushing]:
    """At a registry of each shape."""
    with serve_shape(shape, tmp_path / "registry") as registry, pushing(registry, tmp_path) as it:
        yield it


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Pushing]:
    with Registry(tmp_path / "registry") as registry, pushing(registry, tmp_path) as it:
        yield it


def test_a_source_edit_asks_no_more_than_without(everywhere: Pushing) -> None:
    first = everywhere.image("base", "dependencies", "source")
    assert everywhere.push(first, "team/app:1") == ["4 sent, 0 mounted, 0 there already"]
    edited = everywhere.image("base", "dependencies", "edited")
    before = len(everywhere.asked())
    gone = lambda: everywhere.asked()[before:].count("PUT uploads") == 1  # noqa: E731
    assert everywhere.push(edited, "team/app:1", until=gone) == [
        "2 sent, 0 mounted, 2 there already"
    ]
    asked = everywhere.asked()[before:]
    one_blob = ["POST uploads", "PUT uploads"]
    # All but the last three had happened before there was an image.
    assert asked == ["HEAD manifests", "GET manifests", *one_blob, *one_blob, "PUT manifests"]
    assert everywhere.registry.read("team/app", "manifests/1") == edited.manifest.raw


def test_nothing_changed_is_one_question(everywhere: Pushing) -> None:
    image = everywhere.image("base", "source")
    everywhere.push(image, "team/app:1")
    before = len(everywhere.asked())
    route = everywhere.route("team/app:1")
    with going_ahead(route) as ahead:
        ahead.stand_on(base_of(image, 1))
        [delivery] = deliver(ManifestTree.of_image(image), route, everywhere.shop)
    assert counts(delivery) == "0 blobs sent (0 B), 0 mounted, 3 there already"
    assert delivery.tagged == ()
    assert everywhere.asked()[before:] == ["HEAD manifests"]


def test_an_image_that_is_built_anew_and_was_there_sends_nothing(opened: Pushing) -> None:
    image = opened.image("base", "source")
    opened.push(image, "app:1")
    before = len(opened.asked())
    looked = lambda: "GET manifests" in opened.asked()[before:]  # noqa: E731
    assert opened.push(image, "app:1", until=looked) == ["0 sent, 0 mounted, 3 there already"]
    # The name is asked again: it may have been moved while the image was built.
    assert opened.asked()[before:] == ["HEAD manifests", "GET manifests", "HEAD manifests"]


def test_the_report_is_the_same_as_of_a_push_without(opened: Pushing, tmp_path: Path) -> None:
    image = opened.image("base", "dependencies", "source")
    tree = ManifestTree.of_image(image)
    reports = []
    for name in ("ahead/app:1", "after/app:1"):
        with Registry(tmp_path / name.replace(":", "-")) as registry:
            opened.registry = registry
            route = opened.route("app:1")
            with going_ahead(route, dry_run=name.startswith("after")) as ahead:
                ahead.stand_on(base_of(image, 1))
                finish(ahead, image.layers[1:])
                [repository] = report(tree, deliver(tree, route, opened.shop))["repositories"]
        assert repository.pop("registry") == registry.host
        assert repository.pop("seconds") >= 0
        reports.append(repository)
    assert reports[0] == reports[1]
    assert len(reports[0]["layers"]["sent"]) == 4
    assert reports[0]["bytes"] == sum(blob["size"] for blob in reports[0]["layers"]["sent"])


def test_what_one_repository_gets_the_next_one_mounts(opened: Pushing) -> None:
    image = opened.image("base", "dependencies", "source")
    took = opened.push(image, "one:1", "one:2", "two:1")
    assert took == ["4 sent, 0 mounted, 0 there already", "0 sent, 4 mounted, 0 there already"]
    written = [r.path for r in opened.registry.requests() if r.method == "PUT"]
    assert [path for path in written if "/manifests/" in path] == written[-3:]


def test_the_base_is_mounted_from_its_own_repository(everywhere: Pushing) -> None:
    base = everywhere.image("base")
    everywhere.push(base, "library/python:3", base=1)
    everywhere.store = Store(everywhere.store.root.parent / "another")
    image = everywhere.image("base", "source")
    route = everywhere.route("team/app:1")
    published = replace(
        base_of(image, 1), name=f"{everywhere.registry.host}/library/python:3", is_published=True
    )
    with going_ahead(route) as ahead:
        ahead.stand_on(published)
        finish(ahead, image.layers[1:])
        [delivery] = deliver(ManifestTree.of_image(image), route, everywhere.shop)
    assert counts(delivery).endswith("1 mounted, 0 there already")
    if everywhere.registry.tokens:
        # One for the first question, one for what is mounted as well.
        assert len(everywhere.registry.tokens.requests()) <= 2 + 2


def test_a_layer_that_another_project_pushed_is_mounted(everywhere: Pushing) -> None:
    shared = everywhere.layer("dependencies")
    everywhere.push(make_image([shared]), "team/one:1", base=0)
    image = make_image([shared, everywhere.layer("source")])
    assert everywhere.push(image, "team/two:1", base=0) == ["2 sent, 1 mounted, 0 there already"]


def test_a_dry_run_sends_nothing_ahead(opened: Pushing) -> None:
    image = opened.image("base", "source")
    route = opened.route("app:1")
    with going_ahead(route, dry_run=True) as ahead:
        ahead.stand_on(base_of(image, 1))
        finish(ahead, image.layers[1:])
        [delivery] = deliver(ManifestTree.of_image(image), route, opened.shop, dry_run=True)
    assert counts(delivery).startswith("3 blobs sent")
    assert set(opened.asked()) == {"HEAD manifests", "HEAD blobs"}


def test_for_a_name_that_may_be_another_image_s_nothing_goes(opened: Pushing) -> None:
    image, other = opened.image("base", "source"), opened.image("other")
    with pytest.raises(SettingsError, match=f"the image is {image.digest}"):
        opened.push(image, f"app:1@{other.digest}")
    assert opened.asked() == []


def test_a_layer_that_is_finished_twice_goes_once(opened: Pushing) -> None:
    layer = opened.layer("same")
    assert opened.push(make_image([layer, layer]), "app:1", base=0) == [
        "2 sent, 0 mounted, 0 there already"
    ]
    assert opened.asked().count("PUT uploads") == 2


@dataclass(slots=True)
class Fickle:
    """Content that cannot be read at first."""

    content: Content
    failures: int
    failed: int = 0

    def open(self) -> BinaryIO:
        if self.failed < self.failures:
            self.failed += 1
            raise StoreError("the disk is busy")
        return self.content.open()


def test_what_failed_ahead_is_brought_with_the_image(opened: Pushing) -> None:
    image = opened.image("base", "one", "two", "three")
    fickle = Fickle(image.layers[1].source, failures=1)
    layers = (image.layers[0], replace(image.layers[1], source=fickle), *image.layers[2:])
    took = opened.push(make_image(layers), "app:1", until=lambda: fickle.failed == 1)
    assert took == ["5 sent, 0 mounted, 0 there already"]
    assert opened.registry.read("app", "manifests/1") == image.manifest.raw


def test_what_keeps_failing_is_told_once(opened: Pushing) -> None:
    image = opened.image("base", "one")
    wrong = replace(image.layers[1], source=Wrong())
    with pytest.raises(LayerError, match=str(wrong.digest)):
        opened.push(make_image([image.layers[0], wrong]), "app:1")
    assert opened.registry.read("app", "manifests/1") is None


class Wrong:
    """Content that is another blob's."""

    def open(self) -> BinaryIO:
        return io.BytesIO(b"not these bytes")


def test_a_registry_that_lets_nobody_in_says_so_when_the_image_is_there(tmp_path: Path) -> None:
    with Registry(tmp_path / "registry", users={"somebody": PASSWORD}) as registry:
        registry_of_a_stranger = RegistryAccess.of(RegistrySettings(), {}, run=run, events=ignore)
        with registry_of_a_stranger as access:
            stranger = Pushing(registry, access, Store(tmp_path / "s"), Layout(tmp_path / "l"))
            with pytest.raises(RegistryError, match="401 Unauthorized"):
                stranger.push(stranger.image("base", "source"), "app:1")


@dataclass(slots=True)
class Endless:
    """Content that goes on for as long as anybody reads; it tells when it begins."""

    begun: threading.Event = field(default_factory=threading.Event)

    def open(self) -> BinaryIO:
        return cast("BinaryIO", _Trickle(self.begun))


class _Trickle(io.RawIOBase):
    def __init__(self, begun: threading.Event) -> None:
        super().__init__()
        self._begun = begun

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        self._begun.set()
        sleep(0.001)
        buffer[:1] = b"x"
        return 1


@pytest.mark.parametrize("error", [InstallError("uv failed"), KeyboardInterrupt()])
def test_a_build_that_fails_has_its_own_error_and_leaves_nothing_under_way(
    opened: Pushing, error: BaseException
) -> None:
    """What it leaves at the registry are blobs that nothing points at."""
    image, endless = opened.image("base", "source"), Endless()
    unfinished = replace(image.layers[1], source=endless, size=1 << 40)
    before = threading.active_count()

    def build() -> None:
        with going_ahead(opened.route("app:1")) as ahead:
            ahead.stand_on(base_of(image, 1))
            ahead.send(unfinished)
            assert endless.begun.wait(_PATIENCE)
            raise error

    with pytest.raises(type(error)):
        build()
    wait_until(lambda: threading.active_count() <= before)
    # The upload that came to nothing is taken back.
    wait_until(lambda: "DELETE uploads" in opened.asked())
    assert opened.registry.read("app", "manifests/1") is None


def test_what_takes_how_long_is_told_without_secrets(tmp_path: Path) -> None:
    with serve_shape("token", tmp_path / "registry") as registry, pushing(registry, tmp_path) as it:
        image = it.image("base", "source")
        it.push(image, "team/app:1")
        name = f"{registry.host}/team/app"
        spans = {event.name for event in it.events if isinstance(event, Span)}
        short = image.layers[1].digest.hex[:12]
    assert spans >= {
        f"ask for 1 of {name}",
        *(f"{what} {short} to {name}" for what in ("ask for", "mount", "send", "blob")),
    }
    assert PASSWORD not in " ".join(spans)
    assert all(event.started <= event.ended for event in it.events if isinstance(event, Span))


def test_places_that_were_seen_are_asked_for_at_once(opened: Pushing) -> None:
    """A mount is one request, without a question before it."""
    image = opened.image("base", "source")
    opened.push(image, "one:1")
    digests = [layer.digest for layer in image.layers]
    remember_places(opened.store, opened.registry.host, "one", digests)
    before = len(opened.asked())
    opened.push(image, "two:1")
    assert sorted(opened.asked()[before:]) == [
        *("HEAD manifests", "POST uploads", "POST uploads", "POST uploads", "PUT manifests")
    ]
