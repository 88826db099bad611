import os
import re
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from builder.errors import InstallError
from builder.project.relocate import skeleton
from layers.digest import CHUNK
from layers.entries import DirEntry, Entry, FileEntry, SymlinkEntry
from tests.project.projects import (
    APP,
    MINOR,
    PLACE,
    SITE,
    contents,
    install_project,
    lock,
    relocate,
    write_project,
    write_tree,
)
from tests.records import check_records


def test_nothing_names_this_machine(files: dict[str, bytes], staging: Path, uv_cache: Path) -> None:
    for path, data in files.items():
        for place in (staging, uv_cache, Path(sys.prefix), Path.home()):
            assert str(place).encode() not in data, (path, place)


def test_python_scripts_start_the_image_s_interpreter(files: dict[str, bytes]) -> None:
    first = b"#!/app/.venv/bin/python\n"
    scripts = {path.rpartition("/")[2]: data for path, data in files.items() if "/bin/" in path}
    assert scripts["plain"] == first + b"print('plain')\n"
    assert scripts["optimised"] == first + b"print('optimised')\n"
    for name in ("third", "third-more", "demo"):
        assert scripts[name].startswith(first)
        assert b"exec" not in scripts[name].partition(b"import sys")[0]


def test_other_scripts_stay_as_they_are(files: dict[str, bytes]) -> None:
    assert files["app/.venv/bin/shell"] == b"#!/bin/sh\nexit 0\n"
    assert files["app/.venv/bin/tool.py"] == b"#!/usr/bin/env python3\nprint('tool')\n"
    assert files["app/.venv/bin/binary"] == b"\x7fELF" + bytes(64)


def test_scripts_are_executable_and_modules_are_not(third_party: list[Entry]) -> None:
    for entry in third_party:
        if isinstance(entry, FileEntry):
            expected = 0o755 if entry.path.startswith("app/.venv/bin/") else 0o644
            assert entry.mode == expected, entry.path


def test_record_tells_the_truth(files: dict[str, bytes]) -> None:
    assert check_records(files) > 20
    record = files[f"{SITE}/third-1.0.dist-info/RECORD"].decode()
    assert "../../../bin/plain," in record
    assert "../../../share/third/a.txt," in record


def test_what_only_a_machine_or_a_moment_explains_does_not_ship(files: dict[str, bytes]) -> None:
    names = {path.rpartition("/")[2] for path in files}
    assert not names & {
        *("INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", ".lock"),
        *(".gitignore", "CACHEDIR.TAG", "_virtualenv.py", "_virtualenv.pth", "pydoc.bat"),
    }
    assert not [name for name in names if re.match(r"(de)?activate", name)]


def test_the_skeleton_makes_it_an_environment_of_the_base_s_python() -> None:
    found = {entry.path: entry for entry in skeleton(PLACE)}
    links = {path: e.target for path, e in found.items() if isinstance(e, SymlinkEntry)}
    assert links == {
        "app/.venv/bin/python": f"/usr/local/bin/python{MINOR}",
        "app/.venv/bin/python3": "python",
        f"app/.venv/bin/python{MINOR}": "python",
        "app/.venv/lib64": "lib",
    }
    assert contents(found.values()) == {
        "app/.venv/pyvenv.cfg": (
            f"home = /usr/local/bin\nimplementation = CPython\nversion_info = {MINOR}\n"
            "include-system-site-packages = false\n"
        ).encode()
    }


def test_everything_belongs_to_the_application(
    third_party: list[Entry], own: list[Entry], bytecode: list[Entry]
) -> None:
    for entry in [*third_party, *own, *skeleton(PLACE), *bytecode]:
        assert isinstance(entry, FileEntry | DirEntry | SymlinkEntry)
        assert entry.owner == APP, entry.path


EMBEDDING = """
import pathlib
from zipfile import ZipFile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name = "demo-1.0-py3-none-any.whl"
    with ZipFile(pathlib.Path(directory, name), "w") as wheel:
        wheel.writestr("demo/__init__.py", "")
        wheel.writestr("demo/where.txt", str(pathlib.Path.cwd()))
        info = "demo-1.0.dist-info"
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


@pytest.mark.parametrize(
    ("own", "hint"),
    [
        (False, "it was built on this machine; look for a wheel, or tell its maintainers"),
        (
            True,
            (
                "the project's own build wrote it; compiled code: leave debug info out "
                "(CFLAGS=-g0, or strip), anything else: write paths relative to the package"
            ),
        ),
    ],
)
def test_a_distribution_that_remembers_where_it_was_built_is_refused(
    own: bool,  # noqa: FBT001 - a parameter of the test
    hint: str,
    tmp_path: Path,
) -> None:
    project = write_project(
        tmp_path / "demo",
        {"embedding.py": EMBEDDING},
        tables='[build-system]\nrequires = []\nbuild-backend = "embedding"\nbackend-path = ["."]\n',
    )
    lock(project)
    staging = tmp_path / "staging"
    staged = install_project(project, staging)
    with pytest.raises(InstallError) as caught:
        relocate(staged.own, PLACE, own=own)
    assert caught.value.message == (
        f"/{SITE}/demo/where.txt names the directory it was installed in, {staging}, "
        "which does not exist in the image"
    )
    assert caught.value.hint == hint


@pytest.mark.parametrize("before", [0, 1, CHUNK - 5, CHUNK, 3 * CHUNK - 1])
def test_the_staging_path_is_found_wherever_it_stands(before: int, tmp_path: Path) -> None:
    venv = tmp_path / "venv"
    path = str(tmp_path).encode()
    write_tree(venv, {"lib/library.so": bytes(before) + path + b"/lib"})
    with pytest.raises(InstallError, match=r"^/app/\.venv/lib/library\.so names the directory"):
        relocate(venv, PLACE)
    write_tree(venv, {"lib/library.so": bytes(before) + path[:-1] + b"/lib"})
    assert relocate(venv, PLACE)


def test_a_link_to_the_staging_directory_is_refused(tmp_path: Path) -> None:
    link = tmp_path / "venv/lib/link"
    link.parent.mkdir(parents=True)
    link.symlink_to(tmp_path / "project")
    with pytest.raises(InstallError, match=r"^/app/\.venv/lib/link names the directory"):
        relocate(tmp_path / "venv", PLACE)


def test_a_staging_directory_may_have_any_name(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"st\xe4ging")
    write_tree(odd / "venv", {"lib/a": os.fsencode(odd)})
    with pytest.raises(InstallError, match=r"^/app/\.venv/lib/a names the directory"):
        relocate(odd / "venv", PLACE)


@pytest.mark.parametrize(
    "start",
    [
        b"#!/bin/sh\n'''exec' /somewhere/python \"$0\" \"$@\"\n' '''\n",
        b'#!/bin/sh -e\n# new\n\'\'\'exec\' "$(dirname "$0")/python3" "$0"\n',
    ],
)
def test_a_trampoline_that_is_not_known_is_refused(start: bytes, tmp_path: Path) -> None:
    write_tree(tmp_path / "venv", {"bin/tool": start + b"print(1)\n"})
    with pytest.raises(InstallError) as caught:
        relocate(tmp_path / "venv", PLACE)
    assert caught.value.message == (
        "/app/.venv/bin/tool starts its interpreter through a shell, in a way that "
        f"uv {version('uv')} has and this builder does not know"
    )
    assert caught.value.hint == (
        "install the version of uv that this builder was made with, or report it"
    )


def test_record_may_name_files_that_are_not_utf_8(tmp_path: Path) -> None:
    info = "lib/python3.12/site-packages/a-1.dist-info"
    record = b"a/caf\xe9.txt,,\n../../../bin/tool,sha256=old,3\n"
    trampoline = (
        b"#!/bin/sh\n'''exec' \"$(dirname -- \"$(realpath -- \"$0\")\")\"/'python' "
        b"\"$0\" \"$@\"\n' '''\n"
    )
    venv = write_tree(tmp_path / "venv", {f"{info}/RECORD": record, "bin/tool": trampoline})
    found = contents(relocate(venv, PLACE))
    first, second = found[f"app/.venv/{info}/RECORD"].splitlines()
    assert first == b"a/caf\xe9.txt,,"
    assert second.startswith(b"../../../bin/tool,sha256=")
    assert second.endswith(b",24")
