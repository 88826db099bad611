import io
import sys
from pathlib import Path

import pytest
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import InterpSegment
from hypothesis import given
from hypothesis import strategies as st

from builder.elf import Elf, read_elf

_LIBRARIES = sorted(
    path for path in Path("/usr/lib").glob("*-linux-gnu/lib*.so.*") if not path.is_symlink()
)[:60]
_PROGRAMS = [Path(sys.executable).resolve(), *sorted(Path("/usr/bin").glob("[a-d]*"))[:60]]
_FILES = [path for path in (*_LIBRARIES, *_PROGRAMS) if path.is_file()]


def read(data: bytes) -> Elf | None:
    return read_elf(io.BytesIO(data))


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

        return {
            "bits": elf.elfclass,
            "machine": {"EM_X86_64": 62, "EM_AARCH64": 183, "EM_386": 3}[elf["e_machine"]],
            "is_dynamic": bool(tags),
            "interpreter": next(iter(interpreters), None),
            "soname": next(iter(named("DT_SONAME", "soname")), None),
            "needed": tuple(named("DT_NEEDED", "needed")),
            "rpath": tuple(p for one in named("DT_RPATH", "rpath") for p in one.split(":")),
            "runpath": tuple(p for one in named("DT_RUNPATH", "runpath") for p in one.split(":")),
        }


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
