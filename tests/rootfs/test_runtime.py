from collections.abc import Callable
from pathlib import Path

import pytest

from builder.base.intake import load_image
from builder.oci.image import Image
from builder.rootfs.file_index import FileIndex
from builder.rootfs.indexing import file_index
from builder.rootfs.runtime import Runtime, find_runtime, is_known
from builder.store.layout import Store
from builder.target import Libc, Python
from layers.entries import FileEntry
from tests.base.images import PYTHON, ROOTFS, make_image


def never() -> FileIndex:
    raise AssertionError("nobody should need the files")


def stored(directory: Path, *more: FileEntry) -> tuple[Image, Store, Callable[[], FileIndex]]:
    store = Store(directory / "store")
    image = load_image(make_image(store, [(*ROOTFS, *more), PYTHON]), store)
    return image, store, lambda: file_index(image, store)


def test_it_is_what_the_files_say(tmp_path: Path) -> None:
    libc = b"\x7fELF\x02\x01".ljust(18, b"\0") + (62).to_bytes(2, "little")
    libc += b"GNU C Library (Debian) stable release version 2.36\n"
    image, store, files = stored(tmp_path, FileEntry.of("usr/lib/libc.so.6", libc))
    assert find_runtime(image, files, store) == Runtime(
        python=Python(version=(3, 12), path="/usr/local/bin/python3.12"),
        libc=Libc(name="glibc", version=(2, 36)),
    )


def test_the_second_time_no_file_is_asked_for(tmp_path: Path) -> None:
    image, store, files = stored(tmp_path)
    assert not is_known(image.digest, store)
    found = find_runtime(image, files, store)
    assert is_known(image.digest, store)
    assert find_runtime(image, never, store) == found
    assert found.libc is None


def test_an_image_without_python_is_known_to_have_none(tmp_path: Path) -> None:
    image, store, _ = stored(tmp_path)
    nothing = Runtime(python=None, libc=None)
    assert find_runtime(image, FileIndex, store) == nothing
    assert find_runtime(image, never, store) == nothing


@pytest.mark.parametrize(
    "fact",
    [
        {"format": "0/0", "python": None, "libc": None},
        {"format": "1/1"},
        {"format": "1/1", "python": [3], "libc": None},
        {"format": "1/1", "python": None, "libc": 1},
    ],
)
def test_what_another_version_wrote_is_found_out_anew(
    fact: dict[str, object], tmp_path: Path
) -> None:
    image, store, files = stored(tmp_path)
    found = find_runtime(image, files, store)
    store.remember("runtime", str(image.digest), fact)
    assert not is_known(image.digest, store)
    assert find_runtime(image, files, store) == found
    assert find_runtime(image, never, store) == found
