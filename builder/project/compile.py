"""Bytecode for what is installed: ``layers.bytecode`` run by the target's interpreter."""

import json
import os
import posixpath
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import layers.bytecode
from builder.errors import InstallError
from builder.process import CommandRunner
from builder.target import Python
from layers.entries import DirEntry, Entry, FileEntry
from layers.tree import StableFile, walk

_JOBS_PER_PROCESS_AT_LEAST = 16


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

    def bytecode(self, entries: Iterable[Entry]) -> list[Entry]:
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
        jobs = [self._job(pyc, entry) for pyc, entry in sources.items()]
        self._compile([job for job in jobs if job])
        compiled: dict[str, Entry] = {}
        for pyc, source in sources.items():
            result = self._scratch / pyc
            if result.exists():
                directory = posixpath.dirname(pyc)
                if directory not in there:
                    compiled[directory] = DirEntry(path=directory, owner=source.owner)
                compiled |= {e.path: e for e in walk(result, at=pyc, owner=source.owner)}
        return list(compiled.values())

    def _pyc_path(self, path: str) -> str:
        directory, name = posixpath.split(path)
        return f"{directory}/__pycache__/{name.removesuffix('.py')}.{self._tag}.pyc"

    def _job(self, pyc: str, entry: FileEntry) -> str:
        if not isinstance(entry.content, StableFile):
            return ""  # made by the program, so it is no module
        return json.dumps([str(entry.content.path), f"/{entry.path}", str(self._scratch / pyc)])

    def _compile(self, jobs: list[str]) -> None:
        workers = min(len(os.sched_getaffinity(0)), len(jobs) // _JOBS_PER_PROCESS_AT_LEAST + 1)
        # Dealt out in turn, so that the large packages do not all fall to one process.
        shares = [jobs[start::workers] for start in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            for error in filter(None, pool.map(self._run_share, shares)):
                raise InstallError(f"compiling with {self._interpreter} failed:\n{error}")

    def _run_share(self, jobs: list[str]) -> str | None:
        argv = [str(self._interpreter), "-I", "-S", "-X", "utf8", layers.bytecode.__file__]
        done = self._run(argv, stdin="".join(f"{job}\n" for job in jobs))
        return done.last_words if done.code else None


def _is_importable(path: str) -> bool:
    """Of an environment only site-packages is imported from; its ``bin`` is run."""
    return path.endswith(".py") and ("/.venv/" not in path or "/site-packages/" in path)
