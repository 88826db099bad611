"""What a build takes from those before it, told by the programs that it starts."""

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import TABLES, Place, make_place
from tests.project.projects import lock, write_project
from tests.wheels import write_wheel

_FOUND_LINKS = "\n[tool.uv]\nno-index = true\nfind-links = ['wheels']\n"


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two dependencies, which lie beside its lock."""
    directory = tmp_path_factory.mktemp("kept") / "project"
    for name in ("first", "second"):
        write_wheel(directory / "wheels", name)
    write_project(
        directory, project='dependencies = ["first", "second"]', tables=TABLES + _FOUND_LINKS
    )
    lock_with_hashes(directory)
    return directory


def lock_with_hashes(project: Path, *flags: str) -> None:
    """``uv lock``, with the hashes that an index gives and a directory does not."""
    lock(project, *flags)
    path = project / "uv.lock"

    def hashed(found: re.Match[str]) -> str:
        digest = hashlib.sha256((project / "wheels" / found[1]).read_bytes()).hexdigest()
        return f'{{ path = "{found[1]}", hash = "sha256:{digest}" }}'

    path.write_text(re.sub(r'{ path = "([^"]+)" }', hashed, path.read_text()))


@pytest.fixture
def kept(tmp_path: Path, base: str, project: Path) -> Place:
    """A place where the project was built before."""
    place = make_place(tmp_path, base, project)
    place.build()
    return place


def built(place: Place, **environ: str) -> tuple[list[str], dict[str, Any]]:
    """The programs that a build starts, and what it says of the image."""
    trace = place.out / "trace.json"
    done = replace(place, environ={**place.environ, **environ}).build("--json", "--trace", trace)
    events = json.loads(trace.read_text())["traceEvents"]
    names = [event["name"] for event in events if event["ph"] == "X"]
    started = [name for name in names if name in {"uv lock", "uv venv", "uv sync", "python"}]
    return started, json.loads(done.stdout)


def digests(image: dict[str, Any], names: Iterable[str]) -> list[str]:
    return [layer["digest"] for layer in image["layers"] if layer["name"] in names]


# A build backend of the project's own, which could look at anything.
_BACKEND = """
from dataclasses import replace
from pathlib import Path
from zipfile import ZipFile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    name, info = "demo-1.0-py3-none-any.whl", "demo-1.0.dist-info"
    with ZipFile(Path(directory, name), "w") as wheel:
        wheel.writestr("demo/__init__.py", "")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""

BELOW = ("base", "account", "dependencies")


def test_nothing_changed(kept: Place) -> None:
    _, before = built(kept)
    started, after = built(kept)
    assert started == []
    assert after == before


def test_a_line_of_source(kept: Place) -> None:
    _, before = built(kept)
    kept.append("A = 1\n", "src/demo/__init__.py")
    started, after = built(kept)
    assert sorted(started) == ["python", "uv sync", "uv venv"]
    assert digests(after, BELOW) == digests(before, BELOW)
    assert digests(after, ["project"]) != digests(before, ["project"])


def test_a_label(kept: Place) -> None:
    _, before = built(kept)
    kept.append('[tool.builder.labels]\na = "b"\n')
    started, after = built(kept)
    # pyproject.toml is what the project is built from, and what the lock is compared with.
    assert "uv sync" in started
    assert digests(after, BELOW) == digests(before, BELOW)
    assert after["digest"] != before["digest"]


def test_a_choice_that_is_not_in_the_project(kept: Place) -> None:
    _, before = built(kept)
    started, after = built(kept, BUILDER_PORTS="9000")
    assert started == []
    assert digests(after, (*BELOW, "project")) == digests(before, (*BELOW, "project"))
    assert after["digest"] != before["digest"]


def test_a_release(kept: Place) -> None:
    _, before = built(kept)
    kept.replace('version = "1.0"', 'version = "1.1"')
    lock_with_hashes(kept.project)
    _, after = built(kept)
    assert digests(after, BELOW) == digests(before, BELOW)


def test_other_layers_of_the_same(kept: Place) -> None:
    _, before = built(kept)
    started, after = built(kept, BUILDER_LAYERS="single")
    assert started == ["uv sync"]  # is asked what it would install, and all of that is packed
    assert len(digests(after, ["dependencies"])) == 1
    assert digests(after, ["project"]) == digests(before, ["project"])


def test_another_project_with_the_same_dependencies(
    kept: Place, tmp_path: Path, project: Path
) -> None:
    other = make_place(tmp_path / "other", kept.environ["BUILDER_BASE"], project)
    other.replace('name = "demo"', 'name = "other"')
    (other.project / "src/demo").rename(other.project / "src/other")
    lock_with_hashes(other.project)
    _, first = built(kept)
    environ = {"BUILDER_STORE": kept.environ["BUILDER_STORE"]}
    started, second = built(other, **environ)
    # Nothing of others is installed: uv is asked what it would, and installs the project.
    assert started.count("uv venv") == started.count("python") == 1
    assert digests(second, ["dependencies"]) == digests(first, ["dependencies"])


def test_of_a_bump_one_distribution_is_installed(kept: Place) -> None:
    _, before = built(kept)
    files = {"first/__init__.py": b"VALUE = 2\n"}
    write_wheel(kept.project / "wheels", "first", "1.1", files=files)
    lock_with_hashes(kept.project, "--upgrade")
    assert "1 of 2 distributions" in kept.build().stderr
    _, after = built(kept)
    changed = set(digests(after, ["dependencies"])) - set(digests(before, ["dependencies"]))
    assert len(changed) == 1


def test_two_distributions_that_claim_a_path_are_installed_together(
    tmp_path: Path, base: str
) -> None:
    """Each is known alone; whose the file is shows only where both are."""

    def build(name: str, store: str, wanted: list[str]) -> str:
        project = f"dependencies = {wanted}"
        original = write_project(
            tmp_path / name / "original", project=project, tables=TABLES + _FOUND_LINKS
        )
        for wheel in ("one", "two"):
            files = {f"{wheel}.py": b"", "LICENSE": wheel.encode()}
            write_wheel(original / "wheels", wheel, files=files)
        lock_with_hashes(original)
        place = make_place(tmp_path / name, base, original)
        return str(built(place, BUILDER_STORE=str(tmp_path / f"store-{store}"))[1]["digest"])

    build("first", "store", ["one"])
    build("second", "store", ["two"])
    both = ["one", "two"]
    found = {build(name, name, both) for name in ("a", "b", "c")} | {build("d", "store", both)}
    assert len(found) == 1


def test_a_store_that_lost_its_facts_gives_the_same(kept: Place) -> None:
    _, before = built(kept)
    for fact in (kept.store / "facts").rglob("*.json"):
        fact.unlink()
    started, after = built(kept)
    assert "uv sync" in started
    assert after == before


def test_a_lock_that_no_longer_fits_is_refused_all_the_same(kept: Place) -> None:
    kept.replace('"first", "second"]', '"first"]')
    said = kept.refused(code=1)
    assert "does not fit pyproject.toml any more" in said


def test_variables_count_where_a_build_backend_may_look_at_them(
    tmp_path: Path, base: str, project: Path
) -> None:
    place = make_place(tmp_path, base, project)
    assert built(place)[0]
    assert built(place, SOME_VARIABLE="1")[0] == []
    place.replace(
        'requires = ["uv_build"]\nbuild-backend = "uv_build"',
        'requires = []\nbuild-backend = "own"\nbackend-path = ["."]',
    )
    (place.project / "own.py").write_text(_BACKEND)
    assert "uv sync" in built(place)[0]
    assert built(place)[0] == []
    started, _ = built(place, SOME_VARIABLE="2")
    assert started.count("uv sync") == 1


def test_wheels_without_hashes_are_looked_at_each_time(tmp_path: Path, base: str) -> None:
    """A directory may hold another wheel of the same name tomorrow."""
    shared = str(tmp_path / "store")
    values = {}
    for name in ("alpha", "bravo"):
        project = write_project(
            tmp_path / name / "original",
            project='dependencies = ["first"]',
            tables=TABLES + _FOUND_LINKS,
        )
        files = {"first.py": f"VALUE = {name!r}\n".encode()}
        write_wheel(project / "wheels", "first", files=files)
        lock(project)
        place = make_place(tmp_path / name, base, project)
        environ = {"BUILDER_STORE": shared, "UV_CACHE_DIR": str(tmp_path / f"uv-{name}")}
        values[name] = built(place, **environ)[1]
        assert "uv sync" in built(place, **environ)[0]
        alone = {**environ, "BUILDER_STORE": str(tmp_path / f"store-{name}")}
        assert built(place, **alone)[1]["digest"] == values[name]["digest"]
    assert values["alpha"]["digest"] != values["bravo"]["digest"]


def test_what_a_wheel_shall_not_do_for_is_looked_at_each_time(kept: Place) -> None:
    (kept.project / "uv.toml").write_text(
        'no-index = true\nfind-links = ["wheels"]\nno-binary-package = ["third"]\n'
    )
    assert "uv sync" in built(kept)[0]
    assert "uv sync" in built(kept)[0]


def test_what_is_ignored_counts_when_the_list_ignores_itself(kept: Place) -> None:
    kept.replace("[tool.builder]", '[tool.builder]\nsource = ["."]')
    (kept.project / ".dockerignore").write_text(".dockerignore\n")
    _, before = built(kept)
    (kept.project / ".dockerignore").write_text(".dockerignore\nuv.lock\n")
    _, after = built(kept)
    assert digests(after, ["project"]) != digests(before, ["project"])


_LEAVING = """
import os
from pathlib import Path
from zipfile import ZipFile

def build_wheel(directory, config_settings=None, metadata_directory=None):
    Path("src/demo/left_by_the_build.txt").write_text(os.getcwd())
    name, info = "demo-1.0-py3-none-any.whl", "demo-1.0.dist-info"
    with ZipFile(Path(directory, name), "w") as wheel:
        wheel.writestr("demo/__init__.py", "")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\n")
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\\nName: demo\\nVersion: 1.0\\n")
        wheel.writestr(f"{info}/RECORD", "")
    return name
"""


def test_what_a_build_leaves_behind_is_no_source(kept: Place) -> None:
    kept.replace(
        'requires = ["uv_build"]\nbuild-backend = "uv_build"',
        'requires = []\nbuild-backend = "leaving"\nbackend-path = ["."]',
    )
    (kept.project / "leaving.py").write_text(_LEAVING)
    _, first = built(kept)
    _, second = built(kept, BUILDER_STORE=f"{kept.store}-2")
    assert first["digest"] == second["digest"]
