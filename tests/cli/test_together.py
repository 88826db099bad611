"""Several builds at once, on one store."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from builder.oci.descriptor import REF_NAME
from builder.store.layout import Layout
from tests.cli.conftest import TABLES, Place, make_place, reference
from tests.project.projects import lock, write_project


def _together(*places: Place) -> list[str]:
    """Start a build in each place at the same time; what each one printed."""
    started = [
        subprocess.Popen(
            [sys.executable, "-m", "builder", "build", place.project, "--no-load", *_tag(number)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | place.environ,
            text=True,
        )
        for number, place in enumerate(places)
    ]
    outputs = [process.communicate() for process in started]
    for process, (_, stderr) in zip(started, outputs, strict=True):
        assert process.returncode == 0, stderr
    return [stdout.strip() for stdout, _ in outputs]


def _tag(number: int) -> tuple[str, str]:
    return "--tag", f"together:{number}"


def _names(store: Path) -> list[str]:
    return sorted(named.annotations[REF_NAME] for named in Layout(store).index().manifests)


def test_the_same_project(place: Place, tmp_path: Path) -> None:
    alone = replace(place, environ={**place.environ, "BUILDER_STORE": str(tmp_path / "alone")})
    digest = reference(alone.build()).partition("@")[2]
    built = _together(*[place] * 4)
    assert built == [f"localhost/together:{n}@{digest}" for n in range(4)]
    assert _names(place.store) == [f"localhost/together:{n}" for n in range(4)]
    assert place.leftovers() == []


def test_two_projects(place: Place, tmp_path: Path) -> None:
    project = write_project(tmp_path / "original", name="other", tables=TABLES)
    lock(project)
    (tmp_path / "second").mkdir()
    second = make_place(tmp_path / "second", place.environ["BUILDER_BASE"], project)
    expected = [reference(it.build(*_tag(n))) for n, it in enumerate((place, second))]
    shared = tmp_path / "shared"
    places = [
        replace(it, store=shared, environ={**it.environ, "BUILDER_STORE": str(shared)})
        for it in (place, second)
    ]
    assert _together(*places) == expected
    assert expected[0].partition("@")[2] != expected[1].partition("@")[2]
    assert _names(shared) == ["localhost/together:0", "localhost/together:1"]
    assert places[0].leftovers() == []
