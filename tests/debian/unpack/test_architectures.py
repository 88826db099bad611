"""Packages of one name for several architectures."""

from pathlib import Path

import pytest

from builder.debian.database.database import database
from builder.debian.root import Root
from builder.debian.unpack.unpack import Unpacked, unpack
from tests.debian.debs import file
from tests.debian.roots import a_deb, a_root
from tests.debian.unpack.laid import INFO, by_path, refusal, shown, shown_entry

FOREIGN = "usr/lib/i386-linux-gnu/libfoo.so.1"
NATIVE = "usr/lib/x86_64-linux-gnu/libfoo.so.1"
SHARED = "usr/share/doc/libfoo/copyright"
STATUS = "var/lib/dpkg/status"
TRIGGERS = "var/lib/dpkg/triggers/File"
STATES = "var/lib/apt/extended_states"


def paragraph(architecture: str, version: str, *, same: bool = True) -> str:
    shares = "Multi-Arch: same\n" if same else ""
    return (
        f"Package: libfoo\nStatus: install ok installed\nArchitecture: {architecture}\n"
        f"{shares}Version: {version}\n\n"
    )


def list_of(*paths: str) -> bytes:
    return "".join(f"/{path}\n" for path in (".", *paths)).encode()


def a_root_for(*architectures: str, version: str = "2") -> Root:
    where = {"i386": FOREIGN, "amd64": NATIVE}
    files = {where[one]: b"elf" for one in architectures} | {SHARED: b"free"}
    files[STATUS] = "".join(paragraph(one, version) for one in architectures).encode()
    for one in architectures:
        files[f"{INFO}/libfoo:{one}.list"] = list_of(where[one], SHARED)
        files[f"{INFO}/libfoo:{one}.postinst"] = b"#!/bin/sh"
    files[TRIGGERS] = "".join(f"/usr/x libfoo:{one}\n" for one in architectures).encode()
    files[STATES] = "\n".join(
        f"Package: libfoo\nArchitecture: {one}\nAuto-Installed: 1\n" for one in architectures
    ).encode()
    return a_root(files=files)


def files_of(unpacked: Unpacked) -> dict[str, str]:
    return {path: text for path, text in shown(by_path(unpacked)).items() if text != "/"}


MEMBERS = (file("usr/lib/x86_64-linux-gnu/libfoo.so.2", b"new"), file(SHARED, b"free"))


def test_files_of_a_package_for_another_architecture_stay(tmp_path: Path) -> None:
    root = a_root_for("i386")
    deb = a_deb(tmp_path, "libfoo", MEMBERS, Version="2", Multi_Arch="same")
    unpacked = unpack([deb], root, docs=True)
    assert files_of(unpacked) == {
        "usr/lib/x86_64-linux-gnu/libfoo.so.2": "new",
        SHARED: "free",
    }
    found = {e.path: shown_entry(e) for e in database([deb], unpacked, root, requested=())}
    assert found[STATUS].count("Package: libfoo\n") == 2
    assert "gone" not in found.values()
    assert f"{INFO}/libfoo:i386.list" not in found
    assert TRIGGERS not in found
    assert found[STATES] == (
        "Package: libfoo\nArchitecture: i386\nAuto-Installed: 1\n\n"
        "Package: libfoo\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )


def test_only_the_package_of_the_same_architecture_is_upgraded(tmp_path: Path) -> None:
    root = a_root_for("amd64", "i386")
    deb = a_deb(tmp_path, "libfoo", MEMBERS, Version="2", Multi_Arch="same")
    unpacked = unpack([deb], root, docs=True)
    assert files_of(unpacked) == {
        NATIVE: "gone",
        "usr/lib/x86_64-linux-gnu/libfoo.so.2": "new",
        SHARED: "free",
    }
    found = {e.path: shown_entry(e) for e in database([deb], unpacked, root, requested=["libfoo"])}
    assert {path for path, text in found.items() if text == "gone"} == {
        f"{INFO}/libfoo:amd64.postinst"
    }
    assert found[TRIGGERS] == "/usr/x libfoo:i386\n"
    assert found[STATES] == "Package: libfoo\nArchitecture: i386\nAuto-Installed: 1\n\n"


@pytest.mark.parametrize(("old", "new"), [("amd64", "all"), ("all", "amd64")])
def test_a_package_for_all_takes_the_place_of_one_for_a_single_architecture(
    old: str, new: str, tmp_path: Path
) -> None:
    root = a_root(
        files={
            "usr/bin/old.sh": b"",
            STATUS: paragraph(old, "1", same=False).encode(),
            f"{INFO}/libfoo.list": list_of("usr/bin/old.sh"),
        }
    )
    deb = a_deb(tmp_path, "libfoo", [file("usr/bin/new.sh")], Architecture=new)
    unpacked = unpack([deb], root, docs=True)
    assert shown(by_path(unpacked)) == {"usr/bin/new.sh": "", "usr/bin/old.sh": "gone"}
    found = {e.path: shown_entry(e) for e in database([deb], unpacked, root, requested=())}
    assert found[STATUS].count("Package: libfoo\n") == 1


@pytest.mark.parametrize(("there", "here"), [(True, False), (False, True), (False, False)])
def test_what_cannot_be_there_for_two_architectures_is_refused(
    *, there: bool, here: bool, tmp_path: Path
) -> None:
    root = a_root(files={STATUS: paragraph("i386", "1", same=there).encode()})
    deb = a_deb(tmp_path, "libfoo", Multi_Arch="same" if here else "no")
    assert refusal([deb], root) == (
        "libfoo 1.0-1 amd64 cannot be installed: the base has libfoo (1) for i386, and the two "
        "cannot be there together"
    )


def test_what_was_removed_is_in_nobodys_way(tmp_path: Path) -> None:
    removed = paragraph("i386", "1", same=False).replace(
        "install ok installed", "deinstall ok config-files"
    )
    root = a_root(files={STATUS: removed.encode()})
    deb = a_deb(tmp_path, "libfoo", [file("usr/x")])
    assert "usr/x" in by_path(unpack([deb], root, docs=True))
