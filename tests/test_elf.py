import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.elf import Elf, elf_from_fact, elf_to_fact, read_elf
from tests.elf_files import compile_library, needs_gcc

_LIBRARIES = sorted(
    path for path in Path("/usr/lib").glob("*-linux-gnu/lib*.so.*") if not path.is_symlink()
)[:60]
_PROGRAMS = [Path(sys.executable).resolve(), *sorted(Path("/usr/bin").glob("[a-d]*"))[:60]]
_FILES = [path for path in (*_LIBRARIES, *_PROGRAMS) if path.is_file()]


def with_versions() -> Path:
    """A small library that offers versions of symbols and needs some."""
    for path in sorted(_LIBRARIES, key=lambda path: path.stat().st_size):
        elf = read(path.read_bytes())
        if elf and elf.offered_versions and elf.needed_versions:
            return path
    raise AssertionError("no library of this machine has versions")


def read(data: bytes) -> Elf | None:
    return read_elf(io.BytesIO(data))


_VERSIONED = with_versions().read_bytes()


def told_by_pyelftools(path: Path) -> dict[str, object] | None:
    with path.open("rb") as stream:
        if stream.read(4) != b"\x7fELF":
            return None
        stream.seek(0)
        elf = ELFFile(stream)
        tags = [
            tag
            for segment in elf.iter_segments()
            if isinstance(segment, DynamicSegment)
            for tag in segment.iter_tags()
        ]
        interpreters = [
            s.get_interp_name() for s in elf.iter_segments() if isinstance(s, InterpSegment)
        ]

        def named(kind: str, attribute: str) -> list[str]:
            return [getattr(tag, attribute) for tag in tags if tag.entry.d_tag == kind]

        stacks = [s["p_flags"] for s in elf.iter_segments() if s["p_type"] == "PT_GNU_STACK"]
        needed, offered = versions(elf)
        return {
            "needed_versions": needed,
            "offered_versions": offered,
            "executable_stack": any(flags & 1 for flags in stacks),
            "text_relocations": any(tag.entry.d_tag == "DT_TEXTREL" for tag in tags),
            "bits": elf.elfclass,
            "machine": {"EM_X86_64": 62, "EM_AARCH64": 183, "EM_386": 3}[elf["e_machine"]],
            "is_dynamic": bool(tags),
            "interpreter": next(iter(interpreters), None),
            "soname": next(iter(named("DT_SONAME", "soname")), None),
            "needed": tuple(named("DT_NEEDED", "needed")),
            "rpath": tuple(p for one in named("DT_RPATH", "rpath") for p in one.split(":")),
            "runpath": tuple(p for one in named("DT_RUNPATH", "runpath") for p in one.split(":")),
        }


def versions(elf: ELFFile) -> tuple[dict[str, tuple[str, ...]], tuple[str, ...]]:
    """By the sections, which the code under test does not look at."""
    needed: dict[str, tuple[str, ...]] = {}
    offered: tuple[str, ...] = ()
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            for library, names in section.iter_versions():
                needed[str(library.name)] = tuple(n.name for n in names if not n["vna_flags"] & 2)
        elif isinstance(section, GNUVerDefSection):
            offered = tuple(
                next(names).name
                for one, names in section.iter_versions()
                if not one["vd_flags"] & 1
            )
    return needed, offered


def test_it_says_what_pyelftools_says_of_this_machine_s_files() -> None:
    seen = 0
    for path in _FILES:
        with path.open("rb") as stream:
            elf = read_elf(stream)
        expected = told_by_pyelftools(path)
        assert (elf is None) == (expected is None), path
        if elf and expected:
            seen += 1
            assert {name: getattr(elf, name) for name in expected} == expected, path
    assert seen > 20


def test_the_interpreter_that_runs_this_is_a_program() -> None:
    with Path(sys.executable).resolve().open("rb") as stream:
        elf = read_elf(stream)
    assert elf
    assert elf.is_program
    assert elf.little_endian
    assert elf.architecture in {"amd64", "arm64"}
    assert (elf.interpreter or "").startswith("/lib")


def test_a_library_is_no_program() -> None:
    with _LIBRARIES[0].open("rb") as stream:
        elf = read_elf(stream)
    assert elf
    assert (elf.kind, elf.is_program, elf.is_dynamic) == ("shared", False, True)


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fEL", b"\x7fELF", b"\x7fELF\x02\x01"])
def test_what_is_no_elf_file_is_none(data: bytes) -> None:
    assert read(data) is None


@given(st.data())
def test_a_damaged_file_is_none_or_read_and_never_an_error(data: st.DataObject) -> None:
    content = bytearray(_LIBRARIES[0].read_bytes()[:8192])
    for _ in range(data.draw(st.integers(0, 8))):
        content[data.draw(st.integers(0, 1023))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    found = read(bytes(content[:cut]))
    assert found is None or isinstance(found, Elf)


def test_a_32_bit_big_endian_header_is_read() -> None:
    header = b"\x7fELF\x01\x02\x01" + bytes(9)
    header += bytes.fromhex("0002 0008 00000001 00000000 00000000 00000000 00000000")
    header += bytes.fromhex("0034 0020 0000 0000 0000 0000")
    elf = read(header + bytes(12))
    assert elf
    assert (elf.bits, elf.little_endian, elf.machine, elf.kind) == (32, False, 8, "executable")
    assert elf.architecture is None
    assert not elf.is_dynamic


@pytest.mark.parametrize(("flags", "architecture"), [(0x5000400, "armhf"), (0x5000200, "armel")])
def test_the_two_arms_are_told_by_their_flags(flags: int, architecture: str) -> None:
    header = b"\x7fELF\x01\x01\x01" + bytes(9)
    header += (3).to_bytes(2, "little") + (40).to_bytes(2, "little") + bytes(16)
    header += flags.to_bytes(4, "little") + bytes(12)
    elf = read(header + bytes(12))
    assert elf
    assert elf.architecture == architecture


def test_facts_are_read_as_they_were_written() -> None:
    for path in _FILES:
        with path.open("rb") as stream:
            if elf := read_elf(stream):
                assert elf_from_fact(json.loads(json.dumps(elf_to_fact(elf)))) == elf, path


@pytest.mark.parametrize(
    "fact",
    [
        {},
        {"header": None},
        {"header": [64, True]},
        {"header": [64, True, 62, 0, "shared"], "needed": 7},
        {"header": [64, True, 62, 0, "shared"], "marks": ["is_odd"]},
        {"header": [64, True, 62, 0, "shared"], "needed_versions": ["libc.so.6"]},
        {"header": [[], True, 62, 0, "shared"]},
    ],
)
def test_damaged_facts_are_refused(fact: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="no facts of an ELF file"):
        elf_from_fact(fact)


@settings(max_examples=40)
@given(st.data())
def test_damage_anywhere_is_none_or_read_and_never_an_error(data: st.DataObject) -> None:
    """The tables of a library with versions lie all over it."""
    content = bytearray(_VERSIONED)
    spots = st.integers(0, len(content) - 1)
    for _ in range(data.draw(st.integers(1, 200))):
        content[data.draw(spots)] = data.draw(st.integers(0, 255))
    found = read(bytes(content[: data.draw(st.sampled_from([len(content), len(content) // 2]))]))
    assert found is None or isinstance(found, Elf)


@pytest.mark.parametrize("field", ["d_val", "d_tag"])
def test_every_damaged_entry_of_the_dynamic_section_is_survived(field: str) -> None:
    segments = ELFFile(io.BytesIO(_VERSIONED)).iter_segments()
    (dynamic,) = [segment for segment in segments if isinstance(segment, DynamicSegment)]
    start, size = dynamic["p_offset"], dynamic["p_filesz"]
    for at in range(start, start + size, 16):
        for value in (0, 1, 0xFF, 0x7FFFFFFF, 0xFFFFFFFFFFFFFFFF):
            damaged = bytearray(_VERSIONED)
            spot = at + (8 if field == "d_val" else 0)
            damaged[spot : spot + 8] = value.to_bytes(8, "little")
            found = read(bytes(damaged))
            assert found is None or found.bits == 64


@needs_gcc
def test_a_stack_that_is_executed_and_code_that_is_written_to_are_seen(tmp_path: Path) -> None:
    source = "int value; int *get(void) { return &value; }"
    plain = compile_library(tmp_path / "plain.so", source=source)
    odd = compile_library(tmp_path / "odd.so", "-Wl,-z,execstack", source=source)
    assert [read(p.read_bytes()) and facts(p).executable_stack for p in (plain, odd)] == [
        False,
        True,
    ]


def facts(path: Path) -> Elf:
    found = read(path.read_bytes())
    assert found
    return found


@needs_gcc
def test_a_file_that_says_nothing_of_the_stack_is_taken_as_its_loader_takes_it(
    tmp_path: Path,
) -> None:
    library = compile_library(tmp_path / "plain.so")
    raw = library.read_bytes()
    header = (0x6474E551).to_bytes(4, "little")
    # PT_NULL: nobody looks at it.
    silent = read(raw.replace(header, bytes(4), 1))
    assert silent
    assert silent.executable_stack == (silent.architecture == "amd64")


@needs_gcc
def test_versions_of_a_library_of_one_s_own(tmp_path: Path) -> None:
    script = tmp_path / "map"
    script.write_text("ONE_1.0 { global: one; };\nONE_1.2 { global: two; local: *; } ONE_1.0;\n")
    source = "int one(void) { return 1; } int two(void) { return 2; }"
    option = f"-Wl,--version-script={script}"
    library = compile_library(tmp_path / "libone.so.1", option, source=source)
    caller = "int two(void); int three(void) { return two(); }"
    user = compile_library(tmp_path / "user.so", source=caller, needs=[library])
    assert facts(library).offered_versions == ("ONE_1.0", "ONE_1.2")
    assert facts(user).needed_versions["libone.so.1"] == ("ONE_1.2",)
    stripped = tmp_path / "stripped.so"
    stripped.write_bytes(library.read_bytes())
    subprocess.run(["strip", "--strip-section-headers", stripped], check=False)
    assert facts(stripped).offered_versions == ("ONE_1.0", "ONE_1.2")
