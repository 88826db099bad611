"""What was measured, as tables to read side by side and as JSON to keep."""

import json
import os
import platform
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.measure import Figures, Taken

_OTHERS: dict[str, Callable[[Taken], str | None]] = {
    "CPU seconds": lambda taken: None if taken.cpu is None else f"{taken.cpu:.2f}",
    "MB sent": lambda taken: None if taken.sent is None else f"{taken.sent / 1e6:.3f}",
    "requests": lambda taken: None if taken.requests is None else str(taken.requests),
    "MB of memory": lambda taken: None if taken.peak is None else f"{taken.peak:.0f}",
}


def tables(figures: Figures) -> str:
    """Tables of Markdown for every scenario: the seconds, then whatever else was measured.

    A ratio says how many times as long a peer takes as the first one, which is us.
    """
    made = []
    for scenario in figures.scenarios():
        made.append(_seconds(figures, scenario))
        made += [_others(figures, scenario, title, show) for title, show in _OTHERS.items()]
    return "\n".join(filter(None, made))


def write_json(figures: Figures, path: Path) -> None:
    """Every measurement, and the machine that it was made on."""
    machine = {"cores": len(os.sched_getaffinity(0)), "cpu": _cpu(), "kernel": platform.release()}
    document = {"machine": machine, "measured": figures.to_json()}
    path.write_text(json.dumps(document, indent=2) + "\n")


def _seconds(figures: Figures, scenario: str) -> str:
    first, *others = figures.peers(scenario)
    heads = [f"{scenario}, seconds", first, *(head for peer in others for head in (peer, "times"))]
    rows = []
    for situation in figures.situations(scenario):
        ours = figures.of(scenario, situation, first)
        row = [situation, f"{ours.seconds:.2f}" if ours else "-"]
        for peer in others:
            taken = figures.of(scenario, situation, peer)
            row.append(f"{taken.seconds:.2f}" if taken else "-")
            row.append(f"{taken.seconds / ours.seconds:.1f}" if taken and ours else "-")
        rows.append(row)
    return _markdown(heads, rows)


def _others(
    figures: Figures, scenario: str, title: str, show: Callable[[Taken], str | None]
) -> str:
    """Nothing, when nobody measured it."""
    peers = figures.peers(scenario)
    rows = []
    for situation in figures.situations(scenario):
        taken = [figures.of(scenario, situation, peer) for peer in peers]
        shown = [show(one) if one else None for one in taken]
        if any(shown):
            rows.append([situation, *(cell or "-" for cell in shown)])
    return _markdown([f"{scenario}, {title}", *peers], rows) if rows else ""


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(heads, *rows, strict=True)]
    rule = ["-" * widths[0], *(f"{'-' * (width - 1)}:" for width in widths[1:])]
    return "".join(
        f"| {first:<{widths[0]}} | "
        + " | ".join(f"{cell:>{width}}" for cell, width in zip(rest, widths[1:], strict=True))
        + " |\n"
        for first, *rest in (heads, rule, *rows)
    )


def _cpu() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
