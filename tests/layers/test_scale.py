"""Large layers: memory that does not grow with them, work that grows no faster than they do."""

import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from layers.compress import GZIP, PLAIN, ZSTD, Codec
from layers.entries import DirEntry, Entry, FileEntry
from layers.layer import write_layer
from layers.segment import write_segment
from layers.tar import complete
from layers.verify import verify_layer
from tests.layers.joined import apart, joined_layer

GIB = 1 << 30
JOIN = """
import json, sys
from pathlib import Path
from layers.compress import CODECS
from layers.entries import DirEntry, FileEntry
from layers.layer import write_layer
from layers.segment import write_segment

class Letters:
    def __init__(self, size):
        self.left = size
    def open(self):
        return Letters(self.left)
    def read(self, size):
        size = min(size, self.left)
        self.left -= size
        return b"x" * size
    def __enter__(self):
        return self
    def __exit__(self, *_):
        pass

def peak():
    # In MiB. Not getrusage, which goes on counting what the parent held when it forked.
    [line] = [l for l in open("/proc/self/status") if l.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024

codec, size, directory = CODECS[sys.argv[1]], int(sys.argv[2]), Path(sys.argv[3])
codec.identity  # the library is loaded
before = peak()
files = [FileEntry(path=f"data/{n}", content=Letters(size), size=size) for n in range(2)]
segments = [
    write_segment([file], directory / str(n), codec=codec) for n, file in enumerate(files)
]
packed = peak()
layer = write_layer(
    [DirEntry(path="data")], directory / "layer", codec=codec, known={}, segments=segments
)
print(json.dumps([sum(s.tar_size for s in segments), packed - before, peak() - before]))
"""


@pytest.mark.parametrize("codec", [GZIP, ZSTD], ids=["gzip", "zstd"])
def test_memory_does_not_grow_with_a_layer(codec: Codec, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", JOIN, codec.name, str(GIB // 2), tmp_path],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    size, packing, joining = json.loads(done.stdout)
    assert size > GIB
    assert packing < 40
    assert joining < 40, done.stdout


def tree(number: int) -> list[Entry]:
    """That many files, a hundred in each directory."""
    return [
        FileEntry.of(f"app/lib/package_{index // 100}/module_{index}.py", b"x = 1\n")
        for index in range(number)
    ]


def calls(work: Callable[[], object]) -> int:
    """How many functions, of Python and of C, are called by ``work``."""
    number = 0

    def count(_frame: object, event: str, _argument: object) -> None:
        nonlocal number
        number += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
    return number


def in_segments(entries: Sequence[Entry], directory: Path) -> None:
    """One segment for a hundred files, as a venv has them; then the layer, and its proof."""
    frame, groups = apart(entries, len(entries) // 100)
    verify_layer(joined_layer(frame, groups, directory / "joined", PLAIN))


def in_one_piece(entries: Sequence[Entry], directory: Path) -> None:
    verify_layer(write_layer(entries, directory / "whole", codec=PLAIN, known={}))


@pytest.mark.parametrize("work", [in_segments, in_one_piece])
def test_work_grows_as_the_number_of_files_does(
    work: Callable[[Sequence[Entry], Path], None], tmp_path: Path
) -> None:
    numbers = []
    for number in (400, 1600):
        directory = tmp_path / str(number)
        directory.mkdir()
        entries = tree(number)
        numbers.append(calls(lambda e=entries, d=directory: work(e, d)))  # type: ignore[misc]
    few, many = numbers
    assert 3.5 * few < many < 4.2 * few


def test_a_small_file_costs_few_calls(tmp_path: Path) -> None:
    """Batches: hashing and compressing are called for many files at once."""
    entries = tree(1000)
    number = calls(lambda: write_segment(entries, tmp_path / "segment", codec=GZIP))
    assert number < 40 * len(entries)
    assert len([e for e in complete(entries, {}) if isinstance(e, DirEntry)]) == 12
