"""Entries taken apart: what a layer holds itself, and what segments hold for it."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from layers.compress import Codec
from layers.entries import Entry, FileEntry, HardLinkEntry, SymlinkEntry
from layers.layer import Layer, write_layer
from layers.segment import write_segment
from layers.tar import complete


def apart(entries: Iterable[Entry], number: int) -> tuple[list[Entry], list[list[Entry]]]:
    """The frame, and ``number`` segments with every file and link that may be in one."""
    whole = complete(entries, {})
    linked = {entry.target for entry in whole if isinstance(entry, HardLinkEntry)}
    frame: list[Entry] = []
    groups: list[list[Entry]] = [[] for _ in range(number)]
    for index, entry in enumerate(whole):
        if isinstance(entry, FileEntry | SymlinkEntry) and entry.path not in linked:
            groups[index % number].append(entry)
        else:
            frame.append(entry)
    return frame, groups


def joined_layer(
    frame: Sequence[Entry], groups: Iterable[Sequence[Entry]], path: Path, codec: Codec
) -> Layer:
    """A layer of segments; those stand beside it."""
    segments = [
        write_segment(group, path.with_name(f"{path.name}.{index}"), codec=codec)
        for index, group in enumerate(groups)
    ]
    return write_layer(frame, path, codec=codec, known={}, segments=segments)
