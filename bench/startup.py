"""How long a container takes to its first healthy answer: `python -m bench.startup [ROUNDS]`.

The same environment three times: with the bytecode that ships, with bytecode compiled afresh in the
image, and with none.
"""

import json
import statistics
import sys
import tempfile
from pathlib import Path

from bench.peers import Ours, run
from tests.cache import REPOSITORY

_COMPILE = "python -m compileall -q -f -j0 /app/.venv/lib"
_REMOVE = "find /app/.venv -name __pycache__ -prune -exec rm -r {} +"


def main(rounds: int) -> None:
    ours = Ours(REPOSITORY / "backend", name="localhost/bench:shipped")
    ours.build()
    images = {
        "shipped": ours.name,
        "compiled afresh": _variant(ours.name, "localhost/bench:fresh", f"{_REMOVE} && {_COMPILE}"),
        "none": _variant(ours.name, "localhost/bench:none", _REMOVE),
    }
    seconds: dict[str, list[float]] = {name: [] for name in images}
    for _ in range(rounds):
        for name, image in images.items():
            project = REPOSITORY / "backend"
            command = (sys.executable, "-m", "builder", "test", image, "--project", project)
            report = json.loads(run(*command, "--json"))
            seconds[name].append(report["healthy_seconds"])
    shipped = statistics.median(seconds["shipped"])
    for name, taken in seconds.items():
        median = statistics.median(taken)
        print(f"{name:16} {median:5.2f} s  {median / shipped:5.2f}")


def _variant(image: str, name: str, command: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        dockerfile = Path(folder) / "Dockerfile"
        dockerfile.write_text(f"FROM {image}\nUSER 0\nRUN {command}\nUSER 1001:1001\n")
        run("buildah", "bud", "-q", "--isolation=chroot", "-t", name, "-f", dockerfile, folder)
    return name


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
