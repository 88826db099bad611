"""Images that are broken on purpose: each is refused with advice, and runs when it is followed."""

import os
import re
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.command import builder
from tests.e2e.broken import Case, accept
from tests.e2e.broken_settings import SETTINGS
from tests.e2e.broken_sources import SOURCES
from tests.e2e.broken_wheels import WHEELS
from tests.e2e.test_formats import run
from tests.native import RUNS
from tests.project.projects import write_tree
from tests.standin import TAG

pytestmark = pytest.mark.engine


def _word(name: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


_CASES = (*WHEELS, *SOURCES, *SETTINGS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Workshop:
    """Where all of them are built: what one build made, the next one finds."""

    store: Path
    base: str
    images: list[str] = field(default_factory=list)

    def refused(self, project: Path) -> str:
        """What is said of an image that must not be made."""
        done = self._build(project, "--no-load", code=1)
        assert done.stdout == ""
        assert " is not made: " in done.stderr, done.stderr
        return done.stderr

    def made(self, project: Path, name: str) -> str:
        """The name of an image that podman has."""
        image = f"localhost/broken-{_word(name)}:1"
        self.images.append(image)
        self._build(project, "--load", f"--tag={image}")
        return image

    def warned(self, project: Path, name: str) -> str:
        """The name of an image that podman has although it is broken."""
        document = project / "pyproject.toml"
        head, table, _ = document.read_text().partition("[tool.builder.checks]\n")
        document.write_text(f'{head}{table}warn = ["*"]\n')
        return self.made(project, f"warned {name}")

    def check(self, image: str) -> str:
        """What ``check`` says of an image with errors."""
        return builder("check", image, env={"BUILDER_STORE": str(self.store)}, code=1).stdout

    def _build(
        self, project: Path, *arguments: str, code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        environ = {"BUILDER_STORE": str(self.store), "BUILDER_BASE": self.base}
        return builder("build", project, *arguments, env=environ, cwd=project, code=code)


@pytest.fixture(scope="module")
def workshop(standin: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workshop]:
    scratch = tmp_path_factory.mktemp("broken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UV_CACHE_DIR", str(scratch / "uv"))
        patch.setenv("UV_OFFLINE", "1")
        # The program's own modules, compiled once: half of what a small call takes.
        patch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
        patch.setenv("PYTHONPYCACHEPREFIX", str(scratch / "bytecode"))
        for name in [*os.environ]:
            if name.startswith("BUILDER_") or name in {"SOURCE_DATE_EPOCH", "VIRTUAL_ENV"}:
                patch.delenv(name)
        made = Workshop(store=scratch / "store", base=f"oci:{standin}:{TAG}")
        yield made
        if made.images:
            subprocess.run(
                ["podman", "rmi", "--force", *made.images], capture_output=True, check=False
            )


def _parameter(case: Case) -> object:
    marks = [pytest.mark.archive] if case.asks_archive else []
    return pytest.param(case, id=_word(case.name), marks=marks)


@pytest.mark.parametrize("case", [*map(_parameter, _CASES)])
def test_it_is_refused_with_advice_and_runs_when_mended(
    case: Case, workshop: Workshop, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    case.make(project)
    said = workshop.refused(project)
    assert re.findall(r"^  ([a-z-]+): ", said, re.MULTILINE) == [case.check]
    for words in (case.place, *case.advice):
        assert words in said
    case.repair(project, said)
    image = workshop.made(project, case.name)
    done = start(image)
    assert (done.returncode, done.stdout) == (0, f"{RUNS}\n"), done.stderr


def start(image: str) -> subprocess.CompletedProcess[str]:
    argv = ["podman", "run", "--rm", "--network=none", image]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


_FINISHED = ("new glibc", "musl", "bundled library left out", "GitHub token")


@pytest.mark.parametrize("case", [_parameter(c) for c in _CASES if c.name in _FINISHED])
def test_it_is_caught_in_a_finished_image_too(
    case: Case, workshop: Workshop, tmp_path: Path
) -> None:
    project = tmp_path / "project"
    case.make(project)
    said = workshop.check(workshop.warned(project, case.name))
    assert f"error: {case.check}: " in said
    assert all(words in said for words in case.advice)


_FAILING = (
    *("missing libpq.so.5", "new glibc", "new libstdc++", "musl", "other Python"),
    *("other machine", "stale run path"),
)
"""One of each kind."""


@pytest.mark.parametrize("case", [_parameter(c) for c in WHEELS if c.name in _FAILING])
def test_what_is_refused_would_not_have_run(case: Case, workshop: Workshop, tmp_path: Path) -> None:
    project = tmp_path / "project"
    case.make(project)
    image = workshop.warned(project, case.name)
    done = start(image)
    assert done.returncode == 1
    assert re.search(r"^(ImportError|ModuleNotFoundError): ", done.stderr, re.MULTILINE)


def test_what_is_accepted_as_the_hint_says_is_made(workshop: Workshop, tmp_path: Path) -> None:
    [case] = [case for case in SOURCES if case.name == "host build"]
    project = tmp_path / "project"
    case.make(project)
    accept(project, workshop.refused(project))
    assert start(workshop.made(project, "accepted")).stdout == f"{RUNS}\n"


_DOCKERFILE = """
FROM scratch
COPY --chmod=4755 tool /usr/local/bin/tool
COPY native /app/native
COPY env /app/.env
CMD ["tool", "--serve"]
"""


def test_what_a_dockerfile_made_is_caught_too(workshop: Workshop, tmp_path: Path) -> None:
    [musl] = [case for case in WHEELS if case.name == "musl"]
    musl.make(tmp_path / "project")
    [wheel] = (tmp_path / "project/wheels").iterdir()
    context = tmp_path / "context"
    with zipfile.ZipFile(wheel) as opened:
        opened.extractall(context)
    write_tree(context, {"Dockerfile": _DOCKERFILE, "tool": "#!/bin/sh\n", "env": "DEBUG=1\n"})
    image, layout = "localhost/broken-by-a-dockerfile:1", f"oci:{tmp_path}/layout:1"
    workshop.images.append(image)
    run("buildah", "build", "--quiet", "--from", workshop.base, "--tag", image, str(context))
    run("buildah", "push", "--quiet", "--disable-compression", image, layout)
    said = workshop.check(layout)
    for words in (
        "error: setuid: /usr/local/bin/tool (",
        "error: wrong-libc: /app/native/_native",
        "error: secret: /app/.env (",
        "warning: root-user: ",
    ):
        assert words in said
