import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.errors import InstallError
from builder.events import Caution, Notice
from builder.rootfs.file_index import FileIndex
from builder.settings import LayerPolicy
from builder.store.layout import Store
from layers.compress import CODECS, GZIP, PLAIN, ZSTD
from layers.verify import read_members
from tests.dependencies.staged import WHEELS, Making, Wheels, digests, members
from tests.project.projects import MINOR, SITE

TAG = f"cpython-{MINOR.replace('.', '')}"
Maker = Callable[..., Making]


@pytest.fixture
def making(tmp_path: Path) -> Maker:
    """Makers with one store, each with a directory of its own."""
    numbers = iter(range(1000))

    def new(store: str = "store", **other: object) -> Making:
        return Making(tmp_path / f"build-{next(numbers)}", Store(tmp_path / store), **other)  # type: ignore[arg-type]

    return new


def bumped(wheels: Wheels = WHEELS) -> Wheels:
    beta = {**wheels["beta-2.0"], "beta.py": b"B = 3\n"}
    return {name: files for name, files in wheels.items() if name != "beta-2.0"} | {
        "beta-2.1": beta
    }


def test_everything_is_in_the_layers_with_its_bytecode(making: Maker) -> None:
    contents = making().make()
    found = members(contents)
    assert found[f"{SITE}/alpha/__init__.py"] == b"A = 1\n"
    assert found["app/.venv/bin/beta"] == b"#!/bin/x\n"
    for module in ("alpha/__pycache__/__init__", "__pycache__/beta", "space/__pycache__/gamma"):
        assert found[f"{SITE}/{module}.{TAG}.pyc"]
    assert found["app/.venv/pyvenv.cfg"] == (
        b"home = /usr/local/bin\nimplementation = CPython\n"
        + f"version_info = {MINOR}\n".encode()
        + b"include-system-site-packages = false\n"
    )
    assert set(contents.paths) <= set(found)
    assert contents.path_files == {f"{SITE}/gamma.pth": "import gamma\n"}


def test_each_layer_carries_the_directories_above_its_files(making: Maker) -> None:
    for made in making().make().layers:
        seen = {""}
        for info, _ in read_members(made.layer):
            assert info.name.rpartition("/")[0] in seen
            assert info.isfile() or info.issym() or (info.isdir() and info.mode == 0o755)
            assert (info.uid, info.gid) == ((0, 0) if info.name == "app" else (1001, 1001))
            seen.add(info.name)


def test_every_layer_is_told_of_once_when_it_is_in_the_store(making: Maker) -> None:
    first = making()
    contents = first.make()
    again = making()
    again.make()
    for told in (first.finished, again.finished):
        assert sorted(str(layer.digest) for layer in told) == sorted(digests(contents).values())


def test_what_another_project_installed_is_not_compiled_again(making: Maker) -> None:
    making().make()
    other = making()
    contents = other.make({**WHEELS, "delta-1.0": {"delta.py": b"D = 1\n"}})
    [compiled] = other.recorder.compiled
    assert "delta.py" in compiled
    assert "alpha" not in compiled
    assert f"{SITE}/__pycache__/delta.{TAG}.pyc" in members(contents)


def test_a_bumped_distribution_changes_its_own_layer_alone(making: Maker) -> None:
    before = making().make()
    bump = making()
    after = bump.make(bumped())
    [compiled] = bump.recorder.compiled
    assert "beta.py" in compiled
    assert "gamma" not in compiled
    changed = digests(after).items() - digests(before).items()
    assert [holds for holds, _ in changed if "beta" not in holds] == []
    assert digests(after)["large 4.0"] == digests(before)["large 4.0"]


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_layers_are_the_same_whatever_was_cached_and_however_many_work(
    codec: object, making: Maker, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = making(codec=codec).make()
    cached = making(codec=codec).make()
    partly = making("second", codec=codec)
    partly.make({name: WHEELS[name] for name in ("gamma-3.0", "large-4.0")})
    mixed = making("second", codec=codec).make()
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(1)))
    alone = making("third", codec=codec).make(dict(reversed(list(WHEELS.items()))))
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(16)))
    many = making("fourth", codec=codec).make()
    expected = [str(made.layer.digest) for made in fresh.layers]
    for contents in (cached, mixed, alone, many):
        assert [str(made.layer.digest) for made in contents.layers] == expected


def test_what_is_in_a_layer_does_not_depend_on_its_codec(making: Maker) -> None:
    made = [making(codec=codec).make() for codec in (GZIP, ZSTD, PLAIN)]
    assert len({tuple(layer.layer.diff_id for layer in each.layers) for each in made}) == 1


@pytest.mark.parametrize("choice", [*LayerPolicy, (("alpha", "beta"),)])
def test_however_it_is_divided_the_same_files_come_out(choice: object, making: Maker) -> None:
    assert members(making(choice=choice).make()) == members(making().make())


def forget_facts(store: Store) -> None:
    shutil.rmtree(store.root / "facts")


def forget_blobs(store: Store) -> None:
    for blob in (store.root / "blobs/sha256").iterdir():
        blob.unlink()


def damage_facts(store: Store) -> None:
    for fact in (store.root / "facts").rglob("*.json"):
        fact.write_text('{"digest": 1, "layers": {}, "descriptor": []}')


@pytest.mark.parametrize("loss", [forget_facts, forget_blobs, damage_facts])
def test_what_the_store_lost_is_made_again(loss: Callable[[Store], None], making: Maker) -> None:
    before = making().make()
    second = making()
    loss(second.store)
    after = second.make()
    assert digests(after) == digests(before)
    assert second.recorder.compiled
    assert members(after)


def test_another_interpreter_base_or_place_is_another_segment(making: Maker) -> None:
    making().make()
    other = making(interpreter="Python 3.99")
    other.make()
    assert other.recorder.compiled
    linked = making(base=FileIndex(symlinks={"app": "srv/app"}, directories={}))
    found = members(linked.make())
    assert linked.recorder.compiled
    assert f"srv/{SITE}/beta.py" in found


def test_a_file_that_is_not_what_record_says_is_mended_first(making: Maker) -> None:
    build = making()
    wheels = {**WHEELS, "beta-2.0": {**WHEELS["beta-2.0"]}}
    site = build.directory / f"venv/lib/python{MINOR}/site-packages"
    build.make(wheels)
    (site / "beta.py").write_bytes(b"B = 'changed'\n")
    again = making("other")
    shutil.copytree(build.directory / "venv", again.directory / "venv")
    contents = again.make({})
    assert again.mended == [{"beta": "beta.py"}]
    assert Caution("not what RECORD says, even as published: beta.py") in again.events
    assert not contents.is_repeatable
    assert members(contents)[f"{SITE}/beta.py"] == b"B = 'changed'\n"
    honest = making("other")
    assert members(honest.make())[f"{SITE}/beta.py"] == b"B = 2\n"


def test_a_file_that_is_gone_is_no_published_distribution(making: Maker) -> None:
    build = making()
    build.make()
    (build.directory / f"venv/lib/python{MINOR}/site-packages/alpha/data.bin").unlink()
    again = making("other")
    shutil.copytree(build.directory / "venv", again.directory / "venv")
    assert not again.make({}).is_repeatable
    assert again.mended == [{"alpha": "alpha/data.bin"}]


def test_what_no_record_lists_is_in_the_frame(making: Maker) -> None:
    build = making()
    (build.directory / f"venv/lib/python{MINOR}/site-packages").mkdir(parents=True)
    (build.directory / f"venv/lib/python{MINOR}/site-packages/stray.py").write_text("S = 1\n")
    found = members(build.make())
    assert found[f"{SITE}/stray.py"] == b"S = 1\n"
    assert f"{SITE}/__pycache__/stray.{TAG}.pyc" in found


def test_nothing_installed_is_an_environment_all_the_same(making: Maker) -> None:
    contents = making().make({})
    [made] = contents.layers
    assert made.holds == ""
    assert {"app/.venv/bin/python", "app/.venv/pyvenv.cfg"} <= members(contents).keys()


@pytest.mark.parametrize("path", ["bad-1.0.dist-info/where", "../../../bin/bad"])
def test_what_an_installer_may_have_written_is_looked_at_in_what_was_published(
    path: str, making: Maker
) -> None:
    build = making(locked={"bad": "key"})
    text = f"PLACE = {str(build.directory)!r}\n".encode()
    with pytest.raises(InstallError, match="names the directory it was installed in"):
        build.make({"bad-1.0": {path: text}})


def test_a_file_that_names_the_staging_directory_is_refused(making: Maker) -> None:
    build = making()
    text = f"PLACE = {str(build.directory)!r}\n".encode()
    with pytest.raises(InstallError, match="names the directory it was installed in"):
        build.make({"bad-1.0": {"bad.py": text}})


def test_a_name_in_the_groups_that_is_not_installed_is_told(making: Maker) -> None:
    build = making(choice=(("alpha", "alhpa"),))
    build.make()
    assert [event for event in build.events if isinstance(event, Notice)] == [
        Notice("the setting layers names what is not installed: alhpa")
    ]


def test_a_path_with_two_contents_is_contested_and_one_with_the_same_is_not(making: Maker) -> None:
    environment = making().environment(
        {
            "one-1.0": {"one.py": b"", "LICENSE": b"one", "space/__init__.py": b""},
            "two-1.0": {"two.py": b"", "LICENSE": b"two", "space/__init__.py": b""},
            "third-1.0": {"third.py": b"", "space/__init__.py": b""},
        }
    )
    assert environment.contested == ["one", "two"]


def test_a_shared_path_without_a_hash_is_contested(making: Maker) -> None:
    build = making()
    site = build.directory / f"venv/lib/python{MINOR}/site-packages"
    build.environment({name: {f"{name[:3]}.py": b""} for name in ("one-1.0", "two-1.0")})
    (site / "shared").write_bytes(b"whose?")
    for info in ("one-1.0.dist-info", "two-1.0.dist-info"):
        with (site / info / "RECORD").open("a") as record:
            record.write("shared,,\n")
    assert build.environment().contested == ["one", "two"]


def test_a_shared_file_has_the_usual_mode_whoever_came_last(making: Maker) -> None:
    build = making()
    names = ("one-1.0", "two-1.0")
    build.environment({name: {f"{name[:3]}.py": b"", "both.py": b"B = 1\n"} for name in names})
    shared = build.directory / f"venv/lib/python{MINOR}/site-packages/both.py"
    first = digests(build.make())
    shared.chmod(0o755)
    assert digests(build.make()) == first
