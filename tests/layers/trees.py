"""Directory trees to walk, and what a walk finds, in words."""

from pathlib import Path

from layers.entries import DirEntry, Entry, FileEntry, Owner, SymlinkEntry
from layers.tree import EVERYTHING, Rules, walk

APP = Owner(1001, 1001)


def shown(entry: Entry) -> str:
    match entry:
        case FileEntry():
            return f"{entry.path} {entry.mode:o} {entry.size}"
        case DirEntry():
            return f"{entry.path}/ {entry.mode:o}"
        case SymlinkEntry():
            return f"{entry.path} -> {entry.target}"
        case _:
            return f"? {entry}"


def listing(root: Path, rules: Rules = EVERYTHING) -> list[str]:
    return [shown(entry) for entry in walk(root, at="x", owner=APP, rules=rules)]


def make(root: Path, *paths: str) -> Path:
    for path in paths:
        place = root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.endswith("/"):
            place.mkdir(parents=True, exist_ok=True)
        else:
            place.write_text(path)
    return root
