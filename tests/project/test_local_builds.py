import struct
from pathlib import Path

import pytest

from builder.project.local_builds import native_builds, says_pure
from tests.project.projects import MINOR, write_tree

PURE = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
PE = b"MZ" + bytes(58) + struct.pack("<I", 128) + bytes(64) + b"PE\0\0"


def installed(venv: Path, file: str, data: bytes, wheel: str = PURE) -> Path:
    """An environment with one distribution of one file."""
    site, info = f"lib/python{MINOR}/site-packages", "A.B-1.0.dist-info"
    record = f"{file},,\n{info}/WHEEL,,\n{info}/RECORD,,\n"
    files: dict[str, str | bytes] = {file: data, f"{info}/WHEEL": wheel, f"{info}/RECORD": record}
    write_tree(venv / site, files)
    return venv


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a/fast.cpython-312-x86_64-linux-gnu.so", b""),
        ("a/libz.so.1", b""),
        ("a/fast.pyd", b""),
        ("a/libz.dylib", b""),
        ("a/z.dll", b""),
        ("../../../bin/tool", b"\x7fELF" + bytes(60)),
        ("a/engine", bytes.fromhex("cffaedfe") + bytes(60)),
        ("a/engine", bytes.fromhex("feedface") + bytes(60)),
        ("a/engine", bytes.fromhex("cafebabe00000002") + bytes(60)),
        ("a/engine", PE),
    ],
)
def test_a_file_with_compiled_code_shows_that_a_build_is_not_portable(
    file: str, data: bytes, tmp_path: Path
) -> None:
    venv = installed(tmp_path, file, data)
    name = file.rpartition("/")[2]
    assert native_builds(venv) == {"a-b": f"what is built of it here holds {name}"}
    assert native_builds(venv, {"a-b"})
    assert native_builds(venv, {"another"}) == {}


@pytest.mark.parametrize(
    ("file", "data"),
    [
        ("a/__init__.py", b""),
        ("a/so.py", b"MZ = 1\n"),
        ("a/Main.class", bytes.fromhex("cafebabe00000034") + bytes(60)),
        ("a/some.sock", b"MZ" + bytes(200)),
        ("a/is.solved", b"text"),
    ],
)
def test_other_files_show_nothing(file: str, data: bytes, tmp_path: Path) -> None:
    assert native_builds(installed(tmp_path, file, data)) == {}


@pytest.mark.parametrize(
    ("wheel", "evidence"),
    [
        (PURE.replace("true", "false"), "its build is for this machine, as it says"),
        (PURE.replace("py3-none-any", "cp312-cp312-linux_x86_64"), "its build is for linux_x86_64"),
        ("", "its build is for this machine, as it says"),
    ],
)
def test_a_build_that_says_of_itself_that_it_is_for_one_platform_is_believed(
    wheel: str, evidence: str, tmp_path: Path
) -> None:
    found = native_builds(installed(tmp_path, "a/__init__.py", b"", wheel))
    assert found["a-b"].startswith(evidence)


def test_whether_a_wheel_says_that_it_is_pure() -> None:
    assert says_pure("root-is-purelib: TRUE\r\ntag: py2-none-any\r\nTag: py3-none-any\r\n")
    assert not says_pure("Root-Is-Purelib: true\nTag: py3-none-any\nTag: py3-none-win32\n")
    assert not says_pure("Tag: py3-none-any\n")
