"""Builds and prunes of one store at the same time, each in a process of its own."""

import subprocess
import sys
from pathlib import Path

from builder.events import ignore
from builder.store.layout import Layout
from builder.store.prune import Limits, prune
from tests.cache import REPOSITORY
from tests.store.stores import names, read_all

ROUNDS = 8
BUILDING = f"""
import sys
from pathlib import Path
from builder.store.layout import Store
from tests.store.stores import image, names, read_all

for number in range({ROUNDS}):
    store = Store(Path(sys.argv[1]))
    shared = b"shared %d " % (number % 2) * 100
    made = image(store, f"app:{{sys.argv[2]}}-{{number}}", shared, sys.argv[2].encode())
    store.remember("built", str(number), {{"manifest": made.to_json()}})
    # Nobody takes anything away from a build that is at work.
    assert f"app:{{sys.argv[2]}}-{{number}}" in names(store)
    read_all(store)
    del store
"""
PRUNING = f"""
import sys
from pathlib import Path
from builder.events import ignore
from builder.store.layout import Layout
from builder.store.prune import Limits, prune
from builder.store.verify import verify

for number in range({ROUNDS}):
    size = [None, 3000, 0][number % 3]
    prune(Path(sys.argv[1]), Limits(max_size=size), ignore)
    assert verify(Path(sys.argv[1]), ignore, dry_run=True).damaged == ()
"""


def test_builds_and_prunes_take_nothing_away_from_each_other(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "store")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", code, str(layout.root), str(number)], cwd=REPOSITORY
        )
        for number, code in enumerate((BUILDING, PRUNING, BUILDING, PRUNING))
    ]
    assert [process.wait(timeout=120) for process in processes] == [0, 0, 0, 0]
    assert read_all(layout) == len(names(layout))
    prune(layout.root, Limits(), ignore, wait=False)
    assert read_all(layout) == len(names(layout))
    assert list(layout.root.glob(".*")) == []
