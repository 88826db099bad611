"""Measure the builder and its peers in turn, or read traces; ``python -m bench --help``."""

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from bench import rebuild, startup
from bench.engines import PROGRAMS, UV_CACHE, require
from bench.measure import Figures
from bench.peers import Buildah, Ours, Peer, Shell
from bench.projects import Sample, data, service, warm
from bench.rebuild import Work
from bench.report import tables, write_json
from bench.spans import top_spans

type _Peers = list[tuple[Peer, int]]

_ROUNDS = 3
SCENARIOS = {
    "service": "build and push a web service of some fifty packages",
    "data": "build and push numpy, pandas, scipy, scikit-learn and pyarrow",
    "loading": "build the web service again and again, and load it into podman",
    "platforms": "the web service for amd64 alone, and for amd64 and arm64 in one index",
    "startup": "the service's container, from its start to its first good answer",
    "bytecode": "the same of our image, with other bytecode or none",
    "transfer": "push and pull an image of 1 GiB, next to skopeo and podman",
}
_USUAL = ("service", "data", "loading", "startup")
_PEERS = ("ours", "shell", "buildah")


def main(argv: Sequence[str]) -> None:
    """Read the arguments and do what they say."""
    if argv[:1] == ["trace"]:
        print("\n".join(top_spans(Path(path)) for path in argv[1:]), end="")
        return
    options = parser().parse_args(argv)
    require(*PROGRAMS)
    figures = Figures()
    for scenario in options.scenarios or _USUAL:
        # Beside uv's cache, whose files can only be linked to from there.
        with tempfile.TemporaryDirectory(prefix="bench-", dir=UV_CACHE.parent) as home:
            _measure(scenario, options, Path(home), figures)
    print(tables(figures), end="")
    if options.json:
        write_json(figures, Path(options.json))


def parser() -> argparse.ArgumentParser:
    """Of everything but ``trace``."""
    scenarios = "\n".join(f"  {name:9} {what}" for name, what in SCENARIOS.items())
    made = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure the builder and its peers in turn, and print medians and ratios.",
        epilog=f"scenarios:\n{scenarios}\n\n"
        "python -m bench trace FILE... prints the longest spans of what --traces wrote.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = made.add_argument
    usual = ", ".join(_USUAL)
    add("scenarios", nargs="*", choices=SCENARIOS, metavar="SCENARIO", help=f"default: {usual}")
    add("--rounds", type=int, default=_ROUNDS, metavar="N", help=f"default: {_ROUNDS}")
    add(
        "--peers",
        type=chosen_peers,
        default=chosen_peers(",".join(_PEERS)),
        metavar="PEER[:N],...",
        help=f"and how many rounds each takes part in (default: {','.join(_PEERS)})",
    )
    add("--json", metavar="FILE", help="write every measurement to FILE")
    add("--traces", metavar="DIR", help="write a trace of each of our builds to DIR")
    return made


def chosen_peers(text: str) -> dict[str, int | None]:
    """Peers by name, and their rounds where they are given: ``ours,buildah:1``."""
    chosen: dict[str, int | None] = {}
    for part in text.split(","):
        name, colon, rounds = part.partition(":")
        if name not in _PEERS or (colon and not (rounds.isdecimal() and int(rounds))):
            expected = f"expected some of {','.join(_PEERS)}, each with :N or not"
            raise argparse.ArgumentTypeError(f"got {part!r}; {expected}")
        chosen[name] = int(rounds) if colon else None
    return chosen


def _measure(scenario: str, options: argparse.Namespace, home: Path, figures: Figures) -> None:
    match scenario:
        case "startup":
            startup.measure(_warm(service), _peers(options, home), home, figures)
        case "bytecode":
            startup.measure_bytecode(_warm(service), options.rounds, home, figures)
        case "transfer":
            # With it comes the builder, which would count as memory of every process begun here.
            from bench import transfer  # noqa: PLC0415

            transfer.measure(options.rounds, home, figures)
        case "platforms":
            # With it comes the builder, as above.
            from bench import platforms  # noqa: PLC0415

            platforms.measure(options.rounds, home, figures)
        case "loading":
            work = Work(scenario="service into podman", sample=_warm(service), loads=True)
            rebuild.measure(work, _peers(options, home), home, figures)
        case _:
            sample = _warm(data if scenario == "data" else service)
            work = Work(scenario=sample.name, sample=sample)
            rebuild.measure(work, _peers(options, home), home, figures)


def _warm(make: Callable[[], Sample]) -> Sample:
    sample = make()
    warm(sample)
    return sample


def _peers(options: argparse.Namespace, home: Path) -> _Peers:
    traces = Path(options.traces).absolute() if options.traces else None
    if traces:
        traces.mkdir(parents=True, exist_ok=True)
    every: dict[str, Peer] = {
        "ours": Ours(home=home / "ours", traces=traces),
        "shell": Shell(home=home / "shell"),
        "buildah": Buildah(),
    }
    return [(every[name], rounds or options.rounds) for name, rounds in options.peers.items()]


if __name__ == "__main__":
    main(sys.argv[1:])
