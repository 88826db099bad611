import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from layers.compress import CODECS, GZIP, PLAIN, Codec, decompressed
from layers.digest import DiffId, Digest
from layers.entries import DirEntry, Entry, FileContent, FileEntry, Owner
from layers.errors import ContentError
from layers.layer import write_layer
from layers.verify import verify_layer
from tests.layers.test_tar import OF_EVERY_KIND, tar_of

EACH_CODEC = pytest.mark.parametrize("codec", CODECS.values(), ids=CODECS)


@EACH_CODEC
def test_a_layer_is_what_its_file_holds(codec: Codec, tmp_path: Path) -> None:
    path = tmp_path / "blob"
    layer = write_layer(OF_EVERY_KIND, path, codec=codec, known={})
    data = path.read_bytes()
    tar = tar_of(OF_EVERY_KIND)
    assert (layer.media_type, layer.size) == (codec.media_type, len(data))
    assert layer.digest == Digest.of(data)
    assert layer.diff_id == DiffId.of(tar)
    assert layer.source == FileContent(path)
    for _ in range(2):
        with layer.source.open() as blob, decompressed(blob, layer.media_type) as stream:
            assert stream.read() == tar


@EACH_CODEC
def test_a_diff_id_does_not_depend_on_the_codec(codec: Codec, tmp_path: Path) -> None:
    layer = write_layer(OF_EVERY_KIND, tmp_path / "blob", codec=codec, known={})
    assert layer.diff_id == DiffId(
        "sha256:58fc91cc296d7795014322d65367e9f7d80604dbbbc90cb460f00e86c30bf44c"
    )


@EACH_CODEC
def test_an_empty_layer_is_a_layer(codec: Codec, tmp_path: Path) -> None:
    layer = write_layer([], tmp_path / "blob", codec=codec, known={})
    assert layer.diff_id == DiffId(f"sha256:{hashlib.sha256(bytes(1024)).hexdigest()}")
    assert verify_layer(layer) == 0


def test_directories_of_the_layers_below_are_repeated(tmp_path: Path) -> None:
    known = {"srv": DirEntry(path="srv", mode=0o700, owner=Owner(5, 6))}
    layer = write_layer([FileEntry.of("srv/a", b"")], tmp_path / "1", codec=PLAIN, known=known)
    entries: list[Entry] = [*known.values(), FileEntry.of("srv/a", b"")]
    assert layer.diff_id == write_layer(entries, tmp_path / "2", codec=PLAIN, known={}).diff_id


def test_a_layer_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "blob"
    path.write_bytes(b"precious")
    with pytest.raises(FileExistsError):
        write_layer([], path, codec=PLAIN, known={})
    assert path.read_bytes() == b"precious"


def test_entries_that_do_not_go_together_make_no_layer(tmp_path: Path) -> None:
    twice = [FileEntry.of("a", b""), FileEntry.of("a", b"")]
    with pytest.raises(ContentError) as caught:
        write_layer(twice, tmp_path / "blob", codec=GZIP, known={})
    assert caught.value.message == "two entries claim the path /a in one layer"


WRITE = """
import json, sys
from pathlib import Path
from layers.compress import CODECS
from layers.entries import FileEntry
from layers.layer import write_layer
from layers.tree import walk
from layers.verify import verify_layer

def peak():
    # In MiB. Not getrusage, which goes on counting what the parent held when it forked.
    [line] = [l for l in open("/proc/self/status") if l.startswith("VmHWM:")]
    return int(line.split()[1]) / 1024

codec, tree, blob = CODECS[sys.argv[1]], Path(sys.argv[2]), Path(sys.argv[3])
codec.identity  # the library is loaded
before = peak()
layer = write_layer(walk(tree, at="data"), blob, codec=codec, known={})
written = peak()
assert verify_layer(layer) == 3
print(json.dumps([written - before, peak() - before, layer.size]))
"""


@EACH_CODEC
def test_memory_is_flat(codec: Codec, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    with (tree / "zeros").open("wb") as file:
        os.truncate(file.fileno(), 280 << 20)
    (tree / "random").write_bytes(os.urandom(20 << 20))
    done = subprocess.run(
        [sys.executable, "-c", WRITE, codec.name, tree, tmp_path / "blob"],
        env={"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=True,
    )
    writing, reading, size = json.loads(done.stdout)
    assert size > 20 << 20
    assert writing < 40
    assert reading < 40
