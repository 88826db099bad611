"""Small native wheels: real extension modules for CPython 3.12, linked with whatever is asked.

A library that this machine need not have is stood in for by a stub, as linkers take them: a name,
its symbols and their versions.  The C library is such a stub too, so a module can need one that
nobody has yet.
"""

import platform
import struct
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.interpreter import cpython
from tests.wheels import write_wheel

MACHINE = platform.machine()
OTHER_MACHINE = {"x86_64": "aarch64", "aarch64": "x86_64"}[MACHINE]
SUFFIX = f".cpython-312-{MACHINE}-linux-gnu.so"
TAG = f"cp312-cp312-manylinux_2_17_{MACHINE}"
RUNS = 42
"""What ``value()`` of each module returns."""

_E_MACHINE = {"x86_64": 62, "aarch64": 183}
_E_MACHINE_AT = 18
_MODULE = """
#include <Python.h>
%(declarations)s
__attribute__((used)) static void *linked[] = {%(addresses)s};
static PyObject *value(PyObject *self, PyObject *none) { return PyLong_FromLong(%(runs)d); }
static PyMethodDef methods[] = {{"value", value, METH_NOARGS, ""}, {0}};
static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "%(name)s", 0, -1, methods};
PyMODINIT_FUNC PyInit_%(name)s(void) { return PyModule_Create(&module); }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stub:
    """A shared library that only has what a linker asks for.

    Attributes:
        soname: its name.
        symbol: of the function that it has.
        version: of that symbol; empty for none.
    """

    soname: str
    symbol: str
    version: str = ""


def library(stub: Stub, scratch: Path) -> Path:
    """Compile a stub; it can be loaded too, and its function returns zero."""
    scratch.mkdir(parents=True, exist_ok=True)
    built = scratch / stub.soname
    source = f"int {stub.symbol}(void) {{ return 0; }}\n"
    versions = []
    if stub.version:
        script = scratch / f"{stub.soname}.map"
        script.write_text(f"{stub.version} {{ global: {stub.symbol}; local: *; }};\n")
        versions = [f"-Wl,--version-script={script}"]
    _compile(source, built, f"-Wl,-soname,{stub.soname}", *versions)
    return built


def extension(
    name: str, scratch: Path, *, links: Iterable[Stub] = (), flags: Iterable[str] = ()
) -> bytes:
    """Compile an extension module with a function ``value``.

    Args:
        name: of the module.
        scratch: for what it is made of; it is made.
        links: libraries without which it cannot be loaded.
        flags: further ones for the compiler.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    links = tuple(links)
    source = _MODULE % {
        "declarations": "".join(f"extern int {stub.symbol}(void);\n" for stub in links),
        "addresses": ", ".join(f"(void *){stub.symbol}" for stub in links) or "0",
        "runs": RUNS,
        "name": name,
    }
    include = f"-I{cpython() / 'include/python3.12'}"
    libraries = [library(stub, scratch / "stubs") for stub in links]
    built = scratch / f"{name}.so"
    _compile(source, built, include, "-Wl,--no-as-needed", *map(str, libraries), *flags)
    return built.read_bytes()


def narrow_extension() -> bytes:
    """The header of a 32-bit module for this kind of machine: loaders look no further."""
    machine = {"x86_64": 3, "aarch64": 40}[MACHINE]
    ident = b"\x7fELF\x01\x01\x01".ljust(16, b"\0")
    return ident + struct.pack("<HHIIIIIHHHHHH", 3, machine, 1, 0, 0, 0, 0, 52, 32, 0, 40, 0, 0)


def for_other_machine(module: bytes) -> bytes:
    """The same file, which says that it is for another kind of machine."""
    number = struct.pack("<H", _E_MACHINE[OTHER_MACHINE])
    return module[:_E_MACHINE_AT] + number + module[_E_MACHINE_AT + len(number) :]


def core_dump() -> bytes:
    """What a kernel writes when a program crashes, as far as readers look."""
    ident = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
    header = (4, _E_MACHINE[MACHINE], 1, 0, 64, 0, 0, 64, 56, 0, 64, 0, 0)
    return ident + struct.pack("<HHIQQQIHHHHHH", *header) + bytes(4096)


def write_native_wheel(
    directory: Path, name: str, files: Mapping[str, bytes], version: str = "1.0"
) -> Path:
    """Write a wheel for this machine and CPython 3.12; files are by path in site-packages."""
    return write_wheel(directory, name, version, files=files, tag=TAG)


def _compile(source: str, built: Path, *flags: str) -> None:
    """Without this machine's C library: a module needs no more of one than it is told to."""
    command = ["cc", "-shared", "-fPIC", "-O1", "-nostdlib", "-o", str(built), "-x", "c", "-"]
    done = subprocess.run(
        [*command, "-x", "none", *flags],
        input=source,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
