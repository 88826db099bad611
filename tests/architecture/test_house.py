"""Where things may be done, how long files are, and what must not be committed."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import builder.errors
from layers.errors import BuilderError
from tests.cache import REPOSITORY

_ONLY_PLACES = {
    "subprocess": {"builder/process.py"},
    "httpx2": {"builder/transport/"},
    "podman": {"builder/health/"},
    "tarfile": {
        *("layers/tar.py", "layers/verify.py"),
        *("builder/base/", "builder/debian/", "builder/rootfs/"),
    },
    "debian": {"builder/debian/"},
    "pysequoia": {"builder/debian/"},
    "socket": {"builder/transport/", "builder/health/"},
    "tests": set[str](),
    "second_brain": set[str](),
}
_LONGEST_FILE = 400
_MOST_MEMBERS = 4


def sources() -> Iterator[Path]:
    for room in ("builder", "layers"):
        yield from sorted((REPOSITORY / room).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("module", _ONLY_PLACES)
def test_a_module_is_imported_only_where_it_may_be(module: str) -> None:
    users = {str(p.relative_to(REPOSITORY)) for p in sources() if module in imported(p)}
    allowed = tuple(_ONLY_PLACES[module])
    assert {user for user in users if not user.startswith(allowed or "nowhere")} == set()


def test_no_file_is_too_long() -> None:
    everything = [*sources(), *(REPOSITORY / "tests").rglob("*.py")]
    long = {p.name: n for p in everything if (n := len(p.read_text().splitlines())) > _LONGEST_FILE}
    assert long == {}


def test_no_room_is_named_after_nothing() -> None:
    names = {
        part for path in sources() for part in path.relative_to(REPOSITORY).with_suffix("").parts
    }
    assert names & {"utils", "util", "helpers", "helper", "common", "misc", "manager"} == set()


def test_protocols_are_small() -> None:
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(base, ast.Name) and base.id == "Protocol" for base in node.bases
            ):
                members = [item for item in node.body if isinstance(item, ast.FunctionDef)]
                assert len(members) <= _MOST_MEMBERS, f"{path}: {node.name}"


def test_the_error_tree_is_drawn_in_full() -> None:
    assert builder.errors.__doc__ is not None
    drawn = set(re.findall(r"\w+Error", builder.errors.__doc__))
    grown = {
        name
        for name in dir(builder.errors)
        if isinstance(kind := getattr(builder.errors, name), type)
        and issubclass(kind, BuilderError)
    }
    assert drawn == grown == {name for name in builder.errors.__all__ if name != "exit_code"}


def test_nothing_is_committed_that_names_a_machine_or_a_package_registry() -> None:
    tracked = subprocess.run(
        ["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True
    ).stdout.split("\0")
    # Put together here, or this file would find itself.
    hosts = [
        ".".join(parts) for parts in (("pypi", "org"), ("pythonhosted", "org"), ("deb", "debian"))
    ]
    for name in filter(None, tracked):
        if Path(name).name != "uv.lock" and (REPOSITORY / name).is_file():
            text = (REPOSITORY / name).read_text("utf-8", errors="replace")
            assert not [host for host in hosts if host in text], name
