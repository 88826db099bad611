"""Packages from an archive on loopback, laid on a root with what their scripts would do."""

from collections.abc import Iterator
from pathlib import Path
from random import Random
from tempfile import mkdtemp

import pytest

from builder.debian.archive.archive import Archive
from builder.debian.compose import Composition, compose
from builder.debian.package import Pin
from builder.debian.root import Root
from builder.events import ignore
from builder.store.layout import Store
from layers.entries import Entry, FileEntry, HardLinkEntry, Owner
from layers.tar import complete
from tests.debian.archives import LocalArchive
from tests.debian.debs import directory, file, hard_link
from tests.debian.roots import a_root, status
from tests.debian.unpack.laid import shown_entry
from tests.debian_base import add_package

TRIGGER = "interest-noawait /usr/share/x\n"


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[LocalArchive]:
    archive = LocalArchive(tmp_path / "archive")
    with archive.serving():
        yield archive


class Desk:
    """Where packages of an archive are composed."""

    def __init__(self, archive: LocalArchive, tmp_path: Path) -> None:
        archive.publish()
        self.scratch = tmp_path
        self.archive = Archive(
            [archive.source()],
            architecture="amd64",
            store=Store(tmp_path / "store"),
            events=ignore,
        )

    def pins(self, *names: str) -> list[Pin]:
        index = self.archive.index()
        found = [index.versions(name)[0].pin for name in names]
        return [pin for pin in found if pin]

    def compose(self, pins: list[Pin], *requested: str, root: Root | None = None) -> Composition:
        return compose(
            pins,
            root or a_root("etc", "var/lib/apt", files={"var/lib/dpkg/status": status("old 1")}),
            archive=self.archive,
            scratch=Path(mkdtemp(dir=self.scratch)),
            docs=True,
            requested=requested,
        )


def told(entry: Entry) -> tuple[str, str, int, Owner | None]:
    mode = getattr(entry, "mode", 0)
    return entry.path, shown_entry(entry), mode, getattr(entry, "owner", None)


def test_the_order_of_pins_and_requests_means_nothing(
    archive: LocalArchive, tmp_path: Path
) -> None:
    names = [f"p{number}" for number in range(6)]
    for name in names:
        add_package(
            archive,
            name,
            files=[directory("usr/share/x", mode=0o700 if name == "p3" else 0o2755), file(name)],
            scripts={"triggers": TRIGGER, "postinst": f"#!/bin/sh\necho {name} >> /etc/log\n"},
            Depends="p4" if name == "p1" else "",
        )
    desk = Desk(archive, tmp_path)
    pins = desk.pins(*names)
    first = desk.compose(pins, "p1", "p2")
    assert shown_entry({e.path: e for e in first.entries}["etc/log"]) == (
        "p0\np4\np1\np2\np3\np5\n"
    )
    for seed in range(5):
        shuffled = Random(seed).sample(pins, len(pins))  # noqa: S311 - an order, not a secret
        again = desk.compose(shuffled, *(("p2", "p1") if seed % 2 else ("p1", "p2")))
        assert [*map(told, again.entries)] == [*map(told, first.entries)]
        assert again.files == first.files


@pytest.mark.parametrize(
    ("script", "wanted"),
    [
        ("chmod 0755 /usr/bin/a", {"a": ("x", 0o755), "b": ("= usr/bin/a", 0o755)}),
        ("chmod 0755 /usr/bin/b", {"a": ("x", 0o755), "b": ("= usr/bin/a", 0o755)}),
        ("echo -n y > /usr/bin/b", {"a": ("y", 0o644), "b": ("= usr/bin/a", 0o644)}),
        ("rm /usr/bin/b", {"a": ("x", 0o644), "c": ("= usr/bin/a", 0o644)}),
        ("rm /usr/bin/a", {"b": ("x", 0o644), "c": ("= usr/bin/b", 0o644)}),
        ("chmod 0700 /usr/bin/a; rm /usr/bin/a", {"b": ("x", 0o700), "c": ("= usr/bin/b", 0o700)}),
        ("ln -sf ../lib/y /usr/bin/a", {"b": ("x", 0o644), "c": ("= usr/bin/b", 0o644)}),
    ],
)
def test_names_of_one_file_stay_names_of_one_file(
    script: str, wanted: dict[str, tuple[str, int]], archive: LocalArchive, tmp_path: Path
) -> None:
    links = [hard_link(f"usr/bin/{name}", "usr/bin/a") for name in "bc"]
    add_package(
        archive,
        "linked",
        files=[file("usr/bin/a", b"x"), *links],
        scripts={"postinst": f"#!/bin/sh\n{script}\n"},
    )
    desk = Desk(archive, tmp_path)
    made = desk.compose(desk.pins("linked"))
    assert made.unhandled == ()
    assert complete(made.entries, {})
    found = {
        entry.path.removeprefix("usr/bin/"): (shown_entry(entry), entry.mode)
        for entry in made.entries
        if isinstance(entry, FileEntry | HardLinkEntry) and entry.path.startswith("usr/bin/")
    }
    assert {name: found.get(name) for name in wanted} == wanted
