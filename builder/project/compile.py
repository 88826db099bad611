"""Bytecode for what is installed: ``layers.bytecode`` run by the target's interpreter."""

import posixpath
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InstallError
from builder.parallel import cores
from builder.process import CommandRunner
from builder.target import Python
from layers import bytecode
from layers.entries import DirEntry, Entry, FileEntry
from layers.tree import StableFile, walk

_TEST_MODULES = ("test_", "conftest.")
"""How pytest knows a test's module; others in a directory of tests may be imported by anybody."""

_BATCH_BYTES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bytecode:
    """What compiling came to.

    Attributes:
        files: the pyc for each source, by the source's path.
        not_python: absolute in-image paths of what is no Python.
    """

    files: Mapping[str, FileEntry]
    not_python: tuple[str, ...]

    @property
    def entries(self) -> list[Entry]:
        """The files, and the directories that they are in."""
        directories = {posixpath.dirname(pyc.path): pyc.owner for pyc in self.files.values()}
        return [
            *(DirEntry(path=path, owner=owner) for path, owner in directories.items()),
            *self.files.values(),
        ]


class Compiler:
    """Compiles with one interpreter.

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

    def bytecode(self, *groups: Iterable[Entry], processes: int | None = None) -> Bytecode:
        """A pyc for every Python file that has none yet, beside it in ``__pycache__``.

        Not for tests: nothing that runs imports them, and in scientific packages they are more
        than half of all Python.

        Args:
            groups: files on this machine; the bytecode of each rests on its group alone.
            processes: how many compile at a time; one for each core when None.

        Raises:
            InstallError: the interpreter failed.
        """
        sources: dict[str, FileEntry] = {}
        batches: list[str] = []
        for group in groups:
            found = self._sources(list(group))
            sources |= found
            batches += _batches(found, self._scratch)
        not_python = self._compile(batches, processes or cores())
        compiled: dict[str, FileEntry] = {}
        for pyc, source in sources.items():
            result = self._scratch / pyc
            if result.exists():
                (entry,) = walk(result, at=pyc, owner=source.owner)
                if isinstance(entry, FileEntry):
                    compiled[source.path] = entry
        return Bytecode(files=compiled, not_python=tuple(sorted(not_python)))

    def _sources(self, entries: Sequence[Entry]) -> dict[str, FileEntry]:
        """What has to be compiled, by the path of its pyc."""
        there = {entry.path for entry in entries}
        return {
            pyc: entry
            for entry in entries
            if isinstance(entry, FileEntry) and _is_imported(entry.path)
            if (pyc := self._pyc_path(entry.path)) not in there
        }

    def _pyc_path(self, path: str) -> str:
        directory, name = posixpath.split(path)
        return f"{directory}/__pycache__/{name.removesuffix('.py')}.{self._tag}.pyc"

    def _compile(self, batches: list[str], processes: int) -> list[str]:
        workers = min(processes, len(batches))
        if workers <= 1:
            return self._run_share(batches) if batches else []
        # Dealt out in turn, so that the large packages do not all fall to one process.
        shares = [batches[start::workers] for start in range(workers)]
        with ThreadPoolExecutor(workers) as pool:
            return [path for found in pool.map(self._run_share, shares) for path in found]

    def _run_share(self, batches: list[str]) -> list[str]:
        argv = [str(self._interpreter), "-I", "-S", "-Wignore", "-Xutf8", bytecode.__file__]
        done = self._run(argv, stdin="".join(f"{batch}\n" for batch in batches))
        if done.code:
            raise InstallError(f"compiling with {self._interpreter} failed:\n{done.last_words}")
        return [bytecode.from_line(line)[0] for line in done.stdout.splitlines()]


def _batches(sources: Mapping[str, FileEntry], scratch: Path) -> list[str]:
    """What is compiled by one process that has compiled nothing else.

    Of a bounded size, for the sake of its memory; not smaller, as every process has to ask the
    kernel for all of its memory anew, which took a third of the time.
    """
    batches: list[list[str]] = []
    room = 0
    for pyc, entry in sorted(sources.items(), key=lambda source: source[1].path):
        if isinstance(entry.content, StableFile):  # made by the program, it would be no module
            if not batches or room < entry.size:
                batches.append([])
                room = _BATCH_BYTES
            batches[-1].extend((entry.content.path, f"/{entry.path}", str(scratch / pyc)))
            room -= entry.size
    return list(map(bytecode.to_line, batches))


def _is_imported(path: str) -> bool:
    """Of an environment only site-packages is imported from; its ``bin`` is run."""
    if not path.endswith(".py") or ("/.venv/" in path and "/site-packages/" not in path):
        return False
    return not ("/tests/" in path and posixpath.basename(path).startswith(_TEST_MODULES))
