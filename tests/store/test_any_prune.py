"""Whatever is pruned, and whenever that is killed: every image that has a name is whole."""

import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builder.events import ignore
from builder.store.inventory import take_inventory
from builder.store.layout import Layout, Store
from builder.store.prune import Limits, prune
from tests.cache import REPOSITORY
from tests.images import blob_path
from tests.store.stores import blob, blobs, fact_path, facts, image, names, read_all, used

EPOCH = 1_000_000_000
STEPS = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An image of a random store: which layers it has, on which base, and who remembers it."""

    layers: Sequence[int]
    base: int | None
    is_named: bool
    is_remembered: bool
    used: int


IMAGES = st.lists(
    st.builds(
        Made,
        layers=st.lists(st.integers(0, 7), min_size=1, max_size=4),
        base=st.none() | st.integers(0, 1),
        is_named=st.booleans(),
        is_remembered=st.booleans(),
        used=st.integers(0, 5),
    ),
    max_size=6,
)
LIMITS = st.builds(
    Limits,
    max_size=st.none() | st.integers(0, 8000),
    max_age=st.none(),
)


def fill(root: Path, made: Sequence[Made]) -> Layout:
    """A random store, which this process does not use any more."""
    store = Store(root)
    bases = [image(store, None, f"base {number}".encode() * 50) for number in range(2)]
    for number, each in enumerate(made):
        contents = [f"layer {layer} ".encode() * 20 * (layer + 1) for layer in each.layers]
        base = bases[each.base] if each.base is not None else None
        name = f"app:{number}" if each.is_named else None
        found = image(store, name, *contents, base=base)
        used(blob_path(store, found), EPOCH + each.used)
        if each.is_remembered:
            store.remember("built", str(number), {"manifest": found.to_json()})
            used(fact_path(store, "built", str(number)), EPOCH + each.used)
    blob(store, b"of nobody")
    return Layout(root)


@given(IMAGES, LIMITS)
@settings(max_examples=60, deadline=None)
def test_named_images_are_whole_and_nothing_is_kept_in_vain(
    made: Sequence[Made], limits: Limits
) -> None:
    with tempfile.TemporaryDirectory() as directory, pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # nine tenths of the time, and no power cut here
        store = fill(Path(directory, "store"), made)
        before = names(store)
        removal = prune(store.root, limits, ignore)
        left = take_inventory(store)
        gone = [name for image in removal.images for name in image.names]
        assert sorted([*names(store), *gone]) == before
        assert read_all(store) == len(names(store))
        assert all(i.is_whole for i in left.images)
        needed = frozenset[str]().union(
            *(named.needs for named in left.images), *(fact.needs for fact in left.facts)
        )
        assert set(left.blobs) == needed
        assert left.size == removal.stays
        if limits.max_size is None:
            assert names(store) == before
        else:
            assert left.size <= limits.max_size
        # Once more finds nothing more.
        assert prune(store.root, limits, ignore).freed == 0


def python(code: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
    argv = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(argv, check=False, cwd=REPOSITORY, timeout=60, stdout=subprocess.PIPE)


KILLED = """
import os, signal, sys
from pathlib import Path
from builder.store.prune import Limits, prune
from builder.events import ignore

def dying(act, life):
    def step(*arguments, **options):
        if not life:
            os.kill(os.getpid(), signal.SIGKILL)
        life.pop()
        return act(*arguments, **options)
    return step

for root in sorted(Path(sys.argv[1]).iterdir(), key=lambda path: int(path.name)):
    if not (child := os.fork()):
        life = list(range(int(root.name)))
        for name in ("unlink", "rename", "replace", "fsync"):
            setattr(os, name, dying(getattr(os, name), life))
        prune(root, Limits(max_size=4000), ignore)
        os._exit(0)
    print(root.name, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
"""Prunes each store of a directory; the process that does dies at the step that names the store."""


def test_a_prune_that_is_killed_leaves_no_name_of_something_incomplete(tmp_path: Path) -> None:
    made = [
        Made(layers=[n, n + 1], base=n % 2, is_named=n != 1, is_remembered=n != 2, used=n)
        for n in range(4)
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("os.fsync", lambda _: None)  # killing loses nothing that was written
        for step in range(STEPS):
            fill(tmp_path / str(step), made)
    codes = dict(map(str.split, python(KILLED, tmp_path).stdout.decode().splitlines()))
    assert set(codes.values()) == {"0", str(-signal.SIGKILL)}
    assert list(codes.values()) == sorted(codes.values())  # killed as long as steps were left
    found = set()
    for step in range(STEPS):
        layout = Layout(tmp_path / str(step))
        assert read_all(layout) == len(names(layout))
        prune(layout.root, Limits(max_size=4000), ignore)
        assert read_all(layout) == len(names(layout)) > 0
        assert list(layout.root.glob(".*")) == []
        found.add((*names(layout), *blobs(layout), len(facts(layout))))
    assert len(found) == 1


WRITING = """
import os, signal, sys
from pathlib import Path
from builder.store.layout import Store

store = Store(Path(sys.argv[1]))
with store.staging() as staging, store.ingest() as path:
    (staging / "venv").write_bytes(b"half a venv")
    path.write_bytes(b"half a blob")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_build_was_writing_is_gone_after_a_prune(tmp_path: Path) -> None:
    store = fill(tmp_path / "store", [])
    done = python(WRITING, store.root)
    assert done.returncode == -signal.SIGKILL
    assert len(list(store.root.glob(".*"))) == 2
    removal = prune(store.root, Limits(), ignore, wait=False)
    assert sum(left.size for left in removal.leftovers) == len(b"half a venv" + b"half a blob")
    assert list(store.root.glob(".*")) == []
