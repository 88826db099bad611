import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from layers.entries import DirEntry, Entry, FileEntry, HardLinkEntry, SymlinkEntry
from layers.errors import ContentError
from layers.tree import fingerprint, walk
from tests.layers.trees import make


def identity(root: Path) -> str:
    return str(fingerprint(walk(root, at="x")))


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    make(tmp_path, "tree/a/file", "tree/run", "tree/empty/")
    tmp_path.joinpath("tree/link").symlink_to("run")
    return tmp_path / "tree"


def point(link: Path, target: str) -> None:
    link.unlink()
    link.symlink_to(target)


def write_anew(path: Path, text: str) -> None:
    path.unlink()
    path.write_text(text)


def come_and_go(path: Path) -> None:
    path.write_text("")
    path.unlink()


MATTERS: dict[str, Callable[[Path], object]] = {
    "content": lambda tree: (tree / "run").write_text("RUN"),
    "executable bit": lambda tree: (tree / "run").chmod(0o755),
    "name": lambda tree: (tree / "run").rename(tree / "ran"),
    "place": lambda tree: (tree / "run").rename(tree / "a" / "run"),
    "target": lambda tree: point(tree / "link", "a"),
    "file for link": lambda tree: write_anew(tree / "link", "run"),
    "one more file": lambda tree: (tree / "more").write_text(""),
    "one more directory": lambda tree: (tree / "more").mkdir(),
    "no empty directory": lambda tree: (tree / "empty").rmdir(),
}

DOES_NOT: dict[str, Callable[[Path], object]] = {
    "mtime": lambda tree: os.utime(tree / "run", (1, 1)),
    "other mode bits": lambda tree: (tree / "run").chmod(0o4606),
    "directory mode": lambda tree: (tree / "a").chmod(0o700),
    "inode": lambda tree: write_anew(tree / "run", "tree/run"),
    "hard link": lambda tree: (tree.parent / "other").hardlink_to(tree / "run"),
    "directory mtime": lambda tree: os.utime(tree / "a", (1, 1)),
    "a file that came and went": lambda tree: come_and_go(tree / "0"),
}


@pytest.mark.parametrize("what", MATTERS)
def test_a_fingerprint_changes_with_what_an_image_would_hold(what: str, tree: Path) -> None:
    before = identity(tree)
    MATTERS[what](tree)
    assert identity(tree) != before


@pytest.mark.parametrize("what", DOES_NOT)
def test_a_fingerprint_changes_with_nothing_else(what: str, tree: Path) -> None:
    before = identity(tree)
    DOES_NOT[what](tree)
    assert identity(tree) == before


def test_a_fingerprint_does_not_depend_on_where_the_tree_is(tree: Path) -> None:
    before = identity(tree)
    assert identity(tree.rename(tree.with_name("elsewhere"))) == before


def test_a_fingerprint_has_always_been_this_one(tree: Path) -> None:
    assert identity(tree) == (
        "sha256:6e07f32a211c3cf7d01cba44a679360a661bb219afdf5dfc6b1573e0e0a584f7"
    )


ODD = st.text(st.sampled_from("a\n>- /\udcff"), min_size=1, max_size=6)
LINKS = st.dictionaries(ODD.map(lambda name: name.replace("/", "")).filter(bool), ODD, max_size=3)


@given(LINKS, LINKS)
def test_two_trees_never_have_one_fingerprint(one: dict[str, str], two: dict[str, str]) -> None:
    def entries(links: dict[str, str]) -> list[Entry]:
        return [SymlinkEntry(path=path, target=f"/{links[path]}") for path in sorted(links)]

    assert (fingerprint(entries(one)) == fingerprint(entries(two))) == (one == two)


def test_a_hard_link_is_no_file_of_its_own() -> None:
    file = FileEntry.of("a", b"x")
    link = HardLinkEntry(path="b", target="a")
    prints = {
        fingerprint([file, link]),
        fingerprint([file, replace(link, target="Z")]),
        fingerprint([file, FileEntry.of("b", b"x")]),
        fingerprint([file, SymlinkEntry(path="b", target="a")]),
    }
    assert len(prints) == 4


def test_a_newline_in_a_target_is_no_end() -> None:
    one: list[Entry] = [SymlinkEntry(path="a", target="s\nb"), DirEntry(path="c")]
    two: list[Entry] = [SymlinkEntry(path="a", target="s"), DirEntry(path="b\nc")]
    assert fingerprint(one) != fingerprint(two)


def test_a_changed_file_has_no_fingerprint(tree: Path) -> None:
    entries = walk(tree, at="x")
    (tree / "run").write_text("something longer")
    with pytest.raises(ContentError) as caught:
        fingerprint(entries)
    assert caught.value.message == f"{tree}/run changed while it was read"
