import hashlib
from pathlib import Path

import pytest

from builder.errors import InstallError
from builder.process import run
from builder.project.install import Staged, built_here
from builder.project.interpreter import find_interpreter
from builder.project.lock import Lock
from builder.project.relocate import VenvPlace, relocated, skeleton
from builder.target import Python, Target
from layers.entries import Entry
from layers.tree import fingerprint
from tests.project.projects import (
    APP,
    MINOR,
    PLACE,
    SITE,
    TARGET,
    UNREADABLE,
    compiler,
    contents,
    install_project,
    write_application,
)
from tests.records import check_records


def test_third_party_and_own_distributions_are_apart(
    third_party: list[Entry], own: list[Entry]
) -> None:
    assert {path for path in contents(own) if "dist-info" not in path} == {
        "app/.venv/bin/demo",
        f"{SITE}/demo/__init__.py",
    }
    assert {path for path in contents(third_party) if "dist-info" not in path} == {
        *(
            f"app/.venv/bin/{name}"
            for name in (
                *("third", "third-more", "plain"),
                *("optimised", "shell", "tool.py", "binary"),
            )
        ),
        "app/.venv/share/third/a.txt",
        "app/.venv/etc/third.py",
        f"{SITE}/third/__init__.py",
        f"{SITE}/third/data.bin",
        f"{SITE}/third_space/inner/module.py",
        *(f"{SITE}/third/{name}" for name in UNREADABLE),
    }


def test_uv_s_cache_is_left_as_it_was(tmp_path: Path, uv_cache: Path) -> None:
    def hashes() -> dict[Path, str]:
        return {
            path: hashlib.sha256(path.read_bytes()).hexdigest()
            for path in uv_cache.rglob("*")
            if path.is_file()
        }

    staged = install_project(write_application(tmp_path), tmp_path / "staging")
    script = staged.third_party / f"lib/python{MINOR}/site-packages/third/__init__.py"
    if script.stat().st_nlink < 2:
        pytest.skip("the cache is on another disk, nothing is linked")
    before = hashes()
    entries = relocated(staged.third_party, PLACE)
    compiler(tmp_path / "bytecode").bytecode(entries)
    assert hashes() == before


def test_two_installations_in_different_places_are_the_same(tmp_path: Path) -> None:
    seen = set()
    for name in ("here", "over/there"):
        place = tmp_path / name
        staged = install_project(write_application(place), place / "staging")
        entries = relocated(staged.third_party, PLACE) + relocated(staged.own, PLACE)
        compiled = compiler(place / "bytecode").bytecode(entries).entries
        seen.add(fingerprint([*entries, *compiled]))
    assert len(seen) == 1


def test_another_python_than_ours_is_installed_for(tmp_path: Path) -> None:
    other = Python(version=(3, 13), path="/usr/bin/python3.13")
    try:
        interpreter = find_interpreter(other, project=tmp_path, run=run)
    except InstallError:
        pytest.skip("no Python 3.13 on this machine")
    target = Target(platform=TARGET.platform, python=other, libc=TARGET.libc)
    staged = install_project(
        write_application(tmp_path), tmp_path / "staging", target=target, interpreter=interpreter
    )
    place = VenvPlace(path="/srv/app/.venv", owner=APP, python=other)
    entries = relocated(staged.third_party, place)
    compiled = compiler(tmp_path / "bytecode", interpreter, other).bytecode(entries).entries
    files = contents([*entries, *skeleton(place), *compiled])
    assert place.site_packages == "/srv/app/.venv/lib/python3.13/site-packages"
    assert "srv/app/.venv/lib/python3.13/site-packages/third/__init__.py" in files
    assert files["srv/app/.venv/bin/third"].startswith(b"#!/srv/app/.venv/bin/python\n")
    assert check_records(files) > 10
    pycs = [path for path in files if path.endswith(".pyc")]
    assert len(pycs) == 2
    assert all(path.endswith(".cpython-313.pyc") for path in pycs)


def test_what_was_built_here_for_want_of_a_wheel_is_known(staged: Staged) -> None:
    lock_path = Path("/uv.lock")
    registry = {"registry": "https://index.example.com/simple"}
    built = {"name": "third", "source": registry}
    elsewhere = {"name": "not-installed", "source": registry}
    wheel = {"name": "third", "source": registry, "wheels": [{"url": "https://x/third.whl"}]}
    assert built_here(Lock(path=lock_path, packages=(built, elsewhere)), staged) == ["third"]
    assert built_here(Lock(path=lock_path, packages=(wheel,)), staged) == []
