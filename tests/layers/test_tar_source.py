import errno
import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Self, cast

import pytest

from layers.digest import CHUNK
from layers.entries import (
    FileContent,
    FileEntry,
)
from layers.errors import ContentError
from layers.tar import write_tar
from layers.tree import walk


class Writing:
    """A sink that does something to the source whenever a chunk of its content came by."""

    def __init__(self, meanwhile: Callable[[], object]) -> None:
        self._meanwhile = meanwhile
        self.size = 0

    def write(self, data: bytes) -> None:
        self.size += len(data)
        if len(data) == CHUNK:
            self._meanwhile()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """A file of some chunks that was written long ago."""
    path = tmp_path / "source.bin"
    path.write_bytes(b"x" * 3 * CHUNK)
    os.utime(path, (1, 1))
    return path


def append(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b"x")


CHANGES: dict[str, Callable[[Path], object]] = {
    "grows": append,
    "shrinks": lambda path: os.truncate(path, 2 * CHUNK + 10),
    "is emptied": lambda path: os.truncate(path, 0),
    "is rewritten": lambda path: path.write_bytes(b"y" * 3 * CHUNK),
    "is touched": Path.touch,
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("moment", ["before it is read", "while it is read"])
def test_a_file_of_a_tree_that_changes_is_refused(change: str, moment: str, source: Path) -> None:
    [entry] = walk(source, at="app/data")
    if moment == "before it is read":
        CHANGES[change](source)
    with pytest.raises(ContentError) as caught:
        write_tar([entry], Writing(lambda: CHANGES[change](source)))
    if change == "grows" and moment == "while it is read":
        assert caught.value.message == (
            "/app/data: its source changed while it was read (expected 3145728 bytes, got more)"
        )
    else:
        assert caught.value.message == f"{source} changed while it was read"
    assert caught.value.hint == "build again when nothing writes into the project"


def test_a_file_that_is_replaced_while_it_is_read_is_read_as_it_was(source: Path) -> None:
    [entry] = walk(source, at="app/data")
    sink = Writing(lambda: source.unlink(missing_ok=True))
    write_tar([entry], sink)
    assert sink.size == 512 + 3 * CHUNK + 1024


def refuse_when(source: Path, replace: Callable[[], object]) -> str:
    [entry] = walk(source, at="app/data")
    source.unlink()
    replace()
    with pytest.raises(ContentError) as caught:
        write_tar([entry], io.BytesIO())
    return caught.value.message


def test_a_file_that_is_another_when_it_is_read_is_refused(source: Path) -> None:
    reading = f"/app/data: reading {source}: "
    assert refuse_when(source, lambda: None) == f"{reading}No such file or directory"
    source.write_bytes(b"x")
    message = refuse_when(source, lambda: source.symlink_to("/etc/passwd"))
    assert message == f"{reading}Too many levels of symbolic links"
    source.unlink()
    source.write_bytes(b"x")
    message = refuse_when(source, lambda: os.mkfifo(source))
    assert message == f"{source} changed while it was read"
    source.unlink()
    source.write_bytes(b"x")
    assert refuse_when(source, source.mkdir) == f"{reading}Is a directory"


@pytest.mark.parametrize(("size", "got"), [(3, "more"), (7, "5")])
def test_content_of_another_size_than_its_entry_says_is_refused(
    size: int, got: str, tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    entry = FileEntry(path="a", content=FileContent(path), size=size)
    with pytest.raises(ContentError) as caught:
        write_tar([entry], io.BytesIO())
    assert caught.value.message == (
        f"/a: its source changed while it was read (expected {size} bytes, got {got})"
    )
    assert caught.value.hint == "build again when nothing writes into the project"


class BrokenDisk:
    """Content that fails as a disk does: an error without a name."""

    def open(self) -> BinaryIO:
        return cast("BinaryIO", self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def read(self, _: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))


def test_a_read_error_names_the_path_in_the_image() -> None:
    entry = FileEntry(path="a", content=BrokenDisk(), size=1)
    with pytest.raises(ContentError) as caught:
        write_tar([entry], io.BytesIO())
    assert caught.value.message == "/a: reading its source: Input/output error"
