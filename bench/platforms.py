"""What a second platform costs: an index of two images, next to the image of one."""

from pathlib import Path

from bench.measure import Figures
from bench.peers import Ours
from bench.projects import service, warm
from bench.rebuild import Base, Work
from bench.rebuild import measure as measure_work
from tests.standin_platforms import TAG, interpreter, two_platform_standin

_PLATFORMS = {"one platform": "linux/amd64", "two platforms": "linux/amd64,linux/arm64"}
_LEVEL = "manylinux_2_40"
"""The newest that uv knows, and the base has."""


def measure(rounds: int, home: Path, figures: Figures) -> None:
    """The web service, in all situations of a rebuild."""
    sample = service()
    python = ("--python", str(interpreter()))
    for machine in ("x86_64", "aarch64"):
        warm(sample, *python, "--python-platform", f"{machine}-{_LEVEL}")
    base = Base(layout=two_platform_standin(), tag=TAG)
    work = Work(scenario="platforms of service", sample=sample, base=base)
    peers = [
        (Ours(home=home / name.replace(" ", "-"), name=name, platforms=platforms), rounds)
        for name, platforms in _PLATFORMS.items()
    ]
    measure_work(work, peers, home, figures)
