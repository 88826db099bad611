"""A CPython with next to no standard library, laid out as a real one, for tests that make many."""

import platform
import shutil
from collections.abc import Sequence
from pathlib import Path

from builder.base.interpreter import CPython
from builder.oci.platform import Platform
from tests.interpreter import cpython

MANAGED = f"cpython-3.12.1-linux-{platform.machine()}-gnu"
"""What uv calls such a one in its own directory."""


def small_cpython(prefix: Path, modules: Sequence[str] = ("math",)) -> CPython:
    """Its settings and extension modules are real.

    What compiles must run with the real library, and from its own place: so the program is a
    script that starts the real one.
    """
    library = prefix / "lib/python3.12"
    (library / "lib-dynload").mkdir(parents=True)
    (prefix / "bin").mkdir()
    program = prefix / "bin/python3.12"
    program.write_text(f'#!/bin/sh\nexec "{cpython() / "bin/python3.12"}" "$@"\n')
    program.chmod(0o755)
    (library / "os.py").write_text("sep = '/'\n")
    real = cpython() / "lib/python3.12"
    for path in real.glob("_sysconfigdata*.py"):
        told = path.read_text().replace(str(cpython()), str(prefix))
        (library / path.name).write_text(told)
    for name in modules:
        [module] = (real / "lib-dynload").glob(f"{name}.*.so")
        shutil.copy(module, library / "lib-dynload")
    return CPython(prefix=prefix, version="3.12.1", platform=Platform.host())
