"""What is packed and compiled on a machine of the other architecture, by emulation: same bytes."""

import json
import posixpath
import shutil
import subprocess
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
import uv

from layers import bytecode
from tests.cache import REPOSITORY
from tests.emulation import Root, root_of
from tests.hostile import packing
from tests.platforms import HOST, MACHINES, OTHER, read_images
from tests.standin_platforms import PYTHON, TAG, two_platform_standin

pytestmark = [pytest.mark.archive, pytest.mark.index]

_LIBRARY = "usr/local/lib/python3.13"
_PACKED = ("asyncio", "lib-dynload")
_COMPILED = ("asyncio", "collections", "dataclasses.py", "email", "typing.py")


@pytest.fixture(scope="module")
def roots(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Root]:
    """The stand-in for this machine and for the other one, each with ``layers`` in it."""
    images = read_images(two_platform_standin(), TAG)
    folder = tmp_path_factory.mktemp("roots")
    made = {}
    for platform in (OTHER, HOST):
        root = root_of(images[platform].layers, platform, folder / platform.architecture)
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "layers", root.directory / "work/layers", ignore=ignored)
        shutil.copy(packing.__file__, root.directory / "work")
        made[platform.architecture] = root
    return made


@pytest.fixture(scope="module")
def other(roots: Mapping[str, Root]) -> Root:
    """The other machine, with the very versions of the libraries that compress here."""
    root = roots[OTHER.architecture]
    wanted = [f"{name}=={version(name)}" for name in ("backports-zstd", "zlib-ng")]
    install = [uv.find_uv_bin(), "pip", "install", "--quiet", "--no-deps", "--no-build"]
    target = ["--target", str(root.directory / "work"), "--python-version", PYTHON.minor]
    machine = ["--python-platform", f"{MACHINES[OTHER.architecture]}-manylinux_2_36"]
    subprocess.run([*install, *target, *machine, *wanted], check=True)
    return root


def test_layers_and_segments_are_the_same_bytes(other: Root, tmp_path: Path) -> None:
    trees = [f"/{_LIBRARY}/{name}" for name in _PACKED]
    (other.directory / "scratch").mkdir()
    python = other.run(
        PYTHON.path, "/work/packing.py", "/scratch", *trees, environ={"PYTHONPATH": "/work"}
    )
    there = json.loads(python.stdout)
    here = _packed_here([f"{other.directory}{tree}" for tree in trees], tmp_path)
    assert there.pop("machine") == MACHINES[OTHER.architecture]
    assert here.pop("machine") == MACHINES[HOST.architecture]
    assert {name.partition("/")[0] for name in here["layers"]} == {"gzip", "zstd", "none"}
    assert there == here


def _packed_here(trees: list[str], scratch: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", packing.__name__, scratch, *trees],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    )
    value: dict[str, Any] = json.loads(done.stdout)
    return value


def test_bytecode_is_the_same_bytes(roots: Mapping[str, Root]) -> None:
    compiled = {name: _compiled(root) for name, root in roots.items()}
    assert len(compiled[HOST.architecture]) > 50
    assert compiled[OTHER.architecture] == compiled[HOST.architecture]


def test_the_base_has_the_same_bytecode_for_both(roots: Mapping[str, Root]) -> None:
    found = []
    for root in roots.values():
        library = root.directory / _LIBRARY
        pycs = (path for path in library.rglob("*.pyc") if "_sysconfigdata" not in path.name)
        found.append({path.relative_to(library): path.read_bytes() for path in pycs})
    assert len(found[0]) > 400
    assert found[0] == found[1]


def _compiled(root: Root) -> dict[str, bytes]:
    """What the Python of an image makes of its own library's sources."""
    library = root.directory / _LIBRARY
    found = [path for name in _COMPILED for path in (library / name, *(library / name).rglob("*"))]
    texts = []
    for path in sorted(path for path in found if path.suffix == ".py"):
        inside = f"/{path.relative_to(root.directory)}"
        texts += [inside, inside, posixpath.join("/compiled", inside.removeprefix("/") + "c")]
    half = len(texts) // 6 * 3
    batches = [bytecode.to_line(texts[:half]), bytecode.to_line(texts[half:])]
    told = root.run(
        *(PYTHON.path, "-I", "-S", "-Wignore", "-Xutf8", "/work/layers/bytecode.py"),
        stdin="".join(f"{batch}\n" for batch in batches),
    )
    assert told.stdout == ""
    made = root.directory / "compiled"
    return {str(path.relative_to(made)): path.read_bytes() for path in made.rglob("*.pyc")}
