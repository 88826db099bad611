"""Where the time of a trace went: the spans that took most, without what they contain."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST = 12
_FEW = 4
_ROW = "thread_name"


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Spans of one name on rows of one name; times in microseconds.

    Attributes:
        times: how many there are.
        total: how long they lasted together.
        own: without the spans within them, on the same row.
    """

    name: str
    row: str
    times: int
    total: int
    own: int


def top_spans(path: Path) -> str:
    """A table of a trace's longest spans, by their own time."""
    events = json.loads(path.read_text())["traceEvents"]
    bars = [event for event in events if event["ph"] == "X"]
    whole = max((bar["ts"] + bar["dur"] for bar in bars), default=0)
    lines = [f"{path}: {whole / 1000:.0f} ms"]
    lines += [
        f"{share.own / 1000:9.1f} ms {share.own / whole:5.0%} {share.times:5} x  "
        f"{share.name} ({share.row})"
        for share in shares(events)[:_MOST]
        if whole
    ]
    return "\n".join(lines) + "\n"


def shares(events: Sequence[Mapping[str, Any]]) -> list[Share]:
    """Every name's share, the longest own time first.

    Args:
        events: of a trace, as its file has them; of many names with the same first word, such as
            ``pack idna 3.10``, that word stands for all.
    """
    rows = {event["tid"]: event["args"]["name"] for event in events if event["name"] == _ROW}
    bars = [event for event in events if event["ph"] == "X"]
    kinds = _kinds({bar["name"] for bar in bars})
    found: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row, name in rows.items():
        for bar, own in _own_times(bar for bar in bars if bar["tid"] == row):
            found[kinds[bar["name"]], name].append((bar["dur"], own))
    every = [
        Share(
            name=name,
            row=row,
            times=len(times),
            total=sum(total for total, _ in times),
            own=sum(own for _, own in times),
        )
        for (name, row), times in found.items()
    ]
    return sorted(every, key=lambda share: -share.own)


def _kinds(names: Iterable[str]) -> Mapping[str, str]:
    alike: dict[str, list[str]] = defaultdict(list)
    for name in names:
        alike[name.partition(" ")[0]].append(name)
    return {
        name: f"{word} ..." if len(same) > _FEW else name
        for word, same in alike.items()
        for name in same
    }


def _own_times(bars: Iterable[Mapping[str, Any]]) -> Iterable[tuple[Mapping[str, Any], int]]:
    """Every bar of a row, and how long no other one lay within it."""
    inner: dict[int, int] = defaultdict(int)
    around: list[tuple[int, int]] = []
    ordered = sorted(bars, key=lambda bar: (bar["ts"], -bar["dur"]))
    for number, bar in enumerate(ordered):
        end = bar["ts"] + bar["dur"]
        while around and around[-1][1] < end:
            around.pop()
        if around:
            inner[around[-1][0]] += bar["dur"]
        around.append((number, end))
    return [(bar, bar["dur"] - inner[number]) for number, bar in enumerate(ordered)]
