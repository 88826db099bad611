"""The CPython that runs these tests becomes a layer, and runs from it."""

import os
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from builder.base.cpython import sources
from builder.base.interpreter import CPython, find_cpython
from builder.base.python_layer import PythonLayer, python_layer
from builder.errors import BaseError
from builder.events import Caution, Event, ignore
from builder.oci.platform import Platform
from builder.process import Completed
from builder.process import run as run_process
from builder.store.layout import Store
from layers.verify import verify_layer
from tests.base.pythons import small_cpython
from tests.interpreter import cpython, cpython_version

_LIBRARY = "usr/local/lib/python3.12"
_OFFLINE = {"UV_PYTHON_DOWNLOADS": "never"}
_PROOF = """
import json, sys, sysconfig, decimal, math, zlib, ctypes, asyncio, sqlite3, email, xml.dom.minidom
cached = [m.__cached__ for m in list(sys.modules.values()) if getattr(m, "__cached__", None)]
print(json.dumps([sys.version, sys.prefix, sysconfig.get_config_var("LIBDIR"), cached]))
"""


@pytest.fixture(scope="module")
def ours() -> CPython:
    return CPython(prefix=cpython(), version=cpython_version(), platform=Platform.host())


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def packed(ours: CPython, store: Store) -> PythonLayer:
    return python_layer(ours, store=store, run=run_process)


@pytest.fixture(scope="module")
def root(packed: PythonLayer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("root")
    with packed.layer.source.open() as blob, tarfile.open(fileobj=blob, mode="r|gz") as tar:
        tar.extractall(root, filter="tar")
    return root


def _python(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"LD_LIBRARY_PATH": str(root / "usr/local/lib")}
    program = [str(root / "usr/local/bin/python3"), "-I", *arguments]
    return subprocess.run(program, env=environ, capture_output=True, text=True, check=False)


def test_it_runs_from_its_new_place(root: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.pyc")}
    script = f"import sys; sys.dont_write_bytecode = False{_PROOF}"
    done = _python(root, "-c", script)
    assert done.returncode == 0, done.stderr
    assert f'["{cpython_version()} ' in done.stdout
    assert str(root / "usr/local") in done.stdout
    assert '"/usr/local/lib"' in done.stdout
    # Bytecode was there for everything, and is not checked against times that a layer has not.
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*.pyc")} == before


def test_every_module_has_bytecode_that_is_not_checked(root: Path) -> None:
    library = root / _LIBRARY
    modules = [path for path in library.rglob("*.py") if "lib2to3/tests" not in str(path)]
    assert len(modules) > 400
    for path in modules:
        pyc = path.parent / "__pycache__" / f"{path.stem}.cpython-312.pyc"
        assert pyc.read_bytes()[4:8] == b"\1\0\0\0", path


def test_nothing_names_this_machine(root: Path) -> None:
    told = [str(cpython()).encode(), str(Path.home()).encode() + b"/", b"python-build."]
    told = [name for name in told if name not in {b"/usr", b"/usr/local", b"//"}]
    for path in root.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not [name for name in told if name in data], path


@pytest.mark.parametrize(
    "pattern",
    [
        "**/test",
        "**/tests",
        "**/idlelib",
        "**/tkinter",
        "**/_tkinter*",
        "**/ensurepip",
        "**/config-3*",
        "**/nis.*",
        "**/pip",
        "**/pip3*",
        "**/pydoc_data",
        "**/*.a",
        "**/*.h",
        "**/EXTERNALLY-MANAGED",
        "usr/local/include",
        "usr/local/share",
        "usr/local/lib/pkgconfig",
    ],
)
def test_what_only_building_and_testing_need_is_left_out(root: Path, pattern: str) -> None:
    assert [*root.glob(pattern)] == []


def test_site_packages_is_there_and_empty(root: Path) -> None:
    assert [*(root / _LIBRARY / "site-packages").iterdir()] == []


def test_only_the_interpreter_is_a_command(root: Path) -> None:
    names = sorted(path.name for path in (root / "usr/local/bin").iterdir())
    assert names == ["python", "python3", "python3.12"]


def test_everything_is_roots_with_modes_of_the_house(packed: PythonLayer) -> None:
    verify_layer(packed.layer)
    with packed.layer.source.open() as blob, tarfile.open(fileobj=blob, mode="r|gz") as tar:
        members = [*tar]
    assert {(member.uid, member.gid) for member in members} == {(0, 0)}
    assert {member.mode for member in members if not member.issym()} <= {0o644, 0o755}


def test_its_needs_are_the_systems_libraries_and_not_its_own(packed: PythonLayer) -> None:
    sonames = {soname for need in packed.needs.values() for soname in need.sonames}
    assert "libc.so.6" in sonames
    assert not [soname for soname in sonames if soname.startswith("libpython")]
    assert max(need.glibc for need in packed.needs.values()) > (2, 2)
    assert not [path for path in packed.needs if "_tkinter" in path]


def test_it_is_packed_once(ours: CPython, store: Store, packed: PythonLayer) -> None:
    again = python_layer(ours, store=store, run=_refuse)
    assert again.layer.digest == packed.layer.digest
    assert again.needs == packed.needs
    assert [e.path for e in again.libraries] == [e.path for e in packed.libraries]


def test_a_changed_file_makes_another_layer(tmp_path: Path) -> None:
    small = small_cpython(tmp_path / "small")
    store = Store(tmp_path / "store")
    first = python_layer(small, store=store, run=run_process)
    (small.prefix / "lib/python3.12/os.py").write_text("other = 1\n")
    assert python_layer(small, store=store, run=run_process).layer.digest != first.layer.digest


def test_it_is_the_same_in_another_store_from_another_place(tmp_path: Path) -> None:
    digests = {
        python_layer(
            small_cpython(tmp_path / name), store=Store(tmp_path / f"{name}-store"), run=run_process
        ).layer.digest
        for name in ("one", "two/deeper")
    }
    assert len(digests) == 1


def test_a_lost_blob_is_packed_again(tmp_path: Path) -> None:
    small = small_cpython(tmp_path / "small")
    store = Store(tmp_path / "store")
    first = python_layer(small, store=store, run=run_process)
    (store.root / "blobs/sha256" / first.layer.digest.hex).unlink()
    assert python_layer(small, store=store, run=run_process).layer.digest == first.layer.digest
    verify_layer(first.layer)


def test_a_python_that_is_laid_out_otherwise_is_refused(tmp_path: Path, ours: CPython) -> None:
    elsewhere = CPython(prefix=tmp_path, version=ours.version, platform=ours.platform)
    with pytest.raises(BaseError, match=r"bin/python3\.12 and lib/python3\.12") as refused:
        sources(elsewhere)
    assert refused.value.hint == "uv python install 3.12"


def test_the_newest_that_uv_manages_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(tmp_path))
    for name in ("3.12.9", "3.12.10", "3.13.1", "3.12.11+freethreaded", "3.12.12"):
        program = tmp_path / f"cpython-{name}-linux-x86_64-gnu/bin/python3.12"
        program.parent.mkdir(parents=True)
        if name != "3.12.12":  # one that was never unpacked whole
            program.touch()
    (tmp_path / "cpython-3.12-linux-x86_64-gnu").symlink_to("cpython-3.12.9-linux-x86_64-gnu")
    found = find_cpython((3, 12), Platform.parse("linux/amd64"), run=run_process, events=ignore)
    assert found.version == "3.12.10"
    assert found.prefix == tmp_path / "cpython-3.12.10-linux-x86_64-gnu"


def test_without_one_of_uvs_this_machines_own_is_taken_with_a_word(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_downloads(tmp_path, monkeypatch)
    heard: list[Event] = []
    found = find_cpython((3, 12), Platform.host(), run=run_process, events=heard.append)
    assert found == CPython(
        prefix=cpython().resolve(), version=cpython_version(), platform=Platform.host()
    )
    [caution] = heard
    assert isinstance(caution, Caution)
    assert str(cpython()) in caution.text
    assert "rest on this machine's own build" in caution.text
    assert caution.hint
    assert "uv python install cpython-3.12-linux-" in caution.hint


def test_for_another_platform_there_is_no_substitute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _no_downloads(tmp_path, monkeypatch)
    other = "arm64" if Platform.host().architecture == "amd64" else "amd64"
    with pytest.raises(BaseError, match=r"there is no cpython-3\.12-linux-") as refused:
        find_cpython((3, 12), Platform("linux", other), run=run_process, events=ignore)
    assert refused.value.hint
    assert "uv python install cpython-3.12-linux-" in refused.value.hint


def test_a_platform_that_uv_has_nothing_for_is_refused() -> None:
    with pytest.raises(BaseError, match="linux/s390x"):
        find_cpython((3, 12), Platform.parse("linux/s390x"), run=_refuse, events=ignore)


def _no_downloads(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_PYTHON_INSTALL_DIR", str(directory))
    for name, value in _OFFLINE.items():
        monkeypatch.setenv(name, value)


def _refuse(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str | None] | None = None,
    stdin: str = "",
) -> Completed:
    raise AssertionError(f"nothing was to be run: {argv} {cwd} {environ} {stdin}")
