import os
from pathlib import Path

from layers.ignore import IgnoreRules
from layers.tree import Rules
from tests.layers.trees import listing, make
from tests.nobody import as_nobody


def test_ignored_files_stay_out_and_empty_directories_in(tmp_path: Path) -> None:
    make(tmp_path, "a/b.pyc", "a/c.py", "only/b.pyc")
    assert listing(tmp_path, IgnoreRules.parse("**/*.pyc")) == [
        "x/ 755",
        "x/a/ 755",
        "x/a/c.py 644 6",
        "x/only/ 755",
    ]


def test_an_ignored_directory_stands_when_something_below_it_comes_in(tmp_path: Path) -> None:
    make(tmp_path, "docs/api/index.md", "docs/api/draft.md", "docs/index.md", "docs/empty/")
    assert listing(tmp_path, IgnoreRules.parse("docs\n!docs/api/index.md")) == [
        "x/ 755",
        "x/docs/ 755",
        "x/docs/api/ 755",
        "x/docs/api/index.md 644 17",
    ]


def test_an_ignored_directory_with_nothing_left_is_gone(tmp_path: Path) -> None:
    make(tmp_path, "docs/api/draft.md")
    assert listing(tmp_path, IgnoreRules.parse("docs\n!docs/api/index.md")) == ["x/ 755"]


def test_what_nothing_can_come_in_from_is_not_read(tmp_path: Path) -> None:
    make(tmp_path, "node_modules/a/b", "main.py")
    os.mkfifo(tmp_path / "node_modules" / "pipe")
    (tmp_path / "node_modules").chmod(0)
    with as_nobody(tmp_path):
        found = listing(tmp_path, IgnoreRules.parse("node_modules"))
    assert found == ["x/ 755", "x/main.py 644 7"]


class Recorder:
    def __init__(self, rules: Rules) -> None:
        self._rules = rules
        self.asked: list[str] = []

    def ignores(self, path: str, /) -> bool:
        self.asked.append(path)
        return self._rules.ignores(path)

    def prunes(self, directory: str, /) -> bool:
        return self._rules.prunes(directory)


def test_rules_are_asked_with_paths_below_the_root(tmp_path: Path) -> None:
    recorder = Recorder(IgnoreRules.parse(".git"))
    listing(make(tmp_path, "a/b", ".git/objects/pack", "c"), recorder)
    assert recorder.asked == [".git", "a", "a/b", "c"]
