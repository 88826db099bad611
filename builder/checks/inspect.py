"""Looking at files once: what of each a check must know later, small enough to be kept."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from builder.checks.leaks.junk_names import junk_of
from builder.checks.subject import Clue, FileFacts, Inspected, Origin
from builder.elf import MAGIC, elf_from_fact, elf_to_fact, read_elf
from builder.settings import LEAST_FILE_SIZE
from layers.entries import FileEntry, HardLinkEntry, SymlinkEntry
from layers.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from layers.entries import Entry

FORMAT = 2
"""One more whenever something else is looked for, so that what a store keeps is made anew."""

LARGE = 10 << 20
"""Bytes; larger files are noted, whatever they are; of the project from where settings may bind."""

_ODD_MODES = 0o6002  # setuid, setgid, writable by everybody
_HEAD = 1024
_IN_MEMORY = 8 << 20
_BYTECODE = ".pyc"


def inspect(
    entries: Iterable[Entry], *, origin: Origin, layer: str = "", distribution: str = ""
) -> Inspected:
    """Look at files.

    Args:
        entries: of one origin.
        origin: who answers for them.
        layer: its name in the plan, or its digest in an image that others built.
        distribution: ``numpy 2.3.1``; empty for none.

    Returns:
        Files that a check may have something to say on, and links that a loader may follow.

    Raises:
        ContentError: a file cannot be read.
    """
    files: dict[str, FileFacts] = {}
    links: dict[str, str] = {}
    junk: set[str] = set()
    names: list[HardLinkEntry] = []
    for entry in entries:
        if isinstance(entry, FileEntry):
            facts = _facts(entry, origin)
            if (
                _is_noteworthy(facts, origin)
                or _is_startable(entry.path, facts, origin)
                or _is_new_junk(entry.path, origin, junk)
            ):
                files[entry.path] = facts
        elif isinstance(entry, SymlinkEntry) and ".so" in entry.path:
            links[entry.path] = entry.target
        elif isinstance(entry, HardLinkEntry):
            names.append(entry)
    files |= {name.path: files[name.target] for name in names if name.target in files}
    return Inspected(
        origin=origin, layer=layer, distribution=distribution, files=files, links=links
    )


def _is_noteworthy(facts: FileFacts, origin: Origin) -> bool:
    most = LEAST_FILE_SIZE if origin is Origin.PROJECT else LARGE
    is_odd = facts.mode & _ODD_MODES or facts.size > most
    return bool(facts.elf or facts.clues or facts.damage or is_odd)


def _is_startable(path: str, facts: FileFacts, origin: Origin) -> bool:
    """Whether it is likely that a command starts it."""
    if origin is not Origin.PROJECT:
        return bool(facts.script) and path.split("/")[-2:-1] == ["bin"]
    return bool(facts.script) or path.endswith(".sh")


def _is_new_junk(path: str, origin: Origin, seen: set[str]) -> bool:
    """Whether it is junk of which no other file was seen: one tells of a whole directory."""
    found = junk_of(path) if origin is Origin.PROJECT else None
    if found is None or found.root in seen:
        return False
    seen.add(found.root)
    return True


def _facts(entry: FileEntry, origin: Origin) -> FileFacts:
    # An unchanged build reads what an earlier one kept, and need not compile expressions for it.
    from builder.checks.leaks.clues import clues_of_name, clues_of_text, is_skipped  # noqa: PLC0415
    from builder.checks.native.damage import damage_of  # noqa: PLC0415
    from builder.checks.start.shebang import script_of  # noqa: PLC0415

    elf, head, clues = None, b"", clues_of_name(entry.path, entry.size, origin)
    if entry.size and not entry.path.endswith(_BYTECODE) and not is_skipped(entry.path, origin):
        try:
            with entry.content.open() as stream:
                head = stream.read(_HEAD)
                if head.startswith(MAGIC):
                    with _seekable(stream, head) as whole:
                        elf = read_elf(whole)
                        if origin is Origin.PROJECT:
                            whole.seek(_HEAD)
                            clues += clues_of_text(entry.path, head, whole, origin)
                else:
                    clues += clues_of_text(entry.path, head, stream, origin)
        except OSError as error:
            raise ContentError(f"cannot read {entry.path}: {error.strerror or error}") from error
    return FileFacts(
        mode=entry.mode,
        size=entry.size,
        elf=elf,
        clues=clues,
        script=script_of(head),
        damage="" if elf else damage_of(entry.path, head, origin),
    )


@contextmanager
def _seekable(stream: BinaryIO, head: bytes) -> Iterator[BinaryIO]:
    """A file that can be read at both ends, as an ELF file's headers lie there.

    Layers of other builders come as streams of a tar.
    """
    if stream.seekable():
        yield stream
        return
    with tempfile.SpooledTemporaryFile(_IN_MEMORY) as whole:
        whole.write(head)
        shutil.copyfileobj(stream, whole, 1 << 20)
        yield cast("BinaryIO", whole)


def inspected_to_fact(inspected: Inspected) -> dict[str, object]:
    """What a store keeps of it."""
    return {
        "format": FORMAT,
        "origin": str(inspected.origin),
        "layer": inspected.layer,
        "distribution": inspected.distribution,
        "files": {path: _to_fact(facts) for path, facts in inspected.files.items()},
        "links": dict(inspected.links),
    }


def inspected_from_fact(fact: Mapping[str, Any]) -> Inspected:
    """What ``inspected_to_fact`` wrote.

    Raises:
        LookupError, TypeError, ValueError, AttributeError: it did not write this, or when it
            looked for less than now.
    """
    if fact["format"] != FORMAT:
        raise ValueError(f"looked at for format {fact['format']}, not {FORMAT}")
    return Inspected(
        origin=Origin(fact["origin"]),
        layer=str(fact["layer"]),
        distribution=str(fact["distribution"]),
        files={path: _from_fact(facts) for path, facts in fact["files"].items()},
        links={path: str(target) for path, target in fact["links"].items()},
    )


def _to_fact(facts: FileFacts) -> dict[str, object]:
    return {
        "mode": facts.mode,
        "size": facts.size,
        **({"elf": elf_to_fact(facts.elf)} if facts.elf else {}),
        **({"clues": [[clue.kind, clue.line] for clue in facts.clues]} if facts.clues else {}),
        **({"script": facts.script} if facts.script else {}),
        **({"damage": facts.damage} if facts.damage else {}),
    }


def _from_fact(fact: Mapping[str, Any]) -> FileFacts:
    return FileFacts(
        mode=int(fact["mode"]),
        size=int(fact["size"]),
        elf=elf_from_fact(fact["elf"]) if "elf" in fact else None,
        clues=tuple(Clue(kind=str(kind), line=int(line)) for kind, line in fact.get("clues", ())),
        script=str(fact.get("script", "")),
        damage=str(fact.get("damage", "")),
    )
