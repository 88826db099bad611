"""Libraries that nothing can load, and files that look like some and are none."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.inspect import inspect, inspected_from_fact, inspected_to_fact
from builder.checks.native.abi import check_abi
from builder.checks.subject import Ground, Inspected, Origin, Subject
from builder.rootfs.file_index import FileIndex
from builder.rootfs.libraries import Libraries
from layers.entries import FileEntry
from tests.checks.native.abi_images import SITE, TARGET

PROGRAM = Path(sys.executable).resolve().read_bytes()
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n"
MACHO = b"\xcf\xfa\xed\xfe\x07\0\0\x01"
TAGGED = "one.cpython-312-x86_64-linux-gnu.so"


def look(files: Mapping[str, bytes], origin: Origin = Origin.DISTRIBUTION) -> Inspected:
    entries = [FileEntry.of(f"{SITE}/demo/{path}", data) for path, data in files.items()]
    return inspect(entries, origin=origin, layer="dependencies", distribution="demo 1.0")


def found(*parts: Inspected) -> list[Finding]:
    ground = Ground(files=FileIndex(), libraries=Libraries())
    findings = check_abi(Subject(parts=parts, ground=ground, target=None, run={}))
    assert [f for f in findings if f.check == "damaged-file"] == [
        f
        for f in check_abi(Subject(parts=parts, ground=ground, target=TARGET, run={}))
        if f.check == "damaged-file"
    ]
    return findings


@pytest.mark.parametrize("name", [TAGGED, "one.abi3.so", "_one.so", "libone.so.1.2"])
@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"", "is empty"),
        (PROGRAM[:100], "is cut off"),
        (LFS, "git-lfs"),
        (b"libone.so.1.2.3", "holds something else"),
    ],
)
def test_what_holds_no_library_is_an_error(name: str, data: bytes, what: str) -> None:
    (finding,) = found(look({name: data}))
    assert (finding.check, finding.severity) == ("damaged-file", Severity.ERROR)
    assert what in finding.message
    assert "uv cache clean demo" in finding.fix
    assert (finding.path, finding.distribution) == (f"/{SITE}/demo/{name}", "demo 1.0")


def test_what_is_alike_is_told_once() -> None:
    names = [f"m{number}.abi3.so" for number in range(6)]
    (finding,) = found(look(dict.fromkeys(names, LFS)))
    assert finding.message.endswith("; 5 more: m1.abi3.so, m2.abi3.so, m3.abi3.so")
    project = look(dict.fromkeys(names, LFS), Origin.PROJECT)
    assert "git lfs pull" in found(project)[0].fix


def test_a_later_file_hides_an_earlier_one() -> None:
    assert found(look({TAGGED: b""}), look({TAGGED: PROGRAM})) == []


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("libone.so", b"/* GNU ld script */\nGROUP ( /lib/libone.so.1 AS_NEEDED ( x ) )\n"),
        ("libone.so", b"INPUT(-lone)\n"),
        ("libone.so", MACHO),
        ("one.cpython-312-darwin.so", MACHO),
        ("one.cp312-win_amd64.pyd", b"MZ"),
        ("tests/data/broken.so", b"x"),
        ("one.so.txt", b"x"),
        (TAGGED, PROGRAM),
    ],
)
def test_what_is_for_others_is_let_go(name: str, data: bytes) -> None:
    assert found(look({name: data})) == []


def test_a_module_of_a_package_must_be_for_linux() -> None:
    (finding,) = found(look({"one.abi3.so": MACHO}))
    assert "is for another system than Linux" in finding.message


@pytest.mark.parametrize(
    ("name", "line"),
    [("one.cpython-312-darwin.so", "**/*-darwin.so"), ("one.pyd", "**/*.pyd")],
)
def test_a_project_does_not_bring_modules_for_other_systems(name: str, line: str) -> None:
    source = [FileEntry.of(f"app/src/demo/{name}", MACHO)]
    copied = inspect(source, origin=Origin.PROJECT)
    (finding,) = found(copied, look({name: MACHO}, Origin.PROJECT))
    assert (finding.check, finding.path) == ("host-build", f"/app/src/demo/{name}")
    assert finding.fix == f"add {line} to .dockerignore"


def test_a_store_gives_back_what_was_seen() -> None:
    entries = [FileEntry.of(f"{SITE}/{TAGGED}", LFS), FileEntry.of("app/bin/x", b"#!/bin/sh\n")]
    for origin in (Origin.PROJECT, Origin.DISTRIBUTION):
        seen = inspect(entries, origin=origin)
        assert len(seen.files) == len(entries)
        assert inspected_from_fact(json.loads(json.dumps(inspected_to_fact(seen)))) == seen
