"""Bytecode of a distribution that was packed for another platform before."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from builder.rootfs.file_index import FileIndex
from builder.store.layout import Store
from layers.compress import CODECS, Codec
from tests.dependencies.staged import Making, Wheels, digests, members
from tests.project.projects import MINOR, SITE

TAG = f"cpython-{MINOR.replace('.', '')}"
NATIVE = b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp312-cp312-linux_x\n"
CODE = b"".join(b"def f%d(a: int) -> int:\n    return a + %d\n" % (n, n) for n in range(40))


def wheels(machine: bytes) -> Wheels:
    """One distribution: its code is the same everywhere, but for a file that names the machine."""
    return {
        "native-1.0": {
            "native/__init__.py": CODE,
            "native/broken.py": b"def (:\n",
            "native/config.py": CODE + b"MACHINE = %r\n" % machine,
            "native/fast.so": machine * 100,
            "native-1.0.dist-info/WHEEL": NATIVE,
        }
    }


AMD, ARM = wheels(b"amd64"), wheels(b"arm64")


def compiled(making: Making) -> str:
    return "".join(making.recorder.compiled)


@pytest.mark.parametrize("codec", CODECS.values(), ids=list(CODECS))
def test_only_what_differs_is_compiled_and_the_layers_are_the_same(
    codec: Codec, tmp_path: Path
) -> None:
    alone = Making(tmp_path / "alone", Store(tmp_path / "fresh"), codec=codec).make(ARM)
    store = Store(tmp_path / "store")
    Making(tmp_path / "first", store, codec=codec).make(AMD)
    second = Making(tmp_path / "second", store, codec=codec)
    contents = second.make(ARM)
    assert digests(contents) == digests(alone)
    assert contents.paths == alone.paths
    assert contents.not_python == alone.not_python == (f"/{SITE}/native/broken.py",)
    assert "native/config.py" in compiled(second)
    assert "native/__init__.py" not in compiled(second)
    assert members(contents)[f"{SITE}/native/__pycache__/__init__.{TAG}.pyc"]


def test_where_the_base_has_links_it_is_found_as_well(tmp_path: Path) -> None:
    base, store = FileIndex(symlinks={"app": "srv/app"}, directories={}), Store(tmp_path / "store")
    Making(tmp_path / "first", store, base=base).make(AMD)
    second = Making(tmp_path / "second", store, base=base)
    contents = second.make(ARM)
    assert "native/__init__.py" not in compiled(second)
    assert members(contents)[f"srv/{SITE}/native/__pycache__/__init__.{TAG}.pyc"]


def test_another_interpreter_compiles_everything(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    Making(tmp_path / "first", store).make(AMD)
    second = Making(tmp_path / "second", store, interpreter="Python 3.99")
    second.make(ARM)
    assert "native/__init__.py" in compiled(second)


def forget_blobs(store: Store) -> None:
    for blob in (store.root / "blobs/sha256").iterdir():
        blob.unlink()


def damage_blobs(store: Store) -> None:
    for blob in (store.root / "blobs/sha256").iterdir():
        data = blob.read_bytes()
        blob.chmod(0o644)
        blob.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))


def damage_facts(store: Store) -> None:
    for fact in (store.root / "facts/bytecode").iterdir():
        fact.write_text(json.dumps({"segment": 1, "sources": {"a": 1}}))


@pytest.mark.parametrize("loss", [forget_blobs, damage_blobs, damage_facts])
def test_what_the_store_lost_is_compiled_again(
    loss: Callable[[Store], None], tmp_path: Path
) -> None:
    alone = Making(tmp_path / "alone", Store(tmp_path / "fresh")).make(ARM)
    store = Store(tmp_path / "store")
    Making(tmp_path / "first", store).make(AMD)
    loss(store)
    second = Making(tmp_path / "second", store)
    assert digests(second.make(ARM)) == digests(alone)
    assert "native/__init__.py" in compiled(second)


def test_of_little_python_beside_much_else_nothing_is_looked_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    large = {"native-1.0": {**AMD["native-1.0"], "native/fast.so": bytes(10**6)}}
    Making(tmp_path / "first", store).make(large)
    second = Making(tmp_path / "second", store)
    second.make(ARM)
    assert "native/__init__.py" in compiled(second)
