"""What the benchmark compares has to be an image, made by whomever."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest

from bench.engines import run
from bench.measure import Figures
from bench.peers import Job, Ours, Peer, Shell
from bench.projects import Sample, sample
from bench.rebuild import (
    AGAIN,
    BUMPED,
    EMPTY,
    OTHER,
    SOURCE,
    WHEELS,
    Place,
    Work,
    measure,
    place,
    taken_by,
)
from tests.conftest import _require

pytestmark = [pytest.mark.engine, pytest.mark.index]


@pytest.fixture(scope="module")
def tiny() -> Sample:
    """An application with few dependencies, one of which is bumped."""
    _require("pigz", "curl", "jq")
    return sample("tiny", {"idna": "idna", "uvicorn": "uvicorn"})


def inspect(reference: str, *options: str) -> str:
    return run("skopeo", "inspect", "--tls-verify=false", *options, f"docker://{reference}")


def job(at: Place, project: Path) -> Job:
    return Job(project=project, base=at.base, reference=at.reference(project), label="x")


def test_the_shell_floor_makes_an_image_on_the_base(tiny: Sample, tmp_path: Path) -> None:
    shell = Shell(home=tmp_path / "shell")
    with place(tmp_path) as at:
        shell.forget(at.base)
        made = job(at, tiny.project)
        taken = taken_by(shell, made, at)
        assert (taken.sent or 0) > 10_000
        base, image = (json.loads(inspect(one, "--raw")) for one in (at.base, made.reference))
        config = json.loads(inspect(made.reference, "--config"))
        assert image["layers"][: len(base["layers"])] == base["layers"]
        assert len(image["layers"]) == len(base["layers"]) + 2 == len(config["rootfs"]["diff_ids"])
        assert config["config"]["Cmd"][:2] == ["uvicorn", "application.main:app"]
        assert config["config"]["User"] == "1001:1001"
        run(
            "skopeo",
            "copy",
            "--src-tls-verify=false",
            f"docker://{made.reference}",
            f"oci:{tmp_path}/copy:x",
        )
        assert files(tmp_path / "copy", image["layers"][-2:]) >= {
            "app/.venv/bin/python",
            "app/.venv/lib/python3.12/site-packages/idna/core.py",
            "app/.venv/lib/python3.12/site-packages/idna/__pycache__/core.cpython-312.pyc",
            "app/.venv/lib/python3.12/site-packages/application/main.py",
            "app/src/application/main.py",
        }


def test_the_image_of_the_shell_floor_runs(tiny: Sample, tmp_path: Path) -> None:
    shell = Shell(home=tmp_path / "shell")
    with place(tmp_path) as at:
        shell.forget(at.base)
        made = job(at, tiny.project)
        taken_by(shell, made, at)
        told = "import idna, sys; from importlib.util import find_spec; "
        told += "print(idna.__version__, sys.prefix, find_spec('application').origin)"
        image = ("--tls-verify=false", made.reference)
        said = run("podman", "run", "--rm", "--network=none", *image, "python", "-c", told)
    site = "/app/.venv/lib/python3.12/site-packages"
    assert said == f"3.10 /app/.venv {site}/application/__init__.py\n"


def files(layout: Path, layers: Sequence[dict[str, str]]) -> set[str]:
    return {
        name
        for layer in layers
        for name in run(
            "tar", "-tzf", layout / "blobs" / layer["digest"].replace(":", "/")
        ).splitlines()
    }


def test_the_shell_floor_sends_nothing_twice(tiny: Sample, tmp_path: Path) -> None:
    shell = Shell(home=tmp_path / "shell")
    project = Path(shutil.copytree(tiny.project, tmp_path / "project"))
    with place(tmp_path) as at:
        shell.forget(at.base)
        digests = []
        sent = []
        for change in ("", "", "# a line\n"):
            with (project / "src/application/main.py").open("a") as file:
                file.write(change)
            sent.append(taken_by(shell, job(at, project), at).sent or 0)
            digests.append(json.loads(inspect(at.reference(project)))["Digest"])
    assert digests[0] == digests[1] != digests[2]
    assert sent[1] < sent[2] < sent[0]


@pytest.mark.parametrize(("kind", "rounds"), [("ours", 1), ("shell", 2)])
def test_every_situation_is_measured(tiny: Sample, tmp_path: Path, kind: str, rounds: int) -> None:
    traces = tmp_path / "traces"
    traces.mkdir()
    peers: dict[str, Peer] = {
        "ours": Ours(home=tmp_path / "ours", traces=traces),
        "shell": Shell(home=tmp_path / "shell"),
    }
    situations = [WHEELS, OTHER, AGAIN, SOURCE, BUMPED]
    figures = Figures()
    measure(Work(scenario="tiny", sample=tiny), [(peers[kind], rounds)], tmp_path, figures)
    assert figures.situations("tiny") == ([EMPTY, *situations] if kind == "ours" else situations)
    assert {len(taken) for taken in figures.taken.values()} == {rounds}
    sent = {situation: taken[0].sent or 0 for (_, situation, _), taken in figures.taken.items()}
    assert sent[AGAIN] < sent[SOURCE] < sent[BUMPED] < sent[WHEELS]
    assert len([*traces.iterdir()]) == (6 if kind == "ours" else 0)
