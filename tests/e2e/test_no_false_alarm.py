"""Native packages that everybody uses: what is checked of their wheels finds nothing wrong."""

import subprocess
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest

from builder.base.base import Base, BaseRequest
from builder.base.find import find_base
from builder.base.target import find_target
from builder.checks.image import check_image
from builder.checks.inspect import inspect
from builder.checks.subject import Ground, Inspected, Origin, Subject
from builder.process import run
from builder.project.uv import python_platform, uv_binary
from builder.rootfs.libraries import Libraries
from builder.settings import ChecksSettings
from builder.store.layout import Store
from layers.entries import Entry
from layers.tree import walk
from tests.platforms import HOST, OTHER
from tests.standin import TAG, standin_layout
from tests.standin_platforms import TAG as PLATFORMS_TAG
from tests.standin_platforms import two_platform_standin

_PACKAGES = (
    "numpy",
    "pandas",
    "scipy",
    "pyarrow",
    "opencv-python-headless",
    "lxml",
    "psycopg[binary]",
    "cryptography",
    "pillow",
    "grpcio",
)
_ELF_FILES = 250
"""Fewer are not all of them."""


def _install(base: Base, site: Path) -> None:
    """The wheels for the base's platform, as they are published."""
    target = find_target(base)
    command = [
        *(uv_binary(), "pip", "install", "--quiet", "--target", str(site), "--only-binary=:all:"),
        f"--python-platform={python_platform(target)}",
        f"--python-version={target.python.minor}",
    ]
    subprocess.run([*command, *_PACKAGES], check=True)


def _parts(base: Base, site: Path) -> Iterator[Inspected]:
    python = find_target(base).python
    at = f"app/.venv/lib/python{python.minor}/site-packages"
    entries = {entry.path: entry for entry in walk(site, at=at)}
    for distribution in distributions(path=[str(site)]):
        yield inspect(
            _entries(distribution, at, entries),
            origin=Origin.DISTRIBUTION,
            layer="dependencies",
            distribution=f"{distribution.name} {distribution.version}",
        )
    assert not [path for path in entries if path.endswith(".so")]


def _entries(distribution: Distribution, at: str, entries: dict[str, Entry]) -> Iterator[Entry]:
    for file in distribution.files or ():
        if entry := entries.pop(f"{at}/{file}", None):
            yield entry


def _subject(base: Base, site: Path) -> Subject:
    return Subject(
        parts=tuple(_parts(base, site)),
        ground=Ground(files=base.files, libraries=base.libraries),
        target=find_target(base),
        run={"User": "1001:1001", "Cmd": ["python"]},
    )


@pytest.fixture(params=[HOST, pytest.param(OTHER, marks=pytest.mark.archive)], ids=str)
def base(request: pytest.FixtureRequest, tmp_path: Path) -> Base:
    """A Debian 12 for machines of this kind, and a Debian 13 for the others."""
    source = (
        f"oci:{standin_layout()}:{TAG}"
        if request.param == HOST
        else f"oci:{two_platform_standin()}:{PLATFORMS_TAG}"
    )
    asked = BaseRequest(source=source, platform=request.param)
    return find_base(asked, store=Store(tmp_path / "store"), run=run)


@pytest.mark.index
def test_nothing_is_wrong_with_wheels_that_everybody_uses(base: Base, tmp_path: Path) -> None:
    site = tmp_path / "site"
    _install(base, site)
    subject = _subject(base, site)
    elves = [facts.elf for part in subject.parts for facts in part.files.values() if facts.elf]
    assert len(elves) > _ELF_FILES
    assert check_image(subject, ChecksSettings()) == []
    # They do look: on a base without any library the same files lack many.
    bare = replace(subject, ground=replace(subject.ground, libraries=Libraries()))
    assert {each.check for each in check_image(bare, ChecksSettings())} == {"missing-library"}
