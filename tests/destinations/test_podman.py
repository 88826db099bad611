"""Loading into podman: how often it is started, whose names stay, and what a refusal reads like."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from builder.destinations.podman import PodmanDestination
from builder.destinations.window import window
from builder.errors import EngineError, StoreError
from builder.oci.reference import Reference
from builder.process import run
from builder.store.layout import Layout
from tests.destinations import readers
from tests.destinations.conftest import Images
from tests.destinations.readers import output_of
from tests.destinations.runners import Counting, FakeRun, Interrupted
from tests.images import read_image

NAMES = [Reference.parse("builder-tests/engine:1.0"), Reference.parse("ghcr.io/builder-tests/x:2")]
LATEST = [Reference.parse("builder-tests/engine")]


@pytest.fixture
def loaded(images: Images) -> Iterator[Images]:
    yield images
    for image in (images.first, images.second):
        run(["podman", "rmi", "--force", image.config.digest.hex])


@pytest.fixture
def counting(loaded: Images) -> tuple[PodmanDestination, Counting]:
    """A destination that has loaded ``first`` as the build names images, and its runner."""
    runner = Counting()
    podman = PodmanDestination(store=loaded.store, run=runner)
    podman.put(loaded.first, LATEST)
    return podman, runner


@pytest.mark.engine
def test_a_first_load_starts_podman_twice(
    loaded: Images, counting: tuple[PodmanDestination, Counting]
) -> None:
    assert counting[1].commands == ["pull", "image"]
    assert readers.podman_names(loaded.first.config.digest.hex) == [LATEST[0].local]


@pytest.mark.engine
def test_after_a_source_edit_podman_is_started_twice(
    loaded: Images, counting: tuple[PodmanDestination, Counting]
) -> None:
    podman, runner = counting
    runner.commands.clear()
    podman.put(loaded.second, LATEST)
    assert runner.commands == ["pull", "image"]
    assert readers.podman(LATEST[0].local).digest == str(loaded.second.digest)


@pytest.mark.engine
def test_an_image_that_is_there_costs_one_start(
    loaded: Images, counting: tuple[PodmanDestination, Counting]
) -> None:
    podman, runner = counting
    runner.commands.clear()
    podman.put(loaded.first, LATEST)
    assert runner.commands == ["image"]


@pytest.mark.engine
def test_a_name_that_is_gone_costs_one_more(
    loaded: Images, counting: tuple[PodmanDestination, Counting]
) -> None:
    podman, runner = counting
    runner.commands.clear()
    podman.put(loaded.first, [*LATEST, *NAMES])
    assert runner.commands == ["image", "tag"]
    names = readers.podman_names(loaded.first.config.digest.hex)
    assert sorted(names) == sorted(name.local for name in [*LATEST, *NAMES])


@pytest.mark.engine
def test_an_image_that_was_removed_is_loaded_again(
    loaded: Images, counting: tuple[PodmanDestination, Counting]
) -> None:
    podman, runner = counting
    output_of("podman", "rmi", LATEST[0].local)
    runner.commands.clear()
    podman.put(loaded.first, LATEST)
    assert runner.commands == ["image", "pull", "image"]
    assert readers.podman(LATEST[0].local).digest == str(loaded.first.digest)


@pytest.mark.engine
def test_names_that_old_podmans_do_not_give_cost_two_more(loaded: Images) -> None:
    runner = Counting()
    PodmanDestination(store=loaded.store, run=runner).put(loaded.first, NAMES)
    assert runner.commands[:3] == ["pull", "image", "tag"]
    assert runner.commands[3:] in ([], ["untag"])
    names = readers.podman_names(loaded.first.config.digest.hex)
    assert sorted(names) == sorted(name.local for name in NAMES)


@pytest.mark.engine
def test_one_of_the_names_may_be_any_podmans_own(loaded: Images) -> None:
    runner = Counting()
    PodmanDestination(store=loaded.store, run=runner).put(loaded.first, [*NAMES, *LATEST])
    assert runner.commands == ["pull", "image", "tag"]
    names = readers.podman_names(loaded.first.config.digest.hex)
    assert sorted(names) == sorted(name.local for name in [*NAMES, *LATEST])


@pytest.mark.parametrize(
    ("names", "path"),
    [
        (["localhost/team/app:latest"], "team/app"),
        (["ghcr.io/team/app:1", "localhost/app:latest"], "app"),
        (["localhost/app:1.0"], None),
        (["ghcr.io/team/app:latest"], None),
    ],
)
def test_a_window_is_called_what_the_image_shall_be(
    images: Images, names: list[str], path: str | None
) -> None:
    with (
        window(images.store, images.first, names) as one,
        window(images.store, images.first, names) as two,
    ):
        assert one.directory != two.directory
        assert one.name == names[0]
        assert (one.path == path) if path else (one.path != two.path)
        assert (one.name_by_path in names) is (path is not None)
        shown = read_image(Layout(one.directory / one.path), one.name)
    assert shown.digest == images.first.digest
    assert not one.directory.exists()


def test_no_room_for_a_window(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "nowhere"))
    podman = PodmanDestination(store=images.store, run=FakeRun())
    with pytest.raises(StoreError, match="cannot make a temporary directory"):
        podman.put(images.first, LATEST)


@pytest.mark.engine
def test_a_store_anywhere_will_do(
    loaded: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = tmp_path / "Über :Cache"
    loaded.store.root.rename(odd)
    store = type(loaded.store)(odd)
    monkeypatch.setattr("tempfile.tempdir", str(odd))
    PodmanDestination(store=store, run=run).put(loaded.first, NAMES)
    assert readers.podman(NAMES[0].local).digest == str(loaded.first.digest)
    assert [path.name for path in odd.iterdir() if path.name.startswith("builder-")] == []


@pytest.mark.engine
def test_nobody_needs_to_be_logged_in(
    loaded: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REGISTRY_AUTH_FILE", str(tmp_path / "not-there-yet.json"))
    PodmanDestination(store=loaded.store, run=run).put(loaded.first, LATEST)
    assert readers.podman(LATEST[0].local).digest == str(loaded.first.digest)


@pytest.mark.engine
def test_other_names_of_the_image_stay(loaded: Images) -> None:
    podman = PodmanDestination(store=loaded.store, run=run)
    podman.put(loaded.first, NAMES)
    output_of("podman", "tag", NAMES[0].local, "localhost/builder-tests/of-the-user:7")
    podman.put(loaded.repacked, NAMES)
    found = readers.podman("localhost/builder-tests/of-the-user:7")
    assert found.digest == str(loaded.repacked.digest)
    names = readers.podman_names(loaded.first.config.digest.hex)
    assert len(names) == 3


@pytest.mark.engine
def test_a_container_in_the_way_keeps_its_image(loaded: Images) -> None:
    podman = PodmanDestination(store=loaded.store, run=run)
    podman.put(loaded.first, NAMES)
    container = output_of("podman", "create", "--network", "none", NAMES[0].local)
    try:
        with pytest.raises(EngineError, match="packed otherwise") as caught:
            podman.put(loaded.repacked, NAMES)
        assert "remove the containers that use it" in (caught.value.hint or "")
        names = readers.podman_names(loaded.first.config.digest.hex)
        assert sorted(names) == sorted(name.local for name in NAMES)
    finally:
        output_of("podman", "rm", container)


@pytest.mark.engine
def test_what_podman_refuses_is_told_in_its_words(
    loaded: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "storage.conf"
    places = f'graphroot = "{tmp_path}/graph"\nrunroot = "{tmp_path}/run"\n'
    settings.write_text(f'[storage]\ndriver = "bogus"\n{places}')
    monkeypatch.setenv("CONTAINERS_STORAGE_CONF", str(settings))
    with pytest.raises(EngineError, match=r"podman pull (.|\n)*bogus"):
        PodmanDestination(store=loaded.store, run=run).put(loaded.first, NAMES)


@pytest.mark.engine
@pytest.mark.parametrize("late", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("command", ["untag", "rmi", "pull"])
def test_interrupted_it_loses_no_name(loaded: Images, command: str, *, late: bool) -> None:
    podman = PodmanDestination(store=loaded.store, run=run)
    podman.put(loaded.first, NAMES)
    interrupted = PodmanDestination(store=loaded.store, run=Interrupted(command, late=late))
    with pytest.raises(KeyboardInterrupt):
        interrupted.put(loaded.repacked, NAMES[:1])
    names = readers.podman_names(loaded.first.config.digest.hex)
    assert sorted(names) == sorted(name.local for name in NAMES)


def test_what_gives_names_back_does_not_hide_what_went_wrong(images: Images) -> None:
    other = f"sha256:{'0' * 64}"
    pulled = [(0, ""), (0, f"{other}\n{NAMES[0].local}\n"), (0, "")]
    replacing = [(0, ""), (0, ""), (1, "the pull failed"), (1, "")]
    fake = FakeRun(*pulled, *replacing, (1, "no such image"), (1, "again"), (1, ""))
    with pytest.raises(EngineError, match="the pull failed"):
        PodmanDestination(store=images.store, run=fake).put(images.first, NAMES)
    assert fake.answers == []


def test_podman_that_reports_another_digest(images: Images) -> None:
    other = f"sha256:{'0' * 64}"
    pulled = [(0, ""), (0, f"{other}\n"), (0, "")]
    forgotten = [(0, ""), (0, "")]
    fake = FakeRun(*pulled, *forgotten, *pulled)
    with pytest.raises(EngineError, match=f"podman reports {other} for {NAMES[0].local}"):
        PodmanDestination(store=images.store, run=fake).put(images.first, NAMES)
