"""Packs trees in every way that layers know, and prints the digests.

It is run as a script, also by a Python of another machine that has nothing but the standard
library, ``layers`` and what those need.
"""

import json
import platform
import random
import sys
from dataclasses import replace
from pathlib import Path

from layers.compress import CODECS, Codec
from layers.entries import DirEntry, FileEntry, HardLinkEntry, Owner, SymlinkEntry
from layers.layer import Layer, write_layer
from layers.segment import write_segment
from layers.tree import fingerprint, walk

OWNER = Owner(1001, 1001)


def make_tree(root: Path) -> None:
    """Files as dependencies have them, and names and sizes that a tar has trouble with."""
    chance = random.Random(6)  # noqa: S311 - the same on every machine
    words = [f"word{number}" for number in range(500)]
    contents = {
        "empty": b"",
        "one": b"x",
        "noise.bin": chance.randbytes(600_000),
        "text.py": " ".join(chance.choices(words, k=60_000)).encode(),
        "numbers.npy": b"".join(n.to_bytes(8, "little") for n in range(60_000)),
        "zeros.bin": bytes(1_000_000),
        "é 日本 🐍.txt": "é".encode() * 1000,
        "line\nbreak": b"odd",
        f"{'d' * 90}/{'e' * 90}/{'f' * 120}.txt": b"long",
        f"{'g' * 200}": b"longer than a tar's field",
        "bin/tool": b"#!/bin/sh\n",
        **{f"many/{number:04}.py": chance.randbytes(number) for number in range(200)},
    }
    for name, data in contents.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    (root / "bin/tool").chmod(0o755)
    (root / "bin/python").symlink_to("/usr/local/bin/python3")
    (root / "far").symlink_to("many/" * 60 + "0001.py")


def told(layer: Layer) -> list[str | int]:
    return [str(layer.digest), str(layer.diff_id), layer.size]


def pack(codec: Codec, trees: list[Path], scratch: Path) -> dict[str, list[str | int]]:
    """A layer of plain entries, and one joined of a segment for each tree and some files."""
    entries = [e for tree in trees for e in walk(tree, at=f"app/{tree.name}", owner=OWNER)]
    link = HardLinkEntry(path="app/same", target="app/first", owner=OWNER)
    first = replace(FileEntry.of("app/first", b"first\n"), owner=OWNER)
    whole = write_layer(
        [*entries, first, link], scratch / f"{codec.name}.whole", codec=codec, known={}
    )
    segments = []
    for tree in trees:
        apart = walk(tree, at=f"app/{tree.name}", owner=OWNER)
        files = [entry for entry in apart if isinstance(entry, FileEntry | SymlinkEntry)]
        path = scratch / f"{codec.name}.{tree.name}"
        segments.append(write_segment(files, path, codec=codec))
    frame = [entry for entry in entries if isinstance(entry, DirEntry)]
    path = scratch / f"{codec.name}.joined"
    joined = write_layer([*frame, first, link], path, codec=codec, known={}, segments=segments)
    return {
        "whole": told(whole),
        "joined": told(joined),
        "segments": [str(segment.digest) for segment in segments],
    }


def main(scratch: Path, trees: list[Path]) -> None:
    made = scratch / "made"
    make_tree(made)
    trees = [made, *trees]
    result = {
        "machine": platform.machine(),
        "fingerprints": [str(fingerprint(walk(tree, at="app"))) for tree in trees],
        "layers": {codec.identity: pack(codec, trees, scratch) for codec in CODECS.values()},
    }
    sys.stdout.write(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), [Path(argument) for argument in sys.argv[2:]])
