"""What is kept of a base for packages that are laid on it."""

from pathlib import Path

from builder.base.intake import load_image
from builder.debian.root import read_root
from builder.rootfs.indexing import file_index
from builder.store.layout import Store
from layers.entries import FileEntry
from tests.base.images import ROOTFS, make_image

MIB = 1 << 20


def test_settings_of_a_base_are_kept_unless_they_are_large(tmp_path: Path) -> None:
    store = Store(tmp_path)
    added = [
        FileEntry.of("etc/nginx/nginx.conf", b"settings"),
        FileEntry.of("etc/large", bytes(MIB + 1)),
        FileEntry.of("etc/just", bytes(MIB)),
        FileEntry.of("usr/share/x", b"no matter"),
    ]
    image = load_image(make_image(store, [ROOTFS, added]), store)
    files = file_index(image, store)
    root = read_root(image, files, store)
    assert root.contents["etc/nginx/nginx.conf"] == b"settings"
    assert "etc/just" in root.contents
    assert root.read("etc/large") is root.read("usr/share/x") is None
    assert read_root(image, files, store).contents == root.contents
    fact = store.fact("debian-root", str(image.digest)) or {}
    store.remember("debian-root", str(image.digest), {**fact, "format": 1, "contents": {}})
    assert read_root(image, files, store).contents == root.contents
