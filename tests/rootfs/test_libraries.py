"""The shared libraries of an image, found in the pass that makes its file index."""

import io
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from builder.base.base import BaseRequest
from builder.base.find import find_base
from builder.elf import read_elf
from builder.oci.image import Image
from builder.rootfs.indexing import file_index, libraries
from builder.rootfs.libraries import Libraries, libraries_from_fact, libraries_to_fact
from builder.rootfs.loader_paths import is_configuration, loader_paths
from builder.rootfs.survey import libraries_with, survey
from builder.store.layout import Layout, Store
from builder.target import Libc
from layers.entries import Content, Entry, FileEntry, HardLinkEntry, WhiteoutEntry
from tests.base.images import AMD64, make_image, stored_image

RAW = min(
    (p for p in Path("/usr/lib").glob("*-linux-gnu/lib*.so.*") if not p.is_symlink()),
    key=lambda path: path.stat().st_size,
).read_bytes()
ELF = read_elf(io.BytesIO(RAW))
assert ELF
MUSL = Libc(name="musl", version=(1, 2))


def found(tmp_path: Path, *filesystems: Iterable[Entry]) -> Libraries:
    return survey(stored_image(tmp_path, *filesystems)).libraries


def test_libraries_modules_and_python_are_kept_and_nothing_else(tmp_path: Path) -> None:
    names = ("lib/liba.so", "lib/libb.so.1.2", "m/x.cpython-312.so", "usr/local/bin/python3.12")
    others = ("bin/tool", "lib/libc.solid", "lib/python3.12/x.py")
    entries: list[Entry] = [FileEntry.of(name, RAW) for name in (*names, *others)]
    entries.append(FileEntry.of("lib/script.so", b"INPUT(-lc)\n"))
    assert found(tmp_path, entries).files == dict.fromkeys(names, ELF)


def test_the_topmost_file_counts(tmp_path: Path) -> None:
    below = [FileEntry.of(f"lib/lib{name}.so.1", RAW) for name in "abcd"]
    above: list[Entry] = [
        WhiteoutEntry(path="lib/liba.so.1"),
        FileEntry.of("lib/libb.so.1", b"text"),
        HardLinkEntry(path="lib/libz.so.1", target="lib/liby.so.1"),
        FileEntry.of("lib/liby.so.1", RAW),
    ]
    names = {Path(path).name for path in found(tmp_path, below, above).files}
    assert names == {f"lib{name}.so.1" for name in "cdyz"}


def test_a_long_library_is_read_like_any(tmp_path: Path) -> None:
    raw = RAW + bytes((17 << 20) - len(RAW))
    assert found(tmp_path, [FileEntry.of("lib/liblong.so.1", raw)]).files == {
        "lib/liblong.so.1": ELF
    }


def test_the_configuration_of_the_loader_is_followed(tmp_path: Path) -> None:
    entries = [
        FileEntry.of("etc/ld.so.conf", b"/opt/a  # first\ninclude ld.so.conf.d/*.conf\n/opt/b/\n"),
        FileEntry.of("etc/ld.so.conf.d/2.conf", b"/opt/2=libc6\nhwcap 0 nosegneg\n/opt/a\n"),
        FileEntry.of("etc/ld.so.conf.d/1.conf", b"include /etc/ld.so.conf\n/opt/1\n"),
        FileEntry.of("etc/ld.so.conf.d/3.txt", b"/opt/3\n"),
        FileEntry.of("etc/ld.so.cache", b"glibc\0\0libx.so.1\0/opt/cached/libx.so.1\0/lib/y.so\0"),
    ]
    directories = found(tmp_path, entries).directories
    assert directories[:5] == ("opt/a", "opt/1", "opt/2", "opt/b", "opt/cached")
    own = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu")
    assert directories[5:] == ("lib", *own, "lib64", "usr/lib64", "usr/lib")


BUILT_IN = ("lib64", "usr/lib64", "lib", "usr/lib")


def test_where_musl_looks() -> None:
    def paths(texts: dict[str, bytes]) -> tuple[str, ...]:
        assert all(map(is_configuration, texts))
        return loader_paths(texts, architecture="amd64", libc=MUSL)

    assert paths({}) == ("lib", "usr/local/lib", "usr/lib")
    assert paths({"etc/ld-musl-x86_64.path": b"/opt/lib:/lib\n/usr/lib\n"}) == (
        *("opt/lib", "lib", "usr/lib"),
    )


def test_an_architecture_without_a_name_of_its_own_has_the_common_directories() -> None:
    assert loader_paths({}, architecture="mips", libc=None) == BUILT_IN


class _Counted:
    """A layer's blob that remembers how often it was opened."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.times = 0

    def open(self) -> BinaryIO:
        self.times += 1
        return self.content.open()


def counted(image: Image) -> tuple[Image, _Counted]:
    (layer,) = image.layers
    content = _Counted(layer.source)
    return replace(image, layers=(replace(layer, source=content),)), content


def test_one_reading_of_the_layers_serves_both(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    image, blob = counted(stored_image(tmp_path, [FileEntry.of("lib/liba.so", RAW)]))
    index = file_index(image, store)
    assert set(index.files) == {"lib/liba.so"}
    assert set(libraries(image, store).files) == {"lib/liba.so"}
    assert blob.times == 1


@pytest.mark.parametrize("damage", [None, "", "[]", "{}", '{"format": 1, "files": 7}'])
def test_what_an_older_store_lacks_is_found_again(damage: str | None, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    image, blob = counted(stored_image(tmp_path, [FileEntry.of("lib/liba.so", RAW)]))
    before = libraries(image, store)
    (fact,) = (tmp_path / "store/facts/libraries").iterdir()
    if damage is None:
        fact.unlink()
    else:
        fact.write_text(damage)
    assert libraries(image, store) == before
    assert blob.times == 2
    assert libraries(image, store) == before
    assert blob.times == 2


def test_a_base_hands_out_its_libraries(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "base")
    layout.tag("1", make_image(layout, [[FileEntry.of("lib/liba.so", RAW)]]))
    request = BaseRequest(source=f"oci:{tmp_path}/base:1", platform=AMD64)
    base = find_base(request, store=Store(tmp_path / "store"))
    assert base.libraries.files == {"lib/liba.so": ELF}
    assert base.libraries is base.libraries


def test_a_layer_on_top_adds_hides_and_configures(tmp_path: Path) -> None:
    below = [FileEntry.of(f"lib/lib{name}.so.1", RAW) for name in "ab"]
    above: list[Entry] = [
        WhiteoutEntry(path="lib/liba.so.1"),
        FileEntry.of("usr/lib/libc.so.1", RAW),
        FileEntry.of("etc/ld.so.conf.d/more.conf", b"/opt/more\n"),
        FileEntry.of("etc/ld.so.cache", b"\0/opt/cached/libx.so.1\0\xff\n/opt/garbage\n"),
    ]
    base = found(tmp_path / "below", below)
    (layer,) = stored_image(tmp_path / "above", above).layers
    laid = libraries_with(base, layer)
    assert set(laid.files) == {"lib/libb.so.1", "usr/lib/libc.so.1"}
    assert laid.directories == ("opt/more", "opt/cached", *base.directories)
    whole = found(tmp_path / "whole", below, above)
    assert set(whole.files) == set(laid.files)


def test_facts_of_libraries_are_read_as_they_were_written(tmp_path: Path) -> None:
    before = found(tmp_path, [FileEntry.of("lib/liba.so", RAW)])
    assert libraries_from_fact(libraries_to_fact(before)) == before
