import marshal
import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import CodeType
from typing import Any

import pytest

from builder.errors import InstallError
from builder.process import Completed, run
from builder.project.compile import Bytecode, Compiler
from layers.bytecode import from_line
from layers.entries import Entry, FileEntry
from tests.project.projects import (
    APP,
    MINOR,
    PLACE,
    PYTHON,
    SITE,
    UNREADABLE,
    compiler,
    contents,
    installation_of,
    relocate,
    write_project,
    write_tree,
)

STDLIB = Path(sysconfig.get_path("stdlib"))
SITE_PACKAGES = f"lib/python{MINOR}/site-packages"
TAG = f"cpython-{MINOR.replace('.', '')}"


def co_filenames(code: CodeType) -> set[str]:
    nested = [const for const in code.co_consts if isinstance(const, CodeType)]
    return {code.co_filename}.union(*map(co_filenames, nested))


def test_whatever_can_be_imported_has_bytecode_that_names_the_image_s_path(
    files: dict[str, bytes],
) -> None:
    modules = {
        path
        for path in files
        if path.startswith(SITE) and path.endswith(".py") and Path(path).name not in UNREADABLE
    }
    assert len(modules) == 3
    tag = f".cpython-{MINOR.replace('.', '')}.pyc"
    pycs = {path: data for path, data in files.items() if path.endswith(".pyc")}
    assert set(pycs) == {
        f"{Path(path).parent}/__pycache__/{Path(path).stem}{tag}" for path in modules
    }
    for path, data in pycs.items():
        source = path.replace("__pycache__/", "").replace(tag, ".py")
        assert data[4:8] == b"\x01\0\0\0"
        assert co_filenames(marshal.loads(data[16:])) == {f"/{source}"}  # noqa: S302


def test_source_that_is_not_installed_is_compiled_where_it_lies(tmp_path: Path) -> None:
    project = write_tree(tmp_path / "project", {"main.py": "A = 1\n"})
    entry = FileEntry.of("app/main.py", b"A = 1\n", owner=APP)
    assert (
        compiler(tmp_path / "none").bytecode([entry]).entries == []
    )  # no module of anybody's disk
    write_project(project, tables="[tool.builder]\nsource = ['main.py']\n")
    asked = installation_of_unlocked(project)
    compiled = compiler(tmp_path / "bytecode").bytecode(asked).entries
    assert list(contents(compiled)) == [
        f"app/__pycache__/main.cpython-{MINOR.replace('.', '')}.pyc"
    ]


def installation_of_unlocked(project: Path) -> list[Entry]:
    write_tree(project, {"uv.lock": "version = 1\n"})
    asked = installation_of(project)
    return asked.source.entries(asked.settings)


def test_bytecode_that_a_wheel_brings_is_kept(tmp_path: Path) -> None:
    pyc = f"module/__pycache__/__init__.cpython-{MINOR.replace('.', '')}.pyc"
    site = f"lib/python{MINOR}/site-packages"
    files: dict[str, str | bytes] = {"module/__init__.py": "A = 1\n", pyc: b"its own"}
    venv = write_tree(tmp_path / "venv", {f"{site}/{name}": data for name, data in files.items()})
    entries = relocate(venv, PLACE)
    assert compiler(tmp_path / "bytecode").bytecode(entries).entries == []
    assert contents(entries)[f"{SITE}/{pyc}"] == b"its own"


def test_an_interpreter_that_fails_is_quoted(tmp_path: Path, third_party: list[Entry]) -> None:
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho 'no memory left' >&2\nexit 3\n")
    failing.chmod(0o755)
    with pytest.raises(InstallError) as caught:
        compiler(tmp_path / "bytecode", failing).bytecode(third_party)
    assert caught.value.message == f"compiling with {failing} failed:\nno memory left"


# Compiled after the neighbour and in one process with it, this comes out differently (seen with
# CPython 3.12).
SENSITIVE = (STDLIB / "ftplib.py").read_bytes()
NEIGHBOUR = b"def is_good(code):\n    return code in {'426', '225', '226'}\n"


def venv_of(directory: Path, files: Mapping[str, bytes]) -> list[Entry]:
    """An environment with these in its site-packages."""
    return relocate(write_tree(directory, {f"{SITE_PACKAGES}/{p}": files[p] for p in files}), PLACE)


class Recorder:
    """Runs commands, and keeps the batches that they were given."""

    def __init__(self) -> None:
        self.batches: list[list[tuple[str, str, str]]] = []
        self.processes = 0

    def __call__(self, argv: Sequence[str], **options: Any) -> Completed:
        self.processes += 1
        for line in options["stdin"].splitlines():
            texts = from_line(line)
            self.batches.append(list(zip(texts[::3], texts[1::3], texts[2::3], strict=True)))
        return run(argv, **options)


def test_what_is_no_python_is_told_by_its_place_in_the_image(tmp_path: Path) -> None:
    bad = "def (:\n"
    venv = write_tree(
        tmp_path / "venv",
        {
            f"{SITE_PACKAGES}/zeta.py": bad,
            f"{SITE_PACKAGES}/good.py": "A = 1\n",
            f"{SITE_PACKAGES}/beta/templates/module.py": bad,
            f"{SITE_PACKAGES}/beta/no python at all.py": bad,
            f"{SITE_PACKAGES}/beta/data.txt": bad,
            f"{SITE_PACKAGES}/alpha/caf\xe9.py": bad,
            "bin/tool.py": bad,
        },
    )
    found = compiler(tmp_path / "bytecode").bytecode(relocate(venv, PLACE))
    assert found.not_python == (
        f"/{SITE}/alpha/caf\xe9.py",
        f"/{SITE}/beta/no python at all.py",
        f"/{SITE}/beta/templates/module.py",
        f"/{SITE}/zeta.py",
    )
    assert list(contents(found.entries)) == [f"{SITE}/__pycache__/good.{TAG}.pyc"]


def test_every_way_of_being_no_python_is_told(tmp_path: Path, third_party: list[Entry]) -> None:
    found = compiler(tmp_path / "bytecode").bytecode(reversed(third_party))
    assert found.not_python == tuple(sorted(f"/{SITE}/third/{name}" for name in UNREADABLE))


def test_where_everything_is_python_nothing_is_told(tmp_path: Path, own: list[Entry]) -> None:
    assert compiler(tmp_path / "bytecode").bytecode(own).not_python == ()
    assert compiler(tmp_path / "bytecode").bytecode([]) == Bytecode(files={}, not_python=())


@pytest.mark.parametrize("cores", [1, 2])
def test_bytecode_does_not_change_with_what_is_installed_beside_it(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    mine = {
        "single.py": SENSITIVE,
        "package/__init__.py": b"",
        "package/module.py": SENSITIVE,
        "package/inner/module.py": SENSITIVE,
    }
    others = {"a.py": NEIGHBOUR, "z.py": NEIGHBOUR, "another/a.py": NEIGHBOUR}
    ours = venv_of(tmp_path / "alone", mine)
    theirs = venv_of(tmp_path / "others", others)
    expected = contents(compiler(tmp_path / "1").bytecode(ours).entries)
    found = contents(compiler(tmp_path / "2").bytecode(theirs, ours).entries)
    assert (len(expected), len(found)) == (4, 7)
    assert {path: found[path] for path in expected} == expected


@pytest.mark.parametrize("cores", [1, 2, 3, 64])
def test_each_source_is_in_one_batch_with_others_of_its_group(
    cores: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    site = f"/{SITE}"
    batches = [
        [f"{site}/one/__init__.py", f"{site}/one/a.py", f"{site}/one/large.py"],
        [f"{site}/one/rest.py", f"{site}/one_more.py"],
        [f"{site}/two/__init__.py", f"{site}/two/inner/a.py"],
    ]
    groups = [batches[0] + batches[1], batches[2]]
    trees = [
        {
            path.removeprefix("/app/.venv/"): "A = 1\n" + "#" * (1_999_980 * ("large" in path))
            for path in group
        }
        for group in groups
    ]
    entries = [
        relocate(write_tree(tmp_path / str(number), files), PLACE)
        for number, files in enumerate(trees)
    ]
    recorder = Recorder()
    scratch = tmp_path / "bytecode"
    compiled = Compiler(
        recorder, interpreter=Path(sys.executable), python=PYTHON, scratch=scratch
    ).bytecode(*entries)
    given = [[image_path for _, image_path, _ in batch] for batch in recorder.batches]
    assert sorted(given) == sorted(batches)
    assert recorder.processes == min(cores, len(batches))
    for _, _, result in (job for batch in recorder.batches for job in batch):
        assert Path(result).is_relative_to(scratch)
    assert len(contents(compiled.entries)) == sum(map(len, batches))


def test_what_pytest_collects_is_not_compiled(tmp_path: Path) -> None:
    compiled = {"a/tests/__init__.py", "a/tests/runner.py", "a/test_case.py", "tests_of/test_a.py"}
    left = {"a/tests/test_a.py", "a/tests/inner/test_b.py", "a/tests/conftest.py"}
    entries = venv_of(tmp_path / "venv", dict.fromkeys(sorted(compiled | left), b"A = 1\n"))
    found = compiler(tmp_path / "bytecode").bytecode(entries)
    assert {path.removeprefix(f"{SITE}/") for path in found.files} == compiled
