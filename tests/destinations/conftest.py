"""Images that share a layer, in a store as a build leaves it."""

import random
from dataclasses import dataclass
from pathlib import Path

import pytest

from builder.oci.image import Image
from builder.oci.image_index import ImageIndex
from builder.oci.platform import Platform
from builder.store.layout import Store
from layers.compress import ZSTD
from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from tests.images import make_image, make_layer, store_of

FOREIGN = Platform("linux", "amd64" if Platform.host().architecture == "arm64" else "arm64")


@dataclass(frozen=True, slots=True)
class Images:
    """``first`` and ``second`` share a layer; ``repacked`` is ``first``, compressed otherwise.

    ``index`` lists ``foreign``, which is for another architecture and has that layer too, before
    ``second``.
    """

    store: Store
    first: Image
    second: Image
    repacked: Image
    foreign: Image
    index: ImageIndex


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
    foreign = make_image([shared, two], settings, FOREIGN)
    store_of(path, first, second, repacked, foreign)
    index = ImageIndex.of([foreign, second], {"org.opencontainers.image.title": "app"})
    return Images(store, first, second, repacked, foreign, index)


@pytest.fixture
def images(tmp_path: Path, request: pytest.FixtureRequest) -> Images:
    return make_images(tmp_path / "store", request.node.name)
