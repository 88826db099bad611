"""Other processes that use a store."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.cache import REPOSITORY

_USING = """
import sys
from pathlib import Path
from builder.store.layout import Store

def tell(event):
    print(event.text, flush=True)

store = Store(Path(sys.argv[1]), tell)
print("in", flush=True)
sys.stdin.read()
"""
_PRUNING = """
import sys
from pathlib import Path
from builder.store.presence import Presence

def tell(event):
    print(event.text, flush=True)

with Presence.of(Path(sys.argv[1])).alone(tell):
    print("in", flush=True)
    sys.stdin.read()
"""


class Building:
    """A process that is at work in a store until it is told to end, or killed."""

    code = _USING

    def __init__(self, root: Path, *, awaited: bool = True) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self.code, str(root)],
            cwd=REPOSITORY,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        if awaited:
            assert self.says() == "in"

    def says(self) -> str:
        """Its next line: what it waits for, or that it is in."""
        assert self.process.stdout
        return self.process.stdout.readline().strip()

    def end(self) -> None:
        """Let it end by itself."""
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def kill(self) -> None:
        """End it as ``kill -9`` does."""
        self.process.kill()
        self.process.communicate(timeout=60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


class Pruning(Building):
    """A process that is alone in a store, or waits to be."""

    code = _PRUNING
