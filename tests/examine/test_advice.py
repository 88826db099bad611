"""Which package has what an image lacks: the archives know that the image's own apt asks."""

from pathlib import Path

from builder.events import Event
from builder.examine.advice import Advice
from builder.process import run
from builder.rootfs.survey import survey
from builder.settings import PullPolicy, Settings
from builder.store.layout import Store
from builder.workshop import Workshop
from tests.debian.archives import LocalArchive
from tests.debian_base import a_debian_base, add_package


def test_the_archive_of_the_image_is_asked(tmp_path: Path) -> None:
    archive = LocalArchive(tmp_path / "archive")
    add_package(archive, "libpq5")
    archive.publish()
    store, events = Store(tmp_path / "store"), list[Event]()
    shop = Workshop(store=store, run=run, events=events.append)
    advice = Advice(settings=Settings(), project=tmp_path, shop=shop)
    with archive.serving():
        image = a_debian_base(store, archive).image
        known = advice.packages(image, survey(image), ["libpq.so.5", "libnone.so.1"])
    assert known == {"libpq.so.5": "libpq5", "libnone.so.1": ""}
    assert events


def test_settings_may_forbid_to_ask(tmp_path: Path) -> None:
    store, events = Store(tmp_path / "store"), list[Event]()
    image = a_debian_base(store).image
    shop = Workshop(store=store, run=run, events=events.append)
    advice = Advice(settings=Settings(pull=PullPolicy.NEVER), project=tmp_path, shop=shop)
    assert advice.packages(image, survey(image), ["libpq.so.5"]) == {}
    assert events == []
