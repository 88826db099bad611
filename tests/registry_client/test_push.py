"""Pushes to Debian's real registry, counted by its own log."""

import shutil
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from builder.errors import BuilderError, LayerError, RegistryError, SettingsError
from builder.events import ignore
from builder.oci import media_types
from builder.oci.descriptor import Descriptor
from builder.oci.image import Image
from builder.oci.manifest import Index
from builder.oci.reference import Reference
from builder.oci.tree import ManifestTree
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.registry.credential import Credential
from builder.registry.delivery import Delivery, Goal, Outcome
from builder.registry.push import foresee, push, shipments_to
from builder.settings import RegistrySettings
from builder.store.layout import Layout
from layers.digest import Digest
from layers.entries import BytesContent, FileEntry
from tests.images import make_image, make_layer
from tests.registry import SHAPES, Registry, Request, Shape, serve_shape

pytestmark = pytest.mark.engine
OUTCOMES = [Outcome.SENT, Outcome.MOUNTED, Outcome.PRESENT]


@dataclass(slots=True)
class Remembered:
    """Places as a plain dictionary."""

    known: dict[tuple[str, Digest], list[str]] = field(default_factory=dict)

    def find(self, host: str, digest: Digest) -> Sequence[str]:
        return self.known.get((host, digest), [])

    def add(self, host: str, repository: str, digests: Iterable[Digest]) -> None:
        for digest in digests:
            self.known.setdefault((host, digest), []).append(repository)


@dataclass(slots=True)
class Pusher:
    access: RegistryAccess
    registry: Registry
    places: Remembered = field(default_factory=Remembered)

    def goal(self, *names: str, mount_from: Sequence[str] = ()) -> Goal:
        references = tuple(Reference.parse(f"{self.registry.host}/{name}") for name in names)
        client = self.access.push_client(references[0], mount_from)
        return Goal(client=client, references=references)

    def __call__(self, tree: ManifestTree, *goals: Goal) -> list[tuple[int, int, int]]:
        """How many blobs were sent, mounted and there already, for each goal."""
        return counts(push(tree, goals, self.places, done=lambda _: None))

    def asked(self) -> list[Request]:
        """The requests that were let in: those that asked how to get in tell nothing."""
        return [r for r in self.registry.requests() if r.status != 401]


def counts(deliveries: Sequence[Delivery]) -> list[tuple[int, int, int]]:
    found = [tuple(len(each.of(outcome)) for outcome in OUTCOMES) for each in deliveries]
    return [(sent, mounted, present) for sent, mounted, present in found]


def image(layout: Layout, *texts: str) -> Image:
    """An image with a layer for each text."""
    return make_image(
        [make_layer(layout, [FileEntry.of(f"f{i}", text.encode())]) for i, text in enumerate(texts)]
    )


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path / "layout")


@pytest.fixture(params=SHAPES)
def shape(request: pytest.FixtureRequest) -> Shape:
    found: Shape = request.param
    return found


def pusher_for(registry: Registry) -> Iterator[Pusher]:
    given = {}
    if registry.credentials:
        username, password = registry.credentials
        given[registry.host] = Credential(username=username, password=password)
    settings = RegistrySettings(certs=str(registry.certs_dir) if registry.certs_dir else None)
    with RegistryAccess.of(settings, {}, run=run, events=ignore, given=given) as access:
        yield Pusher(access, registry)


@pytest.fixture
def pusher(tmp_path: Path, shape: Shape) -> Iterator[Pusher]:
    with serve_shape(shape, tmp_path / "registry") as registry:
        yield from pusher_for(registry)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Pusher]:
    with Registry(tmp_path / "registry") as registry:
        yield from pusher_for(registry)


def test_the_life_of_an_image(pusher: Pusher, layout: Layout) -> None:
    first = ManifestTree.of_image(image(layout, "base", "dependencies", "source"))
    assert pusher(first, pusher.goal("team/app:1")) == [(4, 0, 0)]
    got = pusher.goal("team/app:1").client.manifest("1")
    assert (got.raw, got.media_type) == (first.raw, first.descriptor.media_type)

    before = len(pusher.asked())
    assert pusher(first, pusher.goal("team/app:1")) == [(0, 0, 4)]
    # What is there needs no second word (and a token, where there are tokens, no request here).
    assert [r.method for r in pusher.asked()[before:]] == ["HEAD"]

    edited = ManifestTree.of_image(image(layout, "base", "dependencies", "source, edited"))
    before = len(pusher.asked())
    assert pusher(edited, pusher.goal("team/app:1")) == [(2, 0, 2)]
    methods = [r.method for r in pusher.asked()[before:]]
    # What is small and in no image of this name is not asked for first.
    assert sorted(methods) == ["GET", "HEAD", *["POST"] * 2, *["PUT"] * 3]

    goal = pusher.goal("team/sibling:1", mount_from=["team/app"])
    assert pusher(edited, goal) == [(0, 4, 0)]
    assert goal.client.manifest("1").raw == edited.raw


def test_tags_come_last_and_everywhere_at_once(opened: Pusher, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base", "source"))
    goals = [opened.goal("one:1", "one:2"), opened.goal("two:1")]
    assert opened(tree, *goals) == [(3, 0, 0), (0, 3, 0)]
    written = [r.path for r in opened.asked() if r.method == "PUT"]
    assert [path for path in written if "/manifests/" in path] == written[-3:]


def test_what_one_repository_got_the_next_one_mounts(opened: Pusher, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base", "source"))
    assert opened(tree, opened.goal("one:1")) == [(3, 0, 0)]
    assert opened(tree, opened.goal("two:1")) == [(0, 3, 0)]


def test_a_failure_at_one_registry_leaves_the_other_s_tag_alone(
    opened: Pusher, layout: Layout, tmp_path: Path
) -> None:
    tree = ManifestTree.of_image(image(layout, "base"))
    with Registry(tmp_path / "other", users={"a": "b"}) as other:
        reference = Reference.parse(f"{other.host}/two:1")
        strange = Goal(client=opened.access.push_client(reference), references=(reference,))
        with pytest.raises(RegistryError, match="401"):
            opened(tree, opened.goal("one:1"), strange)
    assert opened.goal("one:1").client.find_manifest("1") is None


def test_an_index_goes_after_its_manifests(opened: Pusher, layout: Layout) -> None:
    children = [ManifestTree.of_image(image(layout, "base", name)) for name in ("amd", "arm")]
    index = Index(manifests=tuple(child.descriptor for child in children)).to_document()
    tree = ManifestTree(descriptor=index.descriptor(), raw=index.raw, children=tuple(children))
    assert opened(tree, opened.goal("app:1")) == [(5, 0, 0)]
    put = [r.path for r in opened.asked() if r.method == "PUT" and "/manifests/" in r.path]
    written = [path.rpartition("/")[2] for path in put]
    assert written == [*(str(child.descriptor.digest) for child in children), "1"]
    got = opened.goal("app:1").client.manifest("1")
    assert (got.raw, got.media_type) == (index.raw, media_types.INDEX)


def test_manifests_that_somebody_removed_from_an_index_come_back(
    opened: Pusher, layout: Layout
) -> None:
    """As those do who remove what has no tag."""
    child = ManifestTree.of_image(image(layout, "base"))
    index = Index(manifests=(child.descriptor,)).to_document()
    tree = ManifestTree(descriptor=index.descriptor(), raw=index.raw, children=(child,))
    opened(tree, opened.goal("app:1"))
    revisions = (opened.registry.storage / "data").glob("**/app/_manifests/revisions/sha256")
    shutil.rmtree(next(revisions) / child.descriptor.digest.hex)
    assert opened.goal("app:1").client.digest_of(str(child.descriptor.digest)) is None
    assert opened(tree, opened.goal("app:1")) == [(0, 0, 2)]
    found = opened.goal("app:1").client.manifest(str(child.descriptor.digest))
    assert found.raw == child.raw


def test_a_digest_beside_a_tag_says_what_it_has_to_mean(opened: Pusher, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base"))
    digest = tree.descriptor.digest
    opened(tree, opened.goal(f"app:1@{digest}", f"app:2@{digest}"))
    client = opened.goal("app:1").client
    assert client.digest_of("1") == client.digest_of("2") == digest


def test_a_dry_run_only_asks(opened: Pusher, layout: Layout) -> None:
    old = ManifestTree.of_image(image(layout, "base", "source"))
    opened(old, opened.goal("app:1"))
    new = ManifestTree.of_image(image(layout, "base", "new"))
    before = len(opened.asked())
    goals = [opened.goal("app:1"), opened.goal("sibling:1")]
    assert counts(foresee(new, shipments_to(goals, opened.places))) == [(2, 0, 1), (2, 1, 0)]
    assert {r.method for r in opened.asked()[before:]} == {"GET", "HEAD"}


def test_a_name_with_another_digest_is_refused(opened: Pusher, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base"))
    other = Digest.of(b"other")
    with pytest.raises(SettingsError, match=f"the image is {tree.descriptor.digest}"):
        opened(tree, opened.goal(f"app:1@{other}"))
    assert not opened.asked()


def test_a_digest_alone_is_a_name(opened: Pusher, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base"))
    name = f"app@{tree.descriptor.digest}"
    assert opened(tree, opened.goal(name)) == [(2, 0, 0)]
    assert opened(tree, opened.goal(name)) == [(0, 0, 2)]


def test_a_damaged_layer_is_told_of_and_nothing_is_named(opened: Pusher, layout: Layout) -> None:
    good = ManifestTree.of_image(image(layout, "base"))
    config, layer = good.blobs
    wrong = type(layer)(layer.descriptor, BytesContent(b"x" * layer.descriptor.size))
    tree = ManifestTree(descriptor=good.descriptor, raw=good.raw, blobs=(config, wrong))
    with pytest.raises(LayerError, match=str(layer.descriptor.digest)):
        opened(tree, opened.goal("app:1"))
    assert opened.goal("app:1").client.find_manifest("1") is None


def test_a_blob_that_the_registry_lost_is_sent_again(opened: Pusher, layout: Layout) -> None:
    old = ManifestTree.of_image(image(layout, "base", "source"))
    opened(old, opened.goal("app:1"))
    lost = old.blobs[1].descriptor.digest
    for link in (opened.registry.storage / "data").glob(f"**/_layers/sha256/{lost.hex}/link"):
        link.unlink()
    new = ManifestTree.of_image(image(layout, "base", "new"))
    opened(new, opened.goal("app:1"))
    assert opened.goal("app:1").client.has(old.blobs[1].descriptor)


def test_a_wrong_password(tmp_path: Path, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, "base"))
    with serve_shape(SHAPES[1], tmp_path / "registry") as registry:
        assert registry.credentials
        given = {registry.host: Credential(username="somebody", password="hunter2")}
        with RegistryAccess.of(
            RegistrySettings(), {}, run=run, events=ignore, given=given
        ) as access:
            reference = Reference.parse(f"{registry.host}/app:1")
            goal = Goal(client=access.push_client(reference), references=(reference,))
            with pytest.raises(BuilderError) as caught:
                push(tree, [goal], Remembered(), done=lambda _: None)
    assert "401" in caught.value.message
    assert "login" in (caught.value.hint or "")
    assert "hunter2" not in f"{caught.value.message} {caught.value.hint}"


def test_threads_share_one_token(tmp_path: Path, layout: Layout) -> None:
    tree = ManifestTree.of_image(image(layout, *map(str, range(12))))
    with serve_shape("token", tmp_path / "registry") as registry:
        for pusher in pusher_for(registry):
            pusher(tree, pusher.goal("team/app:1"))
        assert registry.tokens
        assert len(registry.tokens.requests()) == 1
    assert threading.active_count() >= 1


def test_a_layer_that_stands_twice_goes_once(opened: Pusher, layout: Layout) -> None:
    twice = image(layout, "same")
    both = make_image([twice.layers[0], twice.layers[0]])
    assert opened(ManifestTree.of_image(both), opened.goal("app:1")) == [(2, 0, 0)]
    pointed = [d.digest for d in both.manifest.value.layers]
    assert pointed == [Descriptor.of_layer(both.layers[0]).digest] * 2
