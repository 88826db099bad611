"""How long a container takes from its start to its first good answer."""

import contextlib
import socket
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.engines import run
from bench.measure import Figures, Taken, timed
from bench.peers import Job, Ours, Peer
from bench.projects import Sample
from bench.rebuild import in_turn, place

_HEALTHY = "start to /health"
_PATIENCE = 60.0
_COMPILE = "python -m compileall -q -f -j0 /app/.venv/lib"
_REMOVE = "find /app/.venv -name __pycache__ -prune -exec rm -r {} +"


def measure(
    sample: Sample, peers: Sequence[tuple[Peer, int]], home: Path, figures: Figures
) -> None:
    """The images of all peers, in turn."""
    scenario = f"startup of {sample.name}"
    images = _images(sample, [peer for peer, _ in peers], home)
    for peer in in_turn(peers):
        figures.add(scenario, _HEALTHY, peer.name, _started(images[peer.name]))


def measure_bytecode(sample: Sample, rounds: int, home: Path, figures: Figures) -> None:
    """Our image: with what it ships, with bytecode compiled in the image, and with none."""
    [image] = _images(sample, [Ours(home=home / "ours")], home).values()
    images = {
        "shipped": image,
        "compiled afresh": _variant(image, "localhost/bench:fresh", f"{_REMOVE} && {_COMPILE}"),
        "none": _variant(image, "localhost/bench:none", _REMOVE),
    }
    for _ in range(rounds):
        for name, variant in images.items():
            taken = _started(variant)
            figures.add(f"bytecode of {sample.name}", _HEALTHY, name, taken)


def _images(sample: Sample, peers: Sequence[Peer], home: Path) -> Mapping[str, str]:
    """Every peer's image, in podman."""
    with place(home) as at:
        for peer in peers:
            peer.forget(at.base)
            reference = f"{at.counter.host}/bench/{peer.name}:1"
            job = Job(
                project=sample.project,
                base=at.base,
                reference=reference,
                label=f"startup of {sample.name}",
            )
            for command in peer.commands(job):
                timed(command, peer.environ)
        for peer in peers:
            name = f"{at.counter.host}/bench/{peer.name}:1"
            run("podman", "pull", "--quiet", "--tls-verify=false", name)
            run("podman", "tag", name, f"localhost/bench:{peer.name}")
    return {peer.name: f"localhost/bench:{peer.name}" for peer in peers}


def _started(image: str) -> Taken:
    with contextlib.closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    container = run("podman", "create", "--publish", f"127.0.0.1:{port}:8000", image).strip()
    try:
        began = time.perf_counter()
        run("podman", "start", container)
        while not _answers(f"http://127.0.0.1:{port}/health"):
            if time.perf_counter() - began > _PATIENCE:
                sys.exit(f"{image}: no answer\n" + run("sh", "-c", f"podman logs {container} 2>&1"))
            time.sleep(0.005)
        return Taken(seconds=time.perf_counter() - began)
    finally:
        run("podman", "rm", "--force", "--time=0", container)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=1) as answer:  # noqa: S310 - http, to ourselves
            return bool(answer.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False


def _variant(image: str, name: str, command: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(f"FROM {image}\nUSER 0\nRUN {command}\nUSER 1001:1001\n")
        run("buildah", "bud", "-q", "--isolation=chroot", "-t", name, "-f", dockerfile, folder)
    return name
