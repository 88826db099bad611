"""What is measured of a command, and kept of many."""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bench.engines import engines

type Command = Sequence[str | Path]


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What a command took; None for what was not measured.

    Attributes:
        seconds: on the clock.
        cpu: seconds that its processes kept a core busy; what else runs does not change it much.
        peak: megabytes (of 2^20 bytes) that the largest of its processes held at one time.
        sent: bytes that it sent to the registry.
        requests: that it made there.
    """

    seconds: float
    cpu: float | None = None
    peak: float | None = None
    sent: int | None = None
    requests: int | None = None


@dataclass(slots=True)
class Figures:
    """What was measured, by scenario, situation and peer, in the order of the rounds."""

    taken: dict[tuple[str, str, str], list[Taken]] = field(default_factory=dict)

    def add(self, scenario: str, situation: str, peer: str, taken: Taken) -> None:
        """Keep it, and show that work goes on."""
        self.taken.setdefault((scenario, situation, peer), []).append(taken)
        print(f"{scenario}, {situation}, {peer}: {taken.seconds:.2f} s", file=sys.stderr)

    def of(self, scenario: str, situation: str, peer: str) -> Taken | None:
        """The medians; of memory the most."""
        found = self.taken.get((scenario, situation, peer))
        if not found:
            return None
        return Taken(
            seconds=statistics.median(taken.seconds for taken in found),
            cpu=_median(taken.cpu for taken in found),
            peak=max(_known(taken.peak for taken in found), default=None),
            sent=_whole(_median(taken.sent for taken in found)),
            requests=_whole(_median(taken.requests for taken in found)),
        )

    def scenarios(self) -> list[str]:
        """In the order in which they were first measured; the next two, too."""
        return _once(scenario for scenario, _, _ in self.taken)

    def situations(self, scenario: str) -> list[str]:
        """Those of a scenario."""
        return _once(situation for one, situation, _ in self.taken if one == scenario)

    def peers(self, scenario: str) -> list[str]:
        """Those of a scenario."""
        return _once(peer for one, _, peer in self.taken if one == scenario)

    def to_json(self) -> list[dict[str, object]]:
        """Every measurement."""
        return [
            {
                "scenario": scenario,
                "situation": situation,
                "peer": peer,
                "rounds": [asdict(taken) for taken in found],
            }
            for (scenario, situation, peer), found in self.taken.items()
        ]


def timed(command: Command, environ: Mapping[str, str]) -> Taken:
    """Run a command to its end, which has to be a good one."""
    started = time.perf_counter()
    with tempfile.TemporaryFile() as said:
        child = subprocess.Popen(
            list(map(str, command)),
            env={**os.environ, **engines(), **environ},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=said,
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode:
            said.seek(0)
            sys.exit(f"{command}\n{said.read().decode()}")
    return Taken(
        seconds=time.perf_counter() - started,
        cpu=usage.ru_utime + usage.ru_stime,
        peak=usage.ru_maxrss / 1024,
    )


def _known[T](values: Iterable[T | None]) -> list[T]:
    return [value for value in values if value is not None]


def _median(values: Iterable[float | None]) -> float | None:
    known = _known(values)
    return statistics.median(known) if known else None


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def _once(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
