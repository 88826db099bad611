"""System packages from a signed archive on loopback, laid on a small base."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from builder.base.intake import load_image
from builder.debian.package import Pin
from builder.errors import ArchiveError, PackageError, TransportError
from builder.events import ignore
from builder.oci.platform import Platform
from builder.process import run
from builder.rootfs.indexing import file_index
from builder.settings import AptSourceSettings, PullPolicy, Settings
from builder.store.layout import Store
from builder.system import (
    Dock,
    SystemLayer,
    choose,
    packages_with,
    system_layer,
    system_libraries,
)
from builder.workshop import Workshop
from layers.compress import GZIP
from layers.digest import Digest
from layers.entries import FileEntry
from layers.verify import read_members, verify_layer
from tests.base.images import ROOTFS, make_image
from tests.debian.archives import LocalArchive
from tests.debian.debs import file
from tests.debian_base import a_debian_base, add_package

KEY = Digest.of(b"key")


@pytest.fixture
def archive(tmp_path: Path) -> Iterator[LocalArchive]:
    archive = LocalArchive(tmp_path / "archive")
    add_package(
        archive,
        "libpq5",
        files=[file("lib/libpq.so.5", b"pq"), file("usr/share/doc/libpq5/README")],
        Depends="libc6 (>= 2.14), libldap",
        Multi_Arch="same",
    )
    add_package(archive, "libldap", "2.5", Recommends="unwanted")
    add_package(archive, "unwanted")
    add_package(archive, "tool", "2", [file("usr/bin/tool", b"tool 2", mode=0o755)])
    archive.publish()
    with archive.serving():
        yield archive


def a_dock(tmp_path: Path, archive: LocalArchive | None, *apt: str, **settings: object) -> Dock:
    store = Store(tmp_path / "store")
    return Dock(
        base=a_debian_base(store, archive),
        settings=replace(Settings(apt=apt), **settings),  # type: ignore[arg-type]
        project=tmp_path,
        shop=Workshop(store=store, run=run, events=ignore),
    )


def made(dock: Dock, key: Digest = KEY) -> SystemLayer:
    return system_layer(dock, choose(dock), key=key, codec=GZIP)


def contents(layer: SystemLayer) -> dict[str, bytes]:
    return {member.name: stream.read() for member, stream in read_members(layer.layer) if stream}


def names(pins: tuple[Pin, ...]) -> list[str]:
    return [f"{pin.name} {pin.version}" for pin in pins]


def test_packages_and_what_they_need_are_chosen(tmp_path: Path, archive: LocalArchive) -> None:
    assert names(choose(a_dock(tmp_path, archive, "libpq5"))) == ["libldap 2.5", "libpq5 1.0-1"]


def test_what_the_base_has_is_no_choice(tmp_path: Path, archive: LocalArchive) -> None:
    archive.add({"Package": "libc6", "Version": "2.36-9", "Architecture": "amd64"})
    archive.publish()
    assert choose(a_dock(tmp_path, archive, "libc6")) == ()


def test_the_same_question_is_asked_once(tmp_path: Path, archive: LocalArchive) -> None:
    first = choose(a_dock(tmp_path, archive, "libpq5"))
    assert archive.paths()
    assert choose(a_dock(tmp_path, archive, "libpq5")) == first
    assert archive.paths() == []


@pytest.mark.parametrize("damage", ["", "[]", '{"pins": [{}]}', '{"pins": 7}'])
def test_a_damaged_memory_costs_a_question(
    damage: str, tmp_path: Path, archive: LocalArchive
) -> None:
    first = choose(a_dock(tmp_path, archive, "libpq5"))
    (fact,) = (tmp_path / "store/facts/system-packages").iterdir()
    fact.write_text(damage)
    assert choose(a_dock(tmp_path, archive, "libpq5")) == first


def test_the_pull_policy_decides_when_archives_are_asked(
    tmp_path: Path, archive: LocalArchive
) -> None:
    never = a_dock(tmp_path, archive, "tool", "libpq5", pull=PullPolicy.NEVER)
    with pytest.raises(PackageError, match="the pull policy is never"):
        choose(never)
    before = choose(a_dock(tmp_path, archive, "tool", "libpq5"))
    add_package(archive, "libldap", "2.6")
    archive.publish()
    assert choose(never) == before
    always = a_dock(tmp_path, archive, "tool", "libpq5", pull=PullPolicy.ALWAYS)
    assert "libldap 2.6" in names(choose(always))


def test_preferred_packages_stay_while_they_are_on_offer(
    tmp_path: Path, archive: LocalArchive
) -> None:
    dock = a_dock(tmp_path, archive, "libpq5", pull=PullPolicy.ALWAYS)
    before = choose(dock)
    add_package(archive, "libldap", "2.6")
    archive.publish()
    assert choose(dock, preferred=before) == before
    gone = tuple(replace(pin, version="2.4") for pin in before)
    assert "libldap 2.6" in names(choose(dock, preferred=gone))


def test_the_layer_is_what_packages_leave_in_the_base(
    tmp_path: Path, archive: LocalArchive
) -> None:
    layer = made(a_dock(tmp_path, archive, "libpq5"))
    verify_layer(layer.layer)
    files = contents(layer)
    assert files["usr/lib/libpq.so.5"] == b"pq"
    assert "usr/share/doc/libpq5/README" not in files
    assert b"Package: libpq5\nStatus: install ok installed\n" in files["var/lib/dpkg/status"]
    assert b"Package: tool\n" in files["var/lib/dpkg/status"]
    assert "usr/lib/libpq.so.5" in layer.files.files
    assert "usr/bin/tool" in layer.files.files


def test_documentation_comes_when_it_is_wanted(tmp_path: Path, archive: LocalArchive) -> None:
    layer = made(a_dock(tmp_path, archive, "libpq5", apt_docs=True))
    assert "usr/share/doc/libpq5/README" in contents(layer)


def test_what_the_base_has_in_another_version_is_upgraded(
    tmp_path: Path, archive: LocalArchive
) -> None:
    files = contents(made(a_dock(tmp_path, archive, "tool=2")))
    assert files["usr/bin/tool"] == b"tool 2"
    assert files["var/lib/dpkg/status"].count(b"Package: tool\n") == 1


def test_an_unchanged_layer_is_taken_from_the_store(tmp_path: Path, archive: LocalArchive) -> None:
    dock = a_dock(tmp_path, archive, "libpq5")
    first = made(dock)
    archive.paths()
    again = made(dock)
    assert archive.paths() == []
    assert (again.layer.digest, again.layer.diff_id) == (first.layer.digest, first.layer.diff_id)
    assert again.files == first.files


def test_a_lost_or_damaged_layer_is_made_again(tmp_path: Path, archive: LocalArchive) -> None:
    dock = a_dock(tmp_path, archive, "libpq5")
    first = made(dock)
    digest = first.layer.digest
    (tmp_path / "store/blobs/sha256" / digest.hex).unlink()
    assert made(dock).layer.digest == digest
    (fact,) = (tmp_path / "store/facts/system-layer").iterdir()
    fact.write_text(json.dumps({**json.loads(fact.read_text()), "files": {}}))
    assert made(dock).layer.digest == digest


def test_what_scripts_would_have_done_is_told_until_it_is_accepted(
    tmp_path: Path, archive: LocalArchive
) -> None:
    script = "#!/bin/sh\nset -e\nfrobnicate --all /srv\n"
    add_package(archive, "needy", scripts={"postinst": script})
    archive.publish()
    for _ in range(2):  # the second time the layer is in the store
        with pytest.raises(PackageError, match="frobnicate --all /srv") as caught:
            made(a_dock(tmp_path, archive, "needy"))
        assert caught.value.hint == 'if the application does without: apt-accept = ["needy"]'
    assert "usr/lib/needy" in contents(
        made(a_dock(tmp_path, archive, "needy", apt_accept=("needy",)))
    )


def test_a_package_that_is_another_one_is_refused(tmp_path: Path, archive: LocalArchive) -> None:
    deb = add_package(archive, "true")
    archive.add({"Package": "false", "Version": "3", "Architecture": "amd64"}, deb)
    archive.publish()
    with pytest.raises(PackageError, match=r"holds true 1\.0-1 amd64; expected false 3 amd64"):
        made(a_dock(tmp_path, archive, "false"))


def test_a_base_without_sources_needs_some_in_the_settings(
    tmp_path: Path, archive: LocalArchive
) -> None:
    with pytest.raises(PackageError, match="the base base has no apt sources"):
        choose(a_dock(tmp_path, None, "libpq5"))
    (tmp_path / "key.gpg").write_bytes(archive.keyring)
    source = AptSourceSettings(uri=archive.uri, suites=("bookworm",), keyring="key.gpg")
    assert len(choose(a_dock(tmp_path, None, "libpq5", apt_sources=(source,)))) == 2


def test_a_base_that_is_no_debian_is_refused(tmp_path: Path, archive: LocalArchive) -> None:
    store = Store(tmp_path / "store")
    sources = FileEntry.of("etc/apt/sources.list.d/local.sources", archive.deb822().encode())
    image = load_image(make_image(store, [[*ROOTFS, sources]]), store)
    dock = a_dock(tmp_path, archive, "libpq5")
    read_files = partial(file_index, image, store)
    alien = replace(dock.base, name="alpine", image=image, read_files=read_files)
    with pytest.raises(PackageError, match="alpine has no dpkg database"):
        choose(replace(dock, base=alien))


def test_a_mirror_is_asked_instead(tmp_path: Path, archive: LocalArchive) -> None:
    real, archive.uri = archive.uri, "http://archive.invalid/debian"
    dock = a_dock(tmp_path, archive, "libpq5", apt_mirror=real.removesuffix("/debian"))
    assert "usr/lib/libldap" in contents(made(dock))


def test_an_archive_that_cannot_be_reached(tmp_path: Path, archive: LocalArchive) -> None:
    dock = a_dock(tmp_path, archive, "libpq5", apt_mirror="http://archive.invalid")
    with pytest.raises((ArchiveError, TransportError), match=r"archive\.invalid"):
        choose(dock)


def test_packages_are_for_the_base_s_architecture(tmp_path: Path, archive: LocalArchive) -> None:
    dock = a_dock(tmp_path, archive, "libpq5")
    assert dock.base.image.config.value.platform == Platform("linux", "amd64")
    assert {pin.architecture for pin in choose(dock)} == {"amd64"}


def test_the_libraries_of_packages_are_found_beside_the_base_s(
    tmp_path: Path, archive: LocalArchive
) -> None:
    library = Path(sys.executable).resolve().read_bytes()
    add_package(archive, "libfoo1", files=[file("usr/lib/libfoo.so.1", library)])
    archive.publish()
    dock = a_dock(tmp_path, archive, "libfoo1")
    layer = made(dock).layer
    found = system_libraries(dock, layer)
    assert "usr/lib/libfoo.so.1" in found.files.keys() - dock.base.libraries.files.keys()
    assert system_libraries(dock, layer) == found
    (fact,) = (tmp_path / "store/facts/system-libraries").iterdir()
    fact.write_text("{}")
    assert system_libraries(dock, layer) == found


def test_the_package_that_has_a_library_is_known_by_rule_or_by_the_archive_s_list(
    tmp_path: Path, archive: LocalArchive
) -> None:
    odd = {"Package": "oddities", "Version": "1", "Architecture": "amd64"}
    archive.add(odd, ships=["usr/lib/libodd.so.3", "usr/lib/libpq.so.5"])
    archive.publish()
    sonames = ["libpq.so.5", "libodd.so.3", "libnone.so.1"]
    dock = a_dock(tmp_path, archive)
    assert packages_with(dock, sonames) == {
        "libpq.so.5": "libpq5",
        "libodd.so.3": "oddities",
        "libnone.so.1": "",
    }
    assert packages_with(replace(dock, settings=Settings(pull=PullPolicy.NEVER)), sonames) == {}


def test_advice_does_without_an_archive(tmp_path: Path, archive: LocalArchive) -> None:
    assert packages_with(a_dock(tmp_path / "none", None), ["libpq.so.5"]) == {}
    shutil.rmtree(archive.root / "dists")
    assert packages_with(a_dock(tmp_path / "gone", archive), ["libpq.so.5"]) == {}
