"""Tiny programs and libraries, made by the C compiler of this machine."""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

needs_gcc = pytest.mark.skipif(shutil.which("gcc") is None, reason="no C compiler on this machine")


def compile_library(
    path: Path, *options: str, source: str = "", needs: Sequence[Path] = ()
) -> Path:
    """Make a shared library; what it needs is asked for by soname, and not looked for.

    Args:
        path: of the file; its soname is the file's name unless the options say otherwise.
        options: of the compiler.
        source: in C.
        needs: libraries that it is linked with.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    soname = [] if any("-soname" in option for option in options) else [f"-Wl,-soname,{path.name}"]
    _compile(path, "-shared", "-fPIC", *soname, *options, source=source, needs=needs)
    return path


def compile_program(
    path: Path, *options: str, source: str = "", needs: Sequence[Path] = ()
) -> Path:
    """Make a program; arguments are those of ``compile_library``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _compile(path, *options, source=source or "int main(void) { return 0; }", needs=needs)
    return path


def _compile(path: Path, *options: str, source: str, needs: Sequence[Path]) -> None:
    command = ["gcc", "-x", "c", "-o", str(path), *options, "-"]
    libraries = ["-x", "none", "-Wl,--no-as-needed", "-Wl,--unresolved-symbols=ignore-all"]
    libraries += ["-Wl,--allow-shlib-undefined", *map(str, needs)]
    done = subprocess.run(
        [*command, *libraries], input=source, text=True, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
