"""What the lock alone tells of distributions, and what several platforms share."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from builder.contents import Contents
from builder.dependencies.environment import read_environment
from builder.dependencies.layers import Order, make_layers
from builder.dependencies.locked import find_locked, locked_keys
from builder.oci.platform import Platform
from builder.project.lock import Lock
from builder.store.layout import Store
from builder.target import Libc, Python, Target
from tests.dependencies.staged import Making, digests, write_environment
from tests.project.projects import PYTHON, TARGET

AMD, ARM = (
    Target(platform=Platform("linux", machine), python=PYTHON, libc=TARGET.libc)
    for machine in ("amd64", "arm64")
)
MUSL = replace(AMD, libc=Libc(name="musl", version=(1, 2)))
NEWER = replace(AMD, python=Python(version=(3, 99), path="/usr/bin/python3.99"))
INDEX = {"registry": "https://index.example.com/simple"}


def entry(name: str, *tags: str, **more: object) -> dict[str, Any]:
    """A ``[[package]]`` table with one wheel for each tag."""
    wheels = [
        {"url": f"https://files.example.com/{name}-1.0-{tag}.whl", "hash": "sha256:0"}
        for tag in tags
    ]
    sdist = {} if tags else {"sdist": {"url": f"{name}.tar.gz", "hash": "sha256:0"}}
    return {"name": name, "version": "1.0", "source": INDEX, "wheels": wheels, **sdist, **more}


ENTRIES = (
    entry("pure", "py3-none-any"),
    entry("older", "py2.py3-none-any", sdist={"url": "older.tar.gz", "hash": "sha256:0"}),
    entry("native", "cp312-cp312-manylinux_2_17_x86_64", "cp312-cp312-manylinux_2_17_aarch64"),
    entry("mixed", "cp312-cp312-manylinux_2_17_x86_64", "py3-none-any"),
    entry("past", "py2-none-any"),
    entry("source"),
)


def keys(target: Target, making: Making, *told: str) -> dict[str, str]:
    lock = Lock(path=Path("/uv.lock"), packages=ENTRIES)
    foreseen = {table["name"]: "1.0" for table in ENTRIES}
    return locked_keys(lock, foreseen, target, making.packer, told)


@pytest.mark.parametrize("other", [ARM, MUSL], ids=["machine", "libc"])
def test_what_is_the_same_wheel_for_every_platform_is_known_on_every_platform(
    other: Target, tmp_path: Path
) -> None:
    making = Making(tmp_path, Store(tmp_path / "store"))
    here, there = keys(AMD, making), keys(other, making)
    assert {name for name in here if here[name] == there[name]} == {"pure", "older"}


def test_another_python_settings_or_place_are_another_thing_for_all(tmp_path: Path) -> None:
    making = Making(tmp_path, Store(tmp_path / "store"))
    here = keys(AMD, making)
    compiled = Making(tmp_path, Store(tmp_path / "store"), interpreter="Python 3.99")
    for there in (keys(NEWER, making), keys(AMD, making, "told"), keys(AMD, compiled)):
        assert not set(here.values()) & set(there.values())


PURE_WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
NATIVE_WHEEL = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp312-cp312-linux_x\n"


def wheels(machine: bytes) -> dict[str, dict[str, bytes]]:
    return {
        "pure-1.0": {"pure.py": b"A = 1\n", "pure-1.0.dist-info/WHEEL": PURE_WHEEL},
        "older-1.0": {"older.py": b"B = 2\n", "older-1.0.dist-info/WHEEL": PURE_WHEEL},
        "native-1.0": {
            "native/__init__.py": b"C = 3\n",
            "native/fast": machine,
            "native-1.0.dist-info/WHEEL": NATIVE_WHEEL,
        },
    }


def build(store: Store, directory: Path, target: Target) -> tuple[Contents, set[str]]:
    """One platform's layers, and the names that had to be installed for them."""
    making = Making(directory, store)
    packer = making.packer
    locked = {
        name: key for name, key in keys(target, making).items() if f"{name}-1.0" in wheels(b"")
    }
    known = find_locked(locked, packer)
    offered = wheels(target.platform.architecture.encode())
    missing = {name: files for name, files in offered.items() if name[:-4] not in known}
    write_environment(directory / "venv", missing)
    environment = read_environment(packer, directory / "venv", known)
    order = _order(making, locked)
    return make_layers(packer, environment, order), {name[:-4] for name in missing}


def _order(making: Making, locked: Mapping[str, str]) -> Order:
    return Order(
        choice=making.choice,
        known={},
        mend=making.mended.append,
        finished=making.finished.append,
        locked=locked,
    )


def test_layers_are_the_same_whichever_platform_was_first_and_pure_ones_are_shared(
    tmp_path: Path,
) -> None:
    found: dict[str, dict[str, Contents]] = {}
    for order in ((AMD, ARM), (ARM, AMD)):
        name = order[0].platform.architecture
        store = Store(tmp_path / name)
        first, installed = build(store, tmp_path / f"{name}-1", order[0])
        assert installed == {"pure", "older", "native"}
        second, installed = build(store, tmp_path / f"{name}-2", order[1])
        assert installed == {"native"}
        found[name] = {name: first, order[1].platform.architecture: second}
    for machine in ("amd64", "arm64"):
        one, other = (found[first][machine] for first in ("amd64", "arm64"))
        assert one.layers
        assert [(m.layer.digest, m.layer.diff_id, m.holds) for m in one.layers] == [
            (m.layer.digest, m.layer.diff_id, m.holds) for m in other.layers
        ]
        assert one.paths == other.paths
    amd, arm = (digests(found["amd64"][machine]) for machine in ("amd64", "arm64"))
    assert amd.keys() == arm.keys()
    assert {holds for holds in amd if amd[holds] != arm[holds]} == {"native 1.0"}
