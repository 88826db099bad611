"""What the simulated loader finds, beside what this machine's own finds."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from builder.checks.native.loader import Loader
from builder.elf import Elf, read_elf
from builder.oci.platform import Platform
from builder.rootfs.file_index import FileIndex
from builder.rootfs.loader_paths import TRIPLETS
from builder.target import Libc, Python, Target
from tests.elf_files import compile_library, needs_gcc

_ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
_TARGET = Target(
    platform=Platform("linux", _ARCHITECTURE),
    python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
    libc=Libc(name="glibc", version=(2, 36)),
)
_MUSL = replace(_TARGET, libc=Libc(name="musl", version=(1, 2)))
_TRIPLET = TRIPLETS[_ARCHITECTURE]
_TRACED = re.compile(r"\t(\S+) => (not found|/.*) ?.*")


def elf_of(path: Path) -> Elf | None:
    with path.open("rb") as stream:
        return read_elf(stream)


def loader_of(
    root: Path, *, library_path: tuple[str, ...] = (), target: Target = _TARGET
) -> Loader:
    """The loader of this machine, as far as a directory and its C library go."""
    elves, symlinks = {}, {}
    system = Path("/lib", _TRIPLET).resolve()
    found = [*root.rglob("*"), system / "libc.so.6", *system.glob("ld-linux-*")]
    for path in found:
        name = str(path).lstrip("/")
        if path.is_symlink():
            symlinks[name] = str(path.readlink())
        elif path.is_file() and (elf := elf_of(path)):
            elves[name] = elf
    return Loader(
        elves=elves,
        settled=(),
        links=FileIndex(symlinks=symlinks),
        directories=(str(system).lstrip("/"),),
        library_path=library_path,
        target=target,
    )


def simulated(loader: Loader, path: Path) -> dict[str, str]:
    load = loader.load(str(path).lstrip("/"))
    found = {name: f"/{path}" for name, path in load.names.items()}
    return found | {missing.soname: "not found" for missing in load.missing}


def real(path: Path, environ: Mapping[str, str]) -> dict[str, str]:
    interpreter = elf_of(Path(sys.executable).resolve())
    assert interpreter
    assert interpreter.interpreter
    done = subprocess.run(
        [interpreter.interpreter, str(path)],
        env={"LD_TRACE_LOADED_OBJECTS": "1", **environ},
        capture_output=True,
        text=True,
        check=False,
    )
    rows = [_TRACED.fullmatch(line) for line in done.stdout.splitlines()]
    named = {row[1]: row[2].split(" (")[0] for row in rows if row}
    # What is asked for by its path stands there without a name.
    named |= {row: row for row in re.findall(rf"\t({path.parent}\S+) \(", done.stdout)}
    return {
        name: found if found == "not found" else str(Path(found).resolve())
        for name, found in named.items()
    }


def runpath(*entries: str) -> str:
    return f"-Wl,--enable-new-dtags,-rpath,{':'.join(entries)}"


def rpath(*entries: str) -> str:
    return f"-Wl,--disable-new-dtags,-rpath,{':'.join(entries)}"


def beside(root: Path) -> Path:
    one = compile_library(root / "sub/libone.so.1")
    return compile_library(root / "top.so", runpath("$ORIGIN/sub"), needs=[one])


def with_braces_and_the_name_of_the_platform(root: Path) -> Path:
    one = compile_library(root / f"lib/{_TRIPLET}/libone.so.1")
    two = compile_library(root / f"{os.uname().machine}/libtwo.so.1")
    entries = runpath("${ORIGIN}/$LIB", "${ORIGIN}/$PLATFORM", "$ORIGINAL/x")
    return compile_library(root / "top.so", entries, needs=[one, two])


def a_runpath_is_not_inherited(root: Path) -> Path:
    two = compile_library(root / "sub/libtwo.so.1")
    one = compile_library(root / "sub/libone.so.1", needs=[two])
    return compile_library(root / "top.so", runpath("$ORIGIN/sub"), needs=[one])


def an_rpath_is_inherited(root: Path) -> Path:
    two = compile_library(root / "sub/libtwo.so.1")
    one = compile_library(root / "sub/libone.so.1", needs=[two])
    return compile_library(root / "top.so", rpath("$ORIGIN/sub"), needs=[one])


def an_rpath_is_of_no_use_to_what_has_a_runpath(root: Path) -> Path:
    two = compile_library(root / "sub/libtwo.so.1")
    one = compile_library(root / "sub/libone.so.1", runpath("$ORIGIN/nowhere"), needs=[two])
    return compile_library(root / "top.so", rpath("$ORIGIN/sub"), needs=[one])


def what_is_loaded_is_not_looked_for(root: Path) -> Path:
    two = compile_library(root / "sub/libtwo.so.1")
    one = compile_library(root / "sub/libone.so.1", needs=[two])
    return compile_library(root / "top.so", runpath("$ORIGIN/sub"), needs=[one, two])


def breadth_first(root: Path) -> Path:
    """The one that the first level names is loaded, though a deeper one has it nearer."""
    compile_library(root / "near/libtwo.so.1")
    two = compile_library(root / "sub/libtwo.so.1")
    one = compile_library(root / "near/libone.so.1", runpath("$ORIGIN"), needs=[two])
    return compile_library(root / "top.so", runpath("$ORIGIN/near", "$ORIGIN/sub"), needs=[one])


def of_another_machine(root: Path) -> Path:
    one = compile_library(root / "good/libone.so.1")
    alien = bytearray(one.read_bytes())
    alien[18:20] = (8).to_bytes(2, "little")
    (root / "bad").mkdir()
    (root / "bad/libone.so.1").write_bytes(alien)
    return compile_library(root / "top.so", runpath("$ORIGIN/bad", "$ORIGIN/good"), needs=[one])


def through_links(root: Path) -> Path:
    """``$ORIGIN`` is where the link is, not what it leads to."""
    two = compile_library(root / "linked/libtwo.so.1")
    one = compile_library(
        root / "real/libone.so.1.0", runpath("$ORIGIN"), "-Wl,-soname,libone.so.1", needs=[two]
    )
    (root / "linked/libone.so.1").symlink_to("../real/libone.so.1.0")
    (root / "dir").symlink_to("linked")
    return compile_library(root / "top.so", runpath("$ORIGIN/dir"), needs=[one])


def a_link_in_a_circle(root: Path) -> Path:
    one = compile_library(root / "sub/libone.so.1")
    (root / "round").symlink_to("round")
    return compile_library(root / "top.so", runpath("$ORIGIN/round", "$ORIGIN/sub"), needs=[one])


def by_path(root: Path) -> Path:
    one = root / "sub/libone.so.1"
    compile_library(one, f"-Wl,-soname,{one}")
    return compile_library(root / "top.so", needs=[one])


def two_that_need_each_other(root: Path) -> Path:
    one, two = root / "libone.so.1", root / "libtwo.so.1"
    compile_library(one)
    compile_library(two, runpath("$ORIGIN"), needs=[one])
    compile_library(one, runpath("$ORIGIN"), needs=[two])
    return compile_library(root / "top.so", runpath("$ORIGIN"), needs=[one])


def nowhere(root: Path) -> Path:
    one = compile_library(root / "sub/libone.so.1")
    return compile_library(root / "top.so", runpath("relative", ""), needs=[one])


@needs_gcc
@pytest.mark.parametrize(
    "make",
    [
        beside,
        with_braces_and_the_name_of_the_platform,
        a_runpath_is_not_inherited,
        an_rpath_is_inherited,
        an_rpath_is_of_no_use_to_what_has_a_runpath,
        what_is_loaded_is_not_looked_for,
        breadth_first,
        of_another_machine,
        through_links,
        a_link_in_a_circle,
        by_path,
        two_that_need_each_other,
        nowhere,
    ],
    ids=lambda make: make.__name__,
)
def test_it_finds_what_the_loader_finds(make: Callable[[Path], Path], tmp_path: Path) -> None:
    top = make(tmp_path)
    found = simulated(loader_of(tmp_path), top)
    expected = real(top, {})
    assert expected.keys() - {"libc.so.6"}, "the loader of this machine says nothing"
    assert {name: found.get(name) for name in expected} == expected


@needs_gcc
@pytest.mark.parametrize("make", [beside, an_rpath_is_inherited, nowhere], ids=lambda m: m.__name__)
def test_the_environment_comes_after_rpath_and_before_runpath(
    make: Callable[[Path], Path], tmp_path: Path
) -> None:
    top = make(tmp_path)
    for name in ("libone.so.1", "libtwo.so.1"):
        compile_library(tmp_path / "libs" / name)
    path = f":relative:{tmp_path}/libs"
    found = simulated(loader_of(tmp_path, library_path=tuple(path.split(":"))), top)
    expected = real(top, {"LD_LIBRARY_PATH": path})
    assert {name: found.get(name) for name in expected} == expected


@needs_gcc
def test_what_a_program_has_loaded_is_there_for_its_modules(tmp_path: Path) -> None:
    one = compile_library(tmp_path / "far/libone.so.1")
    program = compile_library(tmp_path / "bin/python3.12", runpath("$ORIGIN/../far"), needs=[one])
    module = compile_library(tmp_path / "site/module.so", needs=[one])
    loader = loader_of(tmp_path)
    paths = [str(path).lstrip("/") for path in (module, program)]
    assert [missing.soname for missing in loader.load(paths[0]).missing] == ["libone.so.1"]
    assert loader.load(paths[0], program=paths[1]).missing == []


@needs_gcc
def test_the_rpath_of_a_program_serves_its_modules(tmp_path: Path) -> None:
    one = compile_library(tmp_path / "far/libone.so.1")
    program = compile_library(tmp_path / "bin/python3.12", rpath("$ORIGIN/../far"))
    module = compile_library(tmp_path / "site/module.so", needs=[one])
    paths = [str(path).lstrip("/") for path in (module, program)]
    assert loader_of(tmp_path).load(paths[0], program=paths[1]).missing == []


@needs_gcc
def test_what_is_settled_is_not_followed(tmp_path: Path) -> None:
    two = compile_library(tmp_path / "libtwo.so.1")
    one = compile_library(tmp_path / "libone.so.1", needs=[two])
    top = compile_library(tmp_path / "top.so", runpath("$ORIGIN"), needs=[one])
    loader = loader_of(tmp_path)
    assert loader.load(str(top).lstrip("/")).missing
    settled = replace(loader, settled={str(one).lstrip("/")})
    assert settled.load(str(top).lstrip("/")).missing == []


@needs_gcc
def test_musl_inherits_every_path_and_is_its_own_libraries(tmp_path: Path) -> None:
    two = compile_library(tmp_path / "sub/libtwo.so.1")
    one = compile_library(tmp_path / "sub/libone.so.1", needs=[two])
    top = compile_library(tmp_path / "top.so", runpath("$ORIGIN/sub"), needs=[one])
    musl = compile_library(tmp_path / "lib/ld-musl-x86_64.so.1")
    found = simulated(loader_of(tmp_path, target=_MUSL), top)
    assert found == {"libone.so.1": str(one), "libtwo.so.1": str(two), "libc.so.6": str(musl)}
