"""Composing ``apt:SUITE`` from an archive of small packages and a small Python."""

import platform
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from builder.base import apt_image
from builder.base.apt_source import AptBase
from builder.base.base import AptRequest, Base, BaseRequest
from builder.base.debian_layer import _ALWAYS
from builder.base.find import find_base
from builder.debian.architecture import debian_architecture
from builder.debian.database.installed import read_installed
from builder.debian.package import Pin
from builder.debian.root import read_root
from builder.errors import BaseError, BuilderError, SettingsError
from builder.events import Caution, Event, ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.settings import AptSourceSettings, PullPolicy, Settings
from builder.store.layout import Store
from tests.base.pythons import MANAGED, small_cpython
from tests.debian.archives import LocalArchive
from tests.debian.debs import Member, file, make_deb
from tests.interpreter import cpython

_ARCHITECTURE = debian_architecture(Platform.host())
_LIBRARIES = f"usr/lib/{platform.machine()}-linux-gnu"
_POSTINST = "#!/bin/sh\nfrobnicate --now\n"


class _World:
    """An archive with the whole of a base, and a Python that needs libm."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.archive = LocalArchive(directory, architectures=(_ARCHITECTURE,), suffixes=("",))
        (directory / "key.pgp").write_bytes(self.archive.keyring)
        self.store = Store(directory / "store")
        self.heard: list[Event] = []
        for name in _ALWAYS:
            libc = [_library("libc.so.6")] if name == "libc6" else []
            self.add(name, libc, version="2.36-1")
        self.add("mathematics", [_library("libm.so.6")])
        self.archive.publish()

    def add(
        self, name: str, files: Sequence[Member] = (), *, version: str = "1-1", script: str = ""
    ) -> None:
        control = {"Package": name, "Version": version, "Architecture": _ARCHITECTURE}
        always = file(f"usr/share/doc/{name}/copyright", b"free")
        scripts = {"postinst": script} if script else None
        deb = make_deb(control, [always, *files], scripts=scripts, compression="none")
        self.archive.add(control, deb, ships=[member.path for member in files])

    def request(self, **changes: object) -> BaseRequest:
        sources = AptSourceSettings(uri=self.archive.uri, suites=("bookworm",), keyring="key.pgp")
        settings = Settings(apt_sources=(sources,))
        request = BaseRequest(
            source="apt:bookworm",
            platform=Platform.host(),
            apt=AptRequest(settings=settings, project=self.directory, python=(3, 12)),
        )
        return replace(request, **changes)  # type: ignore[arg-type]

    def find(self, **changes: object) -> Base:
        return find_base(self.request(**changes), store=self.store, events=self.heard.append)

    def locked(self, pins: Sequence[Pin]) -> dict[str, object]:
        """The change that makes a request one for locked packages."""
        apt = self.request().apt
        assert apt
        return {"apt": replace(apt, pins=tuple(pins))}


def _library(name: str) -> Member:
    """A real shared library, and a small one, which the loader knows by its file's name."""
    [path] = (cpython() / "lib/python3.12/lib-dynload").glob("_contextvars.*.so")
    return file(f"{_LIBRARIES}/{name}", path.read_bytes())


@contextmanager
def _served(directory: Path) -> Iterator[_World]:
    small_cpython(directory / "pythons" / MANAGED)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_PYTHON_INSTALL_DIR", str(directory / "pythons"))
        world = _World(directory)
        with world.archive.serving():
            yield world


@pytest.fixture
def world(tmp_path: Path) -> Iterator[_World]:
    """One that a test may change."""
    with _served(tmp_path) as world:
        yield world


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[_World]:
    """One that stays as it is, and has its base composed."""
    with _served(tmp_path_factory.mktemp("kept")) as world:
        world.find()
        yield world


def test_a_base_is_two_layers_with_the_official_images_environment(kept: _World) -> None:
    base = kept.find()
    config = base.image.config.value
    assert config.run == {
        "Env": [
            "PATH=/usr/local/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "LANG=C.UTF-8",
            "PYTHON_VERSION=3.12.1",
        ],
        "Cmd": ["python3"],
    }
    assert config.members["created"] == "1970-01-01T00:00:00Z"
    assert [entry["created_by"] for entry in config.history] == [
        "image-builder: Debian bookworm",
        "image-builder: CPython 3.12.1",
    ]
    assert config.platform == Platform.host()
    assert (base.name, base.is_published) == ("apt:bookworm", True)
    assert base.files.symlinks["usr/local/bin/python3"] == "python3.12"


def test_the_packages_that_are_always_there_and_what_python_needs_are_installed(
    kept: _World,
) -> None:
    base = kept.find()
    assert [pin.name for pin in base.pins] == sorted([*_ALWAYS, "mathematics"])
    status = read_installed(read_root(base.image, base.files, kept.store), _ARCHITECTURE)
    assert [*status.packages] == [pin.name for pin in base.pins]
    assert f"{_LIBRARIES}/libm.so.6" in base.files.files
    assert base.files.symlinks["usr/lib/ssl/certs"] == "/etc/ssl/certs"
    assert base.files.symlinks["lib"] == "usr/lib"


def test_a_package_named_after_a_library_that_it_has_not_is_left_out(world: _World) -> None:
    world.add("libm6")
    world.archive.publish()
    names = {pin.name for pin in world.find().pins}
    assert "mathematics" in names
    assert "libm6" not in names


def test_a_library_in_the_package_named_after_it_is_not_searched_for(world: _World) -> None:
    world.add("libm6", [_library("libm.so.6")])
    world.archive.publish()
    assert "libm6" in {pin.name for pin in world.find().pins}
    assert not [path for path in world.archive.paths() if "Contents" in path]


def test_what_no_package_has_is_refused_by_name(world: _World, tmp_path: Path) -> None:
    prefix = tmp_path / "pythons" / MANAGED
    for path in prefix.rglob("math.*.so"):
        data = path.read_bytes()
        path.write_bytes(data.replace(b"libm.so.6\0", b"libq.so.6\0"))
    with pytest.raises(BaseError, match=r"lib-dynload/math\.\S+ of Python 3\.12\.1 needs libq"):
        world.find()


def test_a_c_library_older_than_pythons_is_refused(kept: _World) -> None:
    pins = [
        replace(pin, version="2.1-1") if pin.name == "libc6" else pin for pin in kept.find().pins
    ]
    with pytest.raises(BaseError, match=r"needs glibc 2\.\d+, the base has 2\.1"):
        kept.find(**kept.locked(pins))


def test_a_composed_base_is_there_without_asking_anybody(
    kept: _World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = kept.find()
    kept.archive.paths()
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path / "nowhere"))
    again = kept.find()
    assert (again.digest, again.pins) == (first.digest, first.pins)
    assert kept.archive.paths() == []
    assert kept.find(policy=PullPolicy.NEVER).digest == first.digest


def test_always_asks_the_archive_and_gives_the_same(kept: _World) -> None:
    first = kept.find()
    kept.archive.paths()
    assert kept.find(policy=PullPolicy.ALWAYS).digest == first.digest
    assert any(path.endswith("InRelease") for path in kept.archive.paths())


def test_never_asks_nobody(kept: _World, tmp_path: Path) -> None:
    kept.archive.paths()
    request = kept.request(policy=PullPolicy.NEVER)
    with pytest.raises(BaseError, match="was not composed here yet") as refused:
        find_base(request, store=Store(tmp_path / "empty"))
    assert refused.value.hint == 'set pull to "missing"'
    assert kept.archive.paths() == []


@pytest.mark.parametrize("name", ["FORMAT", "PACKAGES_FORMAT", "PYTHON_FORMAT", "LAYER_FORMAT"])
def test_a_base_of_another_format_is_composed_anew(
    kept: _World, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(apt_image, name, 999)
    with pytest.raises(BaseError, match="was not composed here yet"):
        kept.find(policy=PullPolicy.NEVER)


def test_every_store_gets_the_same_digest(kept: _World, tmp_path: Path) -> None:
    first = kept.find()
    other = find_base(kept.request(), store=Store(tmp_path / "other-store"))
    assert other.digest == first.digest


def test_a_variant_that_is_meant_anyway_changes_nothing(kept: _World) -> None:
    assert kept.find(platform=Platform.host().specific).digest == kept.find().digest


def test_locked_packages_stay_when_newer_ones_come(world: _World) -> None:
    first = world.find()
    world.add("netbase", version="3-1")
    world.archive.publish()
    newer = world.find(policy=PullPolicy.ALWAYS)
    assert newer.digest != first.digest
    world.archive.paths()
    for policy in PullPolicy:
        locked = world.find(policy=policy, **world.locked(first.pins))
        assert (locked.digest, locked.pins) == (first.digest, first.pins)
    assert not [path for path in world.archive.paths() if "dists" in path]


def test_locked_packages_that_lack_a_library_are_refused(kept: _World) -> None:
    pins = [pin for pin in kept.find().pins if pin.name != "mathematics"]
    with pytest.raises(BaseError, match=r"needs libm\.so\.6, which none of the locked") as refused:
        kept.find(**kept.locked(pins))
    assert refused.value.hint == "builder lock --upgrade"


def test_what_scripts_would_have_done_is_told_each_time_until_it_is_accepted(
    world: _World,
) -> None:
    world.add("netbase", version="3-1", script=_POSTINST)
    world.archive.publish()
    for _ in range(2):
        world.heard.clear()
        world.find()
        [caution] = [event for event in world.heard if isinstance(event, Caution)]
        assert re.search("scripts of netbase do not run: .*frobnicate", caution.text)
        assert caution.hint == 'apt-accept = ["netbase"]'
    world.heard.clear()
    apt = world.request().apt
    assert apt
    accepting = replace(apt.settings, apt_accept=("netbase",))
    world.find(apt=replace(apt, settings=accepting))
    assert not [event for event in world.heard if isinstance(event, Caution)]


def test_a_lost_layer_is_composed_again(world: _World) -> None:
    base = world.find()
    for layer in base.image.layers:
        (world.store.root / "blobs/sha256" / layer.digest.hex).unlink()
    assert world.find().digest == base.digest


def test_a_damaged_fact_costs_time_only(world: _World) -> None:
    base = world.find()
    for path in (world.store.root / "facts").rglob("*.json"):
        path.write_text('{"manifest": {}, "packages": [{}], "layer": 1}')
    assert world.find().digest == base.digest


@pytest.mark.parametrize("source", ["apt:", "apt:../etc", "apt:Bookworm", "apt:bookworm/main"])
def test_what_is_no_release_is_refused(tmp_path: Path, source: str) -> None:
    apt = AptRequest(settings=Settings(), project=tmp_path, python=(3, 12))
    request = BaseRequest(source=source, platform=Platform.host(), apt=apt)
    with pytest.raises((SettingsError, BuilderError), match="names no") as refused:
        find_base(request, store=Store(tmp_path / "store"))
    assert isinstance(refused.value, SettingsError)


def test_it_is_a_source_like_any_other(kept: _World) -> None:
    source = AptBase.of(kept.request(), run=run, events=ignore)
    assert source.bring(Platform.host(), kept.store).digest == kept.find().digest
