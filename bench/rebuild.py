"""Build and push, or load, again and again: what changed decides how long it takes.

Every round every peer begins with a registry of its own, which has the base and nothing else, and
with nothing but wheels and the base. Then follow the situations, one after the other.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.counting import Counter, counting
from bench.engines import run
from bench.measure import Figures, Taken, timed
from bench.peers import Job, Ours, Peer
from bench.projects import Sample
from tests.registry import Registry
from tests.standin import NAME, TAG, standin_layout

EMPTY = "empty store"
WHEELS = "only wheels cached"
OTHER = "another project, same wheels"
AGAIN = "nothing changed"
SOURCE = "one source line"
BUMPED = "one dependency bumped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """What is built on: an image in a layout, or an index of images."""

    layout: Path
    tag: str

    @classmethod
    def usual(cls) -> "Base":
        """For this machine alone."""
        return cls(layout=standin_layout(), tag=TAG)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A running registry that holds the base, and how to reach it."""

    registry: Registry
    counter: Counter
    tag: str = TAG

    @property
    def base(self) -> str:
        """The base's reference."""
        return f"{self.counter.host}/{NAME}:{self.tag}"

    def reference(self, project: Path) -> str:
        """Where the image of a project goes."""
        return f"{self.counter.host}/bench/{project.name}:1"


@contextmanager
def place(home: Path, base: Base | None = None) -> Iterator[Place]:
    """A registry of its own, gone when the block ends."""
    base = base or Base.usual()
    seed = home / f"seed-{base.tag}"
    if not seed.exists():
        with Registry(seed) as registry:
            target = f"docker://{registry.host}/{NAME}:{base.tag}"
            argv = ("skopeo", "copy", "-q", "--all", "--preserve-digests")
            run(*argv, "--dest-tls-verify=false", f"oci:{base.layout}:{base.tag}", target)
    storage = Path(tempfile.mkdtemp(prefix="registry-", dir=home))
    try:
        shutil.copytree(seed / "data", storage / "data")
        with Registry(storage) as registry, counting(registry.host) as counter:
            yield Place(registry=registry, counter=counter, tag=base.tag)
    finally:
        shutil.rmtree(storage)


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What every peer is asked to do.

    Attributes:
        scenario: as the tables call it.
        sample: the application.
        loads: whether the image goes into podman, which has the base, and not into the registry.
        base: what it is built on; the usual one when None.
    """

    scenario: str
    sample: Sample
    loads: bool = False
    base: Base | None = None


def in_turn(peers: Sequence[tuple[Peer, int]]) -> Iterator[Peer]:
    """Each peer as many times as it has rounds: A B A B, and not A A B B."""
    for number in range(max(rounds for _, rounds in peers)):
        yield from (peer for peer, rounds in peers if number < rounds)


def measure(work: Work, peers: Sequence[tuple[Peer, int]], home: Path, figures: Figures) -> None:
    """All situations for every peer, round by round.

    Args:
        work: for all of them.
        peers: and how many rounds each takes part in.
        home: a directory for whatever is written.
        figures: takes what was measured.
    """
    for peer in in_turn(peers):
        with tempfile.TemporaryDirectory(prefix="projects-", dir=home) as folder:
            project = Path(folder) / work.sample.name
            shutil.copytree(work.sample.project, project)
            if isinstance(peer, Ours) and not work.loads:
                with place(home, work.base) as at:
                    peer.empty()
                    _Turn(work=work, peer=peer, at=at, figures=figures).do(project, EMPTY)
            with place(home, work.base) as at:
                _all(_Turn(work=work, peer=peer, at=at, figures=figures), project)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """A peer's turn."""

    work: Work
    peer: Peer
    at: Place
    figures: Figures

    def do(self, project: Path, situation: str) -> None:
        """Measure one situation."""
        scenario, at = self.work.scenario, self.at
        job = Job(
            project=project,
            base=at.base,
            reference=at.reference(project),
            label=f"{scenario} {situation}",
            loads=self.work.loads,
        )
        taken = taken_by(self.peer, job, at)
        self.figures.add(scenario, situation, self.peer.name, taken)


def _all(turn: _Turn, project: Path) -> None:
    """From nothing but wheels and the base on, one situation after the other."""
    turn.peer.forget(turn.at.base)
    if turn.work.loads:
        run("podman", "rmi", "--all", "--force")
        run("podman", "pull", "--quiet", "--tls-verify=false", turn.at.base)
    turn.do(project, WHEELS)
    if not turn.work.loads:
        other = project.with_name(f"other-{project.name}")
        shutil.copytree(turn.work.sample.other, other)
        turn.do(other, OTHER)
    turn.do(project, AGAIN)
    with (project / "src/application/main.py").open("a") as file:
        file.write("# one more line\n")
    turn.do(project, SOURCE)
    shutil.copyfile(turn.work.sample.bumped, project / "uv.lock")
    turn.do(project, BUMPED)


def taken_by(peer: Peer, job: Job, at: Place) -> Taken:
    """What a job took, with all its commands."""
    os.sync()  # what another one wrote must not be on its way to the disk meanwhile
    sent, requests = at.counter.sent, len(at.registry.requests())
    taken = [timed(command, peer.environ) for command in peer.commands(job)]
    return Taken(
        seconds=sum(one.seconds for one in taken),
        cpu=sum(one.cpu or 0 for one in taken),
        peak=max(one.peak or 0 for one in taken),
        sent=at.counter.sent - sent,
        requests=len(at.registry.requests()) - requests,
    )
