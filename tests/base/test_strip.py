import io
import os
import struct
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builder.base.strip import stripped
from builder.elf import read_elf
from tests.interpreter import cpython

_ELF64 = b"\x7fELF\x02\x01\x01" + bytes(9)


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The extension modules of a real CPython, stripped."""
    directory = tmp_path_factory.mktemp("modules")
    for path in (cpython() / "lib/python3.12/lib-dynload").glob("*.so"):
        (directory / path.name).write_bytes(stripped(path.read_bytes()))
    return directory


def test_what_is_stripped_still_loads(modules: Path) -> None:
    names = sorted(path.name.partition(".")[0] for path in modules.iterdir())
    wanted = [name for name in names if not name.startswith(("_test", "xx", "_xx", "_tk"))]
    script = (
        f"import sys; sys.path[:] = [{str(modules)!r}, *sys.path]; import importlib\n"
        f"for name in {wanted!r}:\n"
        f"    module = importlib.import_module(name)\n"
        f"    assert module.__file__.startswith({str(modules)!r}), name\n"
    )
    done = subprocess.run(
        [cpython() / "bin/python3.12", "-ISc", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_a_program_runs_without_its_symbols(tmp_path: Path) -> None:
    program = tmp_path / "python3.12"
    program.write_bytes(stripped((cpython() / "bin/python3.12").read_bytes()))
    program.chmod(0o755)
    environ = os.environ | {"LD_LIBRARY_PATH": str(cpython() / "lib"), "PYTHONHOME": str(cpython())}
    done = subprocess.run(
        [program, "-c", "print('ran')"], env=environ, capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("ran\n", "")


def test_only_sections_that_are_loaded_stay_and_keep_their_names() -> None:
    data = stripped((cpython() / "bin/python3.12").read_bytes())
    names = _section_names(data)
    assert {".dynsym", ".text", ".dynamic"} < names
    assert not names & {".symtab", ".strtab", ".comment"}
    assert not any(name.startswith(".debug") for name in names)


def test_the_loader_is_told_the_same() -> None:
    path = next((cpython() / "lib/python3.12/lib-dynload").glob("_ssl.*.so"))
    before = path.read_bytes()
    after = stripped(before)
    assert len(after) < len(before)
    assert _told(after) == _told(before)


def test_twice_is_once() -> None:
    once = stripped((cpython() / "bin/python3.12").read_bytes())
    assert stripped(once) == once


@given(st.binary(max_size=400))
def test_what_is_no_program_stays_as_it_is(data: bytes) -> None:
    assert stripped(data) == data
    assert isinstance(stripped(_ELF64 + data), bytes)


def test_a_truncated_program_stays_as_it_is() -> None:
    data = (cpython() / "bin/python3.12").read_bytes()
    for length in (60, 64, len(data) // 2, len(data) - 1):
        assert stripped(data[:length]) == data[:length]


def _told(data: bytes) -> object:
    return read_elf(io.BytesIO(data))


def _section_names(data: bytes) -> set[str]:
    shoff = struct.unpack_from("<Q", data, 40)[0]
    size, count, own = struct.unpack_from("<HHH", data, 58)
    headers = [struct.unpack_from("<IIQQQQ", data, shoff + n * size) for n in range(count)]
    table = data[headers[own][4] : headers[own][4] + headers[own][5]]
    return {table[h[0] : table.index(b"\0", h[0])].decode() for h in headers}
