"""Bytecode for what is installed: ``layers.bytecode`` run by the target's interpreter."""

import json
import os
import posixpath
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import layers.bytecode
from builder.errors import InstallError
from builder.process import CommandRunner
from builder.target import Python
from layers.entries import DirEntry, Entry, FileEntry
from layers.tree import StableFile, walk


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """What compiling came to: entries for layers, and absolute in-image paths of no Python."""

    entries: tuple[Entry, ...]
    not_python: tuple[str, ...]


class Compiler:
    """Compiles with one interpreter, in as many processes as there are cores.

    Args:
        run: starts the interpreter.
        interpreter: of the target's minor version.
        python: the target's.
        scratch: a directory for results; they are read when the layer is packed.
    """

    def __init__(
        self, run: CommandRunner, *, interpreter: Path, python: Python, scratch: Path
    ) -> None:
        self._run = run
        self._interpreter = interpreter
        self._tag = f"cpython-{python.minor.replace('.', '')}"
        self._scratch = scratch

    def bytecode(self, entries: Iterable[Entry]) -> Bytecode:
        """A pyc for every Python file that has none yet, beside it in ``__pycache__``.

        Raises:
            InstallError: the interpreter failed.
        """
        entries = list(entries)
        there = {entry.path for entry in entries}
        sources = {
            pyc: entry
            for entry in entries
            if isinstance(entry, FileEntry) and _is_importable(entry.path)
            if (pyc := self._pyc_path(entry.path)) not in there
        }
        not_python = self._compile(_batches(sources, self._scratch))
        compiled: dict[str, Entry] = {}
        for pyc, source in sources.items():
            result = self._scratch / pyc
            if result.exists():
                directory = posixpath.dirname(pyc)
                if directory not in there:
                    compiled[directory] = DirEntry(path=directory, owner=source.owner)
                compiled |= {e.path: e for e in walk(result, at=pyc, owner=source.owner)}
        return Bytecode(entries=tuple(compiled.values()), not_python=tuple(sorted(not_python)))

    def _pyc_path(self, path: str) -> str:
        directory, name = posixpath.split(path)
        return f"{directory}/__pycache__/{name.removesuffix('.py')}.{self._tag}.pyc"

    def _compile(self, batches: list[str]) -> list[str]:
        workers = min(len(os.sched_getaffinity(0)), len(batches)) or 1
        # Dealt out in turn, so that the large packages do not all fall to one process.
        shares = [batches[start::workers] for start in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            return [path for found in pool.map(self._run_share, shares) for path in found]

    def _run_share(self, batches: list[str]) -> list[str]:
        argv = [str(self._interpreter), "-I", "-S", "-X", "utf8", layers.bytecode.__file__]
        done = self._run(argv, stdin="".join(f"{batch}\n" for batch in batches))
        if done.code:
            raise InstallError(f"compiling with {self._interpreter} failed:\n{done.last_words}")
        return [json.loads(line) for line in done.stdout.splitlines()]


def _batches(sources: Mapping[str, FileEntry], scratch: Path) -> list[str]:
    """What is compiled together: the modules of a package; a module that is in none, by itself.

    Neither of them changes when something else is installed.
    """
    batches: dict[str, list[tuple[str, str, str]]] = {}
    for pyc, entry in sorted(sources.items()):
        if isinstance(entry.content, StableFile):  # made by the program, it would be no module
            package = posixpath.dirname(entry.path)
            batch = entry.path if package.endswith("/site-packages") else package
            job = (str(entry.content.path), f"/{entry.path}", str(scratch / pyc))
            batches.setdefault(batch, []).append(job)
    return [json.dumps(batch) for batch in batches.values()]


def _is_importable(path: str) -> bool:
    """Of an environment only site-packages is imported from; its ``bin`` is run."""
    return path.endswith(".py") and ("/.venv/" not in path or "/site-packages/" in path)
