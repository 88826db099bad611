"""Images that are broken on purpose: how each is made, what must be said of it, how it is mended.

A repair is told what the builder said, and does that: where the advice names a package or a line,
the repair takes it from there.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.native import RUNS
from tests.project.projects import UV_BUILD, lock, write_project

STARTS = ("python", "-c", f"import demo; print({RUNS})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A broken image.

    Attributes:
        name: for the test and the image.
        check: what must catch it, as settings call it.
        place: what the finding must name: a file, a distribution, a layer.
        advice: words that what is said must have.
        make: writes the broken project into a directory that is there.
        repair: of that project, given what was said.
        asks_archive: whether Debian is asked which package has a library.
    """

    name: str
    check: str
    place: str
    advice: tuple[str, ...]
    make: Callable[[Path], None]
    repair: Callable[[Path, str], None]
    asks_archive: bool = False


def make_project(  # noqa: PLR0913 - what differs between the projects
    directory: Path,
    files: Mapping[str, str | bytes] | None = None,
    *,
    command: tuple[str, ...] | None = STARTS,
    settings: str = "",
    checks: str = "",
    dependencies: tuple[str, ...] = (),
) -> None:
    """A locked project that prints ``RUNS`` when it is started.

    Args:
        directory: where; ``wheels`` in it may have been filled before.
        files: beside ``pyproject.toml``.
        command: that it starts with; None leaves that to ``settings``.
        settings: lines of ``[tool.builder]``.
        checks: lines of ``[tool.builder.checks]``.
        dependencies: to be found in ``wheels``.
    """
    (directory / "wheels").mkdir(parents=True, exist_ok=True)
    starts = f"cmd = {[*command]!r}\n" if command else ""
    tables = (
        f"{UV_BUILD}\n[tool.uv]\nno-index = true\nfind-links = ['wheels']\n"
        f"[tool.builder]\n{starts}{settings}\n[tool.builder.checks]\n{checks}\n"
    )
    write_project(directory, files, project=f"dependencies = {[*dependencies]!r}", tables=tables)
    lock(directory)


def change(project: Path, old: str, new: str) -> None:
    """Change ``pyproject.toml``."""
    path = project / "pyproject.toml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def install_packages(project: Path, said: str) -> None:
    """Add the Debian packages that the advice names."""
    [packages] = set(re.findall(r"apt = (\[[^]]*\])", said))
    change(project, "[tool.builder]\n", f"[tool.builder]\napt = {packages}\n")


def leave_out(project: Path, said: str) -> None:
    """Add to ``.dockerignore`` the lines that the advice names."""
    lines = sorted(set(re.findall(r"add (\S+) to \.dockerignore", said)))
    assert lines
    path = project / ".dockerignore"
    before = path.read_text() if path.exists() else ""
    path.write_text("".join(f"{line}\n" for line in [before.rstrip("\n"), *lines] if line))


def accept(project: Path, said: str) -> None:
    """Accept what was found, in the words that the hint has, for a reason of one's own."""
    [line] = re.findall(r"accept = \[\{.*\}\]", said)
    change(
        project,
        "[tool.builder.checks]\n",
        f"[tool.builder.checks]\n{line.replace('...', 'the tests want it')}\n",
    )
