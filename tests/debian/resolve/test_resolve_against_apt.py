"""The packages we choose are those that the real apt chooses, in the same root."""

import pytest

from builder.debian.archive.package_index import ArchiveIndex
from builder.debian.database.installed import Installed, read_installed
from builder.debian.resolve.resolve import resolve
from builder.debian.root import Root
from builder.errors import PackageError
from tests.debian.package_sets import SETS
from tests.debian.simulated import Answer, simulate

pytestmark = pytest.mark.archive

# Some are of one suite only; apt must not know them, and neither must we.
_KNOWN_TO_EVERY_SUITE = 0.85
# apt takes a second for each; the other roots differ in kind, not in what each set shows.
_SOME = SETS[::4]


@pytest.mark.parametrize(
    ("suite", "sets", "empty"),
    [("bookworm", SETS, False), ("bookworm", _SOME, True), ("trixie", _SOME, False)],
    ids=["bookworm", "an empty bookworm", "trixie"],
)
def test_every_set_is_as_apt_has_it(
    suite: str, sets: tuple[tuple[str, ...], ...], *, empty: bool
) -> None:
    simulation = simulate(suite, sets, empty=empty)
    index = ArchiveIndex(simulation.lists, "amd64")
    root = Root(contents={"var/lib/dpkg/status": simulation.status})
    installed = read_installed(root, "amd64")
    assert bool(installed.packages) != empty
    ours = {wanted: _resolved(wanted, index, installed) for wanted in simulation.answers}
    differences = {
        " ".join(wanted): sorted((ours[wanted] or {}).items() ^ (answer or {}).items())
        for wanted, answer in simulation.answers.items()
        if ours[wanted] != answer
    }
    assert not differences
    known = sum(answer is not None for answer in ours.values())
    assert known >= _KNOWN_TO_EVERY_SUITE * len(sets)


def _resolved(wanted: tuple[str, ...], index: ArchiveIndex, installed: Installed) -> Answer:
    try:
        found = resolve(wanted, index=index, installed=installed, architecture="amd64")
    except PackageError:
        return None
    return {package.name: package.version for package in found.install}
