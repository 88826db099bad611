"""The CPython 3.12 of the stand-in and of the rootless tests: a copy that runs from anywhere.

Interpreters often live in a home directory, which other users cannot enter (``/root`` is 0700), and
find their own shared library by its absolute path.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path

import uv

from tests.cache import (
    REPOSITORY,
    cache_root,
    composed_once,
    is_open_to_all,
    locked,
    open_to_all,
)

_MINOR = (3, 12)
# As the official images leave out what only CPython's own developers run.
_UNUSED = {"__pycache__", "test", "tests", "idle_test", "site-packages"}
_LOADED_BY_PATH = ("bin/python3.12", "lib/libpython3*.so*")


@cache
def cpython() -> Path:
    """The prefix of a CPython 3.12: the one that runs the tests, else the one that uv finds."""
    if sys.version_info[:2] == _MINOR:
        return Path(sys.base_prefix)
    found = _output_of(uv.find_uv_bin(), "python", "find", "--no-project", "3.12")
    return Path(_output_of(found, "-c", "import sys; print(sys.base_prefix)"))


@cache
def cpython_version() -> str:
    """The version of :func:`cpython`, to the patch level."""
    tell = "import platform; print(platform.python_version())"
    return _output_of(cpython() / "bin/python3.12", "-c", tell)


def copy_cpython(prefix: Path) -> None:
    """Copy the interpreter, its library and its headers, so that they run at ``prefix``."""
    source = cpython()
    for folder in ("lib/python3.12", "include/python3.12"):
        shutil.copytree(source / folder, prefix / folder, symlinks=True, ignore=_unused)
    # Where a venv looks for what is installed beside the interpreter: it must be there, empty.
    (prefix / "lib/python3.12/site-packages").mkdir()
    for pattern in _LOADED_BY_PATH:
        for path in source.glob(pattern):
            target = prefix / path.relative_to(source)
            target.parent.mkdir(exist_ok=True)
            shutil.copy2(path, target, follow_symlinks=False)
    for name in ("python", "python3"):
        (prefix / "bin" / name).symlink_to("python3.12")
    _load_from_beside(prefix, source)
    _strip(prefix)


def _unused(_folder: str, names: Iterable[str]) -> set[str]:
    """Tests, caches, installed packages, and the static library, which alone takes 60 MB."""
    return {name for name in names if name in _UNUSED or name.endswith(".a")}


def _load_from_beside(prefix: Path, source: Path) -> None:
    """Make the run path relative, as the official image builds it: ``$ORIGIN/../lib``.

    The new path is shorter than the old one, so the string is replaced where it stands.
    """
    old = str(source / "lib").encode() + b"\0"
    new = b"$ORIGIN/../lib\0".ljust(len(old), b"\0")
    if len(new) > len(old):
        return
    binaries = [path for pattern in _LOADED_BY_PATH for path in prefix.glob(pattern)]
    for path in binaries:
        if not path.is_symlink():
            path.write_bytes(path.read_bytes().replace(old, new))


def _strip(prefix: Path) -> None:
    """Drop debug symbols, as the official image does: 25 MB less to pack, push and load."""
    binaries = [path for path in prefix.rglob("*.so*") if not path.is_symlink()]
    if strip := shutil.which("strip"):
        _output_of(strip, "--strip-unneeded", prefix / "bin/python3.12", *binaries)


def cpython_key() -> str:
    """What changes with the interpreter and with this file."""
    built = (cpython() / "bin/python3.12").stat().st_mtime_ns
    facts = f"{cpython()} {built} {hashlib.sha256(Path(__file__).read_bytes()).hexdigest()}"
    return f"{cpython_version()}-{_short(facts)}"


@cache
def world_cpython() -> Path:
    """The prefix of a CPython 3.12 that every user can run."""
    if os.getuid() != 0 or is_open_to_all(cpython() / "lib/python3.12"):
        return cpython()
    return composed_once(f"cpython-{cpython_key()}", copy_cpython)


@cache
def world_python() -> Path:
    """A Python that every user can run, with the project and its dependencies importable.

    The venv of the repository serves root alone: it links to root's interpreter.
    """
    if os.getuid() != 0:
        return Path(sys.executable)
    lock = (REPOSITORY / "uv.lock").read_bytes()
    key = _short(f"{cpython_key()} {REPOSITORY} {hashlib.sha256(lock).hexdigest()}")
    venv = composed_once(f"venv-{key}", _sync)
    with locked(venv.name):
        named = venv / "lib/python3.12/site-packages/repository.pth"
        named.write_text(f"{_source_for(venv)}\n")
        named.chmod(0o644)
    return venv / "bin/python"


def _sync(venv: Path) -> None:
    """Only the interpreter link and the modules are used, which a venv keeps when it is moved."""
    sync = [uv.find_uv_bin(), "sync", "--frozen", "--no-dev", "--no-install-project", "--quiet"]
    environ = os.environ | {
        "UV_PROJECT_ENVIRONMENT": str(venv),
        "UV_PYTHON": str(world_cpython() / "bin/python3.12"),
        # A hard link would be one file with root's cache, and a chmod of one a chmod of both.
        "UV_LINK_MODE": "copy",
    }
    # What a test says of uv for itself is not about this.
    for name in ("VIRTUAL_ENV", "UV_OFFLINE", "UV_CACHE_DIR"):
        environ.pop(name, None)
    subprocess.run(sync, cwd=REPOSITORY, env=environ, check=True)


def _source_for(venv: Path) -> Path:
    """The repository, or a copy of its packages where only its owner can read it (CI's clones)."""
    packages = [REPOSITORY / "builder", REPOSITORY / "layers"]
    if all(is_open_to_all(package) for package in packages):
        return REPOSITORY
    copy = cache_root() / f"{venv.name}-source"
    shutil.rmtree(copy, ignore_errors=True)
    for package in packages:
        shutil.copytree(package, copy / package.name, ignore=shutil.ignore_patterns("__pycache__"))
    open_to_all(copy)
    return copy


def _output_of(*argv: str | Path) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def _short(facts: str) -> str:
    return hashlib.sha256(facts.encode()).hexdigest()[:12]
