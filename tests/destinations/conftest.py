"""Two images that share a layer, in a store as a build leaves it."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.oci.image import Image
from builder.store.layout import Store
from layers.compress import ZSTD
from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from tests.images import make_image, make_layer, store_of


@dataclass(frozen=True, slots=True)
class Images:
    """``first`` and ``second`` share a layer; ``repacked`` is ``first``, compressed otherwise."""

    store: Store
    first: Image
    second: Image
    repacked: Image


def make_images(path: Path, salt: str) -> Images:
    store = Store(path)
    noise = random.Random(salt).randbytes(3 << 20)  # noqa: S311 - bytes that do not compress
    below: list[Entry] = [
        DirEntry(path="app", owner=Owner(1001, 1001)),
        FileEntry.of("app/noise", noise, mode=0o755),
        SymlinkEntry(path="app/link", target="noise"),
    ]
    shared = make_layer(store, below)
    one, two = (
        make_layer(store, (FileEntry.of("app/version", f"{salt} {number}".encode()),))
        for number in (1, 2)
    )
    settings = {"Cmd": ["/app/noise"], "User": "1001:1001", "Labels": {"salt": salt}}
    first = make_image([shared, one], settings)
    second = make_image([shared, two], settings)
    repacked = make_image([make_layer(store, below, ZSTD), one], settings)
    store_of(path, first, second, repacked)
    return Images(store, first, second, repacked)


@pytest.fixture
def images(tmp_path: Path, request: pytest.FixtureRequest) -> Images:
    return make_images(tmp_path / "store", request.node.name)
