"""Base and system packages, as image.lock has them or as they are found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from builder.errors import LockError, TransportError
from builder.events import Caution, Event
from builder.foundation import Foundation, lay_foundation, lock_foundation
from builder.image_lock import LockedImage, with_image
from builder.plan import Application
from builder.process import run
from builder.registry.access import RegistryAccess
from builder.store.layout import Layout, Store
from builder.workshop import Workshop
from layers.digest import Digest
from tests.base.access import open_access
from tests.base.images import AMD64, PYTHON, ROOTFS, make_image
from tests.debian.archives import LocalArchive
from tests.debian_base import add_package, write_debian_base
from tests.plan.plans import application

UNREACHED = "registry.invalid/base:1"


@dataclass(slots=True)
class Ground:
    """An application on a base of packages, and what was said while its foundation was laid."""

    directory: Path
    archive: LocalArchive
    base: str
    events: list[Event]
    registries: RegistryAccess

    def app(self, apt: Sequence[str] = ("libpq5",), **settings: Any) -> Application:
        app = application(self.directory)
        chosen = {"base": (self.base,), "apt": tuple(apt), "platform": ("linux/amd64",)} | settings
        return replace(app, settings=replace(app.settings, **chosen))

    @property
    def shop(self) -> Workshop:
        store = Store(self.directory / "store")
        return Workshop(store=store, run=run, events=self.events.append, registries=self.registries)

    def lay(self, app: Application, *, locked: bool = False) -> Foundation:
        return lay_foundation(app, AMD64, self.shop, locked=locked)

    def lock(self, app: Application, *, upgrade: bool = False) -> LockedImage:
        return lock_foundation(app, AMD64, self.shop, upgrade=upgrade)

    def warnings(self) -> list[str]:
        return [event.text for event in self.events if isinstance(event, Caution)]

    def release(self, version: str) -> None:
        add_package(self.archive, "libpq5", version)
        self.archive.publish()


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    archive = LocalArchive(tmp_path / "archive")
    add_package(archive, "libpq5", "15.1")
    add_package(archive, "libgl1", "1.6")
    archive.publish()
    with archive.serving(), open_access() as registries:
        base = write_debian_base(tmp_path / "base", archive)
        yield Ground(tmp_path, archive, base, [], registries)


def locked(app: Application, image: LockedImage) -> Application:
    return replace(app, image_lock=with_image(app.image_lock, image))


def versions(packages: Foundation | LockedImage) -> list[str]:
    return [f"{pin.name} {pin.version}" for pin in packages.packages]


def test_without_a_lock_it_is_what_is_found(ground: Ground) -> None:
    assert versions(ground.lay(ground.app())) == ["libpq5 15.1"]
    assert ground.warnings() == []


def test_without_packages_no_archive_is_asked(ground: Ground) -> None:
    assert ground.lay(ground.app(apt=())).packages == ()
    assert ground.archive.paths() == []


def test_what_is_locked_is_taken_and_nobody_asked(ground: Ground) -> None:
    app = locked(ground.app(), ground.lock(ground.app()))
    ground.release("15.2")
    ground.archive.paths()
    for strict in (True, False):
        assert versions(ground.lay(app, locked=strict)) == ["libpq5 15.1"]
    assert ground.archive.paths() == []
    assert ground.warnings() == []


def test_locked_without_a_lock_is_refused(ground: Ground) -> None:
    with pytest.raises(LockError, match=r"there is no .*image\.lock"):
        ground.lay(ground.app(), locked=True)


def test_a_platform_that_is_not_locked(ground: Ground) -> None:
    image = replace(ground.lock(ground.app()), platform=replace(AMD64, architecture="s390x"))
    app = locked(ground.app(), image)
    with pytest.raises(LockError, match="locks nothing for linux/amd64"):
        ground.lay(app, locked=True)
    assert versions(ground.lay(app)) == ["libpq5 15.1"]
    assert len(ground.warnings()) == 1


def test_settings_that_moved_on(ground: Ground) -> None:
    image = ground.lock(ground.app())
    app = locked(ground.app(apt=("libpq5", "libgl1")), image)
    with pytest.raises(LockError, match="apt asks for libgl1, not locked yet"):
        ground.lay(app, locked=True)
    assert versions(ground.lay(app)) == ["libgl1 1.6", "libpq5 15.1"]
    assert "taking what is found now" in ground.warnings()[0]


def test_a_base_that_moved_on(ground: Ground) -> None:
    app = locked(ground.app(), replace(ground.lock(ground.app()), digest=Digest.of(b"other")))
    with pytest.raises(LockError, match=r"pins oci:.* at sha256:"):
        ground.lay(app, locked=True)
    assert versions(ground.lay(app)) == ["libpq5 15.1"]
    assert len(ground.warnings()) == 1


def test_locking_again_keeps_what_still_fits(ground: Ground) -> None:
    first = ground.lock(ground.app())
    ground.release("15.2")
    more = locked(ground.app(apt=("libpq5", "libgl1")), first)
    assert versions(ground.lock(more)) == ["libgl1 1.6", "libpq5 15.1"]
    assert versions(ground.lock(more, upgrade=True)) == ["libgl1 1.6", "libpq5 15.2"]


def test_upgrading_asks_for_the_newest(ground: Ground) -> None:
    app = ground.app()
    first = ground.lock(app)
    ground.release("15.2")
    assert ground.lock(locked(app, first)) == first
    assert versions(ground.lock(locked(app, first), upgrade=True)) == ["libpq5 15.2"]


def test_a_first_lock_is_not_what_the_store_remembers(ground: Ground) -> None:
    assert versions(ground.lay(ground.app())) == ["libpq5 15.1"]
    ground.release("15.2")
    assert versions(ground.lay(ground.app())) == ["libpq5 15.1"]
    assert versions(ground.lock(ground.app())) == ["libpq5 15.2"]


def test_a_fallback_is_neither_locked_nor_taken_when_locked(ground: Ground) -> None:
    app = ground.app(base=(UNREACHED, ground.base))
    assert versions(ground.lay(app)) == ["libpq5 15.1"]
    with pytest.raises(TransportError, match="is refused when locked"):
        ground.lock(app)
    image = replace(ground.lock(ground.app()), base=UNREACHED)
    with pytest.raises(TransportError, match="is refused when locked"):
        ground.lay(locked(app, image), locked=True)


def test_without_a_flag_a_fallback_is_not_what_was_locked(ground: Ground) -> None:
    app = ground.app(base=(UNREACHED, ground.base))
    layout = Layout(ground.directory / "base")
    other = make_image(layout, [ROOTFS, PYTHON])
    image = replace(ground.lock(ground.app()), base=UNREACHED, digest=other.digest)
    assert versions(ground.lay(locked(app, image))) == ["libpq5 15.1"]
    unreached, deviated = ground.warnings()
    assert "the next base is taken instead" in unreached
    assert f"pins {UNREACHED} at {other.digest}" in deviated


def test_a_lock_for_the_second_base_of_the_list_does_not_fit(ground: Ground) -> None:
    image = ground.lock(ground.app())
    app = locked(ground.app(base=(UNREACHED, ground.base)), image)
    with pytest.raises(LockError, match=f"the base is {UNREACHED}, locked is {ground.base}"):
        ground.lay(app, locked=True)
