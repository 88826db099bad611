import io
import json
import sys
from pathlib import Path
from typing import BinaryIO

import pytest

from builder.checks.inspect import (
    LARGE,
    inspect,
    inspected_from_fact,
    inspected_to_fact,
)
from builder.checks.leaks import clues
from builder.checks.subject import Clue, Inspected, Origin
from builder.errors import ContentError
from builder.settings import LEAST_FILE_SIZE
from layers.entries import (
    BytesContent,
    Content,
    DirEntry,
    Entry,
    FileContent,
    FileEntry,
    HardLinkEntry,
    SymlinkEntry,
    WhiteoutEntry,
)
from tests.checks.leaks.secret_samples import GITHUB, PEM

PROGRAM = Path(sys.executable).resolve()
TOKEN = f'KEY = "{GITHUB}"\n'.encode()
FOUND = Clue(kind="GitHub token", line=1)


class Pipe(io.RawIOBase):
    """What a tar that comes from a pipe gives of a file: it cannot go back."""

    def __init__(self, data: bytes) -> None:
        self._rest = io.BytesIO(data)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview, /) -> int:  # type: ignore[override]
        return self._rest.readinto(buffer)


class Piped(BytesContent):
    def open(self) -> BinaryIO:
        return io.BufferedReader(Pipe(self.data))


class Closed:
    def open(self) -> BinaryIO:
        raise AssertionError("this file need not be opened")


def look(*entries: Entry, origin: Origin = Origin.PROJECT) -> Inspected:
    return inspect(entries, origin=origin)


def file(path: str, content: Content, size: int = 1, mode: int = 0o644) -> FileEntry:
    return FileEntry(path=path, content=content, size=size, mode=mode)


def test_a_library_is_read() -> None:
    found = look(
        file("app/a", FileContent(PROGRAM), PROGRAM.stat().st_size), origin=Origin.DISTRIBUTION
    )
    elf = found.files["app/a"].elf
    assert elf is not None
    assert elf.bits == 64
    assert any(name.startswith("libc.") for name in elf.needed)


def test_a_library_is_read_from_a_stream_that_cannot_go_back() -> None:
    data = PROGRAM.read_bytes()
    direct = look(FileEntry.of("app/a", data))
    assert direct.files["app/a"].elf is not None
    assert look(file("app/a", Piped(data), len(data))) == direct


def test_only_what_is_noteworthy_is_kept() -> None:
    found = look(
        FileEntry.of("app/plain.py", b"x = 1\n"),
        FileEntry.of("app/empty", b""),
        FileEntry.of("app/open", b"x", mode=0o666),
        FileEntry.of("app/suid", b"x", mode=0o4755),
        FileEntry.of("app/sgid", b"x", mode=0o2755),
        FileEntry.of("app/main.py.swp", b"x"),
        FileEntry.of("app/token.py", TOKEN),
        file("app/large", BytesContent(b"x"), LEAST_FILE_SIZE + 1),
        file("app/not-large", BytesContent(b"x"), LEAST_FILE_SIZE),
        DirEntry(path="app"),
        WhiteoutEntry(path="app/gone"),
    )
    assert set(found.files) == {
        f"app/{name}" for name in ("open", "suid", "sgid", "main.py.swp", "token.py", "large")
    }
    assert found.files["app/token.py"].clues == (FOUND,)
    assert found.files["app/suid"].mode == 0o4755
    assert found.files["app/large"].size == LEAST_FILE_SIZE + 1


def test_large_files_of_others_are_kept() -> None:
    large, other = (file(f"app/{size}", BytesContent(b"x"), size) for size in (LARGE + 1, LARGE))
    assert set(look(large, other, origin=Origin.SYSTEM).files) == {large.path}


def test_a_directory_of_junk_is_told_by_one_file() -> None:
    paths = [f"app/src/.git/{name}" for name in ("HEAD", "config", "objects/ab/cd")]
    assert list(look(*(FileEntry.of(path, b"x") for path in paths)).files) == paths[:1]


def test_junk_of_others_is_not_kept() -> None:
    entries = [FileEntry.of(path, b"x") for path in ("app/.DS_Store", "app/a~", "app/.env")]
    assert look(*entries, origin=Origin.DISTRIBUTION).files == {}


def test_links_that_a_loader_may_follow_are_kept() -> None:
    found = look(
        SymlinkEntry(path="app/lib/libpq.so.5", target="libpq.so.5.16"),
        SymlinkEntry(path="app/bin/python", target="/usr/bin/python3"),
    )
    assert found.links == {"app/lib/libpq.so.5": "libpq.so.5.16"}


def test_every_name_of_a_file_is_told() -> None:
    found = look(
        FileEntry.of("app/a.py", TOKEN),
        HardLinkEntry(path="app/b.py", target="app/a.py"),
        HardLinkEntry(path="app/d.py", target="app/c.py"),
    )
    assert found.files["app/b.py"] == found.files["app/a.py"]
    assert set(found.files) == {"app/a.py", "app/b.py"}


def test_files_that_cannot_tell_anything_are_not_opened() -> None:
    assert look(file("app/a.pyc", Closed())).files == {}
    assert look(file("app/a.py", Closed(), size=0)).files == {}
    assert look(file("app/a.hpp", Closed()), origin=Origin.DISTRIBUTION).files == {}
    with pytest.raises(AssertionError):
        look(file("app/a.hpp", Closed()))


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match=r"cannot read app/a: No such file"):
        look(file("app/a", FileContent(tmp_path / "gone")))


def test_binary_files_of_the_project_are_searched_for_what_is_sure() -> None:
    entry = FileEntry.of("app/a.sqlite", b"\0\1\2" + TOKEN)
    assert look(entry).files["app/a.sqlite"].clues == (FOUND,)
    assert look(entry, origin=Origin.DISTRIBUTION).files == {}
    assert look(FileEntry.of("app/a", b"\0\1 redis://:k39sLq0aaZ81x@a.net/")).files == {}


def test_programs_of_the_project_are_searched() -> None:
    data = PROGRAM.read_bytes() + b"\0" + TOKEN
    kinds = [clue.kind for clue in look(FileEntry.of("app/a", data)).files["app/a"].clues]
    assert kinds == [FOUND.kind]
    assert look(file("app/a", Piped(data), len(data))) == look(FileEntry.of("app/a", data))


def test_what_an_older_search_kept_is_refused() -> None:
    fact = inspected_to_fact(look(FileEntry.of("app/a.py", TOKEN)))
    with pytest.raises(ValueError, match="looked at for format 1"):
        inspected_from_fact({**fact, "format": 1})


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-8-sig"])
def test_text_that_windows_wrote_is_searched(encoding: str) -> None:
    data = TOKEN.decode().encode(encoding)
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    assert look(FileEntry.of("app/a", mark + data)).files["app/a"].clues == (FOUND,)


@pytest.mark.parametrize("before", [0, 1, 65_530, 65_536, 100_000, 131_071])
def test_what_lies_across_two_blocks_is_found_once(
    before: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clues, "_BLOCK", 1 << 16)
    data = b"\n" * before + PEM + b"\n" * 200_000
    found = look(FileEntry.of("app/a", data)).files["app/a"].clues
    assert found == (Clue(kind="private key", line=before + 1),)


@pytest.mark.parametrize("origin", [Origin.PROJECT, Origin.DISTRIBUTION])
def test_no_file_is_searched_for_ever(origin: Origin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clues, "_BLOCK", 1 << 16)
    monkeypatch.setattr(clues, "PROJECT_LIMIT", 1 << 18)
    monkeypatch.setattr(clues, "LIMIT", 1 << 17)
    limit = 1 << 18 if origin is Origin.PROJECT else 1 << 17
    early = FileEntry.of("app/a", b"\n" * (limit - 100) + TOKEN)
    late = FileEntry.of("app/b", b"\n" * (limit + 65_536) + TOKEN)
    found = look(early, late, origin=origin).files
    assert [path for path, facts in found.items() if facts.clues] == ["app/a"]


def test_a_store_gives_back_what_it_was_given() -> None:
    found = inspect(
        [
            FileEntry.of("app/a", PROGRAM.read_bytes(), mode=0o755),
            FileEntry.of("app/b.py", TOKEN * 3),
            FileEntry.of("app/c", b"x", mode=0o777),
            FileEntry.of("app/\udcff~", b"x"),
            SymlinkEntry(path="app/lib.so", target="\udcff.so"),
        ],
        origin=Origin.PROJECT,
        layer="project",
        distribution="demo 1.0",
    )
    assert len(found.files) == 4
    kept = json.loads(json.dumps(inspected_to_fact(found)))
    assert inspected_from_fact(kept) == found


@pytest.mark.parametrize(
    "fact", [{}, {"origin": "nobody"}, {"origin": "project", "layer": "", "files": []}]
)
def test_what_was_kept_by_others_is_refused(fact: dict[str, object]) -> None:
    with pytest.raises((LookupError, TypeError, ValueError, AttributeError)):
        inspected_from_fact(fact)
