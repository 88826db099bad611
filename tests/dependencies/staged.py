"""Staged environments written by the tests themselves, and layers made of them."""

import os
import sys
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from builder.contents import Contents
from builder.dependencies.environment import Environment, read_environment
from builder.dependencies.layers import Order, make_layers
from builder.dependencies.segments import Packer
from builder.events import Event
from builder.process import Completed, run
from builder.project.compile import Compiler
from builder.rootfs.file_index import FileIndex
from builder.settings import LayerPolicy
from builder.store.layout import Store
from layers.compress import GZIP, Codec
from layers.layer import Layer
from layers.verify import read_members
from tests.dependencies.test_distribution import hashed
from tests.project.projects import MINOR, PLACE, PYTHON, write_tree

Wheels = Mapping[str, Mapping[str, bytes]]
"""Files by their paths in site-packages, by name and version: ``{"a-1.0": {"a.py": b""}}``."""

WHEELS: Wheels = {
    "alpha-1.0": {"alpha/__init__.py": b"A = 1\n", "alpha/data.bin": bytes(5000)},
    "beta-2.0": {"beta.py": b"B = 2\n", "space/beta.py": b"", "../../../bin/beta": b"#!/bin/x\n"},
    "gamma-3.0": {"space/gamma.py": b"C = 3\n", "gamma.pth": b"import gamma\n"},
    "large-4.0": {"large/__init__.py": b"", "large/lib.so": os.urandom(1024) * 2000},
}


def write_environment(venv: Path, wheels: Wheels) -> Path:
    """What uv leaves: files, their RECORDs, and the skeleton."""
    site = venv / f"lib/python{MINOR}/site-packages"
    write_tree(venv, {"pyvenv.cfg": "home = /here\n", "lib64/x": ""})
    for name, files in wheels.items():
        info = f"{name}.dist-info"
        rows = [f"{path},{hashed(data)},{len(data)}" for path, data in files.items()]
        record = "".join(f"{row}\n" for row in [*rows, f"{info}/RECORD,,"])
        write_tree(site, {**files, f"{info}/RECORD": record})
    return venv


@dataclass
class Recorder:
    """Runs commands, and knows what was compiled."""

    compiled: list[str] = field(default_factory=list)

    def __call__(
        self,
        argv: Iterable[str],
        *,
        cwd: Path | None = None,
        environ: Mapping[str, str | None] | None = None,
        stdin: str = "",
    ) -> Completed:
        self.compiled.append(stdin)
        return run(list(argv), cwd=cwd, environ=environ, stdin=stdin)


@dataclass
class Making:
    """One build's worth of dependency layers, made in a directory of its own."""

    directory: Path
    store: Store
    base: FileIndex = field(default_factory=FileIndex)
    codec: Codec = GZIP
    choice: LayerPolicy | tuple[tuple[str, ...], ...] = LayerPolicy.AUTO
    interpreter: str = "Python 3"
    recorder: Recorder = field(default_factory=Recorder)
    locked: Mapping[str, str] = field(default_factory=dict)
    finished: list[Layer] = field(default_factory=list)
    mended: list[Mapping[str, str]] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    @property
    def packer(self) -> Packer:
        return Packer(
            store=self.store,
            place=PLACE,
            base=self.base,
            compiler=Compiler(
                self.recorder,
                interpreter=Path(sys.executable),
                python=PYTHON,
                scratch=self.directory / "bytecode",
            ),
            interpreter=self.interpreter,
            codec=self.codec,
            events=self.events.append,
        )

    def environment(self, wheels: Wheels = WHEELS) -> Environment:
        with suppress(FileExistsError):
            write_environment(self.directory / "venv", wheels)
        return read_environment(self.packer, self.directory / "venv")

    def make(self, wheels: Wheels = WHEELS) -> Contents:
        environment = self.environment(wheels)
        order = Order(
            choice=self.choice,
            known={},
            mend=self.mended.append,
            finished=self.finished.append,
            locked=self.locked,
        )
        return make_layers(self.packer, environment, order)


def digests(contents: Contents) -> dict[str, str]:
    """Of each layer, by what it holds."""
    return {made.holds: str(made.layer.digest) for made in contents.layers}


def members(contents: Contents) -> dict[str, bytes | None]:
    """Every path of the layers, read back; None for what is no file."""
    found: dict[str, bytes | None] = {}
    for made in contents.layers:
        for info, stream in read_members(made.layer):
            found[info.name] = stream.read() if stream else None
    return found
