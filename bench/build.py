"""How long builds take, next to buildah: `python -m bench.build [ROUNDS]`.

Cold: base at hand and uv's cache warm, nothing else. Repeated: nothing changed. Source: one line of
the application changed. Each round runs both, one after the other; medians and their ratio.
"""

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.peers import Buildah, Builder, Ours, compressed_size
from tests.cache import REPOSITORY


def main(rounds: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder) / "backend"
        shutil.copytree(REPOSITORY / "backend", project)
        builders: dict[str, Builder] = {"ours": Ours(project), "buildah": Buildah(project)}
        seconds: dict[str, dict[str, list[float]]] = {}
        sizes: dict[str, int] = {}
        for number in range(rounds):
            for name, builder in builders.items():
                builder.forget()
                for scenario in ("cold", "repeated", "source"):
                    if scenario == "source":
                        with (project / "src/second_brain/main.py").open("a") as file:
                            file.write(f"# {name} {number}\n")
                    started = time.perf_counter()
                    builder.build()
                    took = time.perf_counter() - started
                    seconds.setdefault(scenario, {}).setdefault(name, []).append(took)
                sizes[name] = compressed_size(builder.name)
    print(f"{'':10} {'ours':>8} {'buildah':>8} {'ratio':>6}")
    for scenario, by_name in seconds.items():
        ours, peer = (statistics.median(by_name[name]) for name in builders)
        print(f"{scenario:10} {ours:8.2f} {peer:8.2f} {ours / peer:6.2f}")
    for name, size in sizes.items():
        print(f"{name}: {size / 1e6:.1f} MB compressed")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
