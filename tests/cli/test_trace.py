"""``--trace FILE``: a trace that viewers read, of builds that end well and of those that do not."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from builder.cli.trace import Trace, TracedRunner, process_start
from builder.events import Caution, Event, Notice, Span, StepDone, StepStarted, span, step
from builder.process import run
from layers.entries import FileEntry
from tests.cli.conftest import Place, base_layer, write_base
from tests.cli.running import Running
from tests.cli.stalling import stalling_registry
from tests.command import builder

# What the format's document wants of every event, and of those with a length.
_MEMBERS = {"name", "cat", "ph", "ts", "pid", "tid", "args"}
_OF_KIND = {"X": {"dur"}, "i": {"s"}, "M": set[str]()}


def read(path: Path) -> list[dict[str, Any]]:
    """The events of a trace, which has to be what viewers want."""
    document = json.loads(path.read_text())
    assert set(document) == {"displayTimeUnit", "traceEvents"}
    events: list[dict[str, Any]] = document["traceEvents"]
    for event in events:
        assert set(event) == _MEMBERS | _OF_KIND[event["ph"]], event
        assert all(isinstance(event[name], int) and event[name] >= 0 for name in ("ts", "pid"))
    bars = [event for event in events if event["ph"] == "X"]
    assert all(isinstance(bar["dur"], int) and bar["dur"] >= 0 for bar in bars)
    rows = {event["tid"] for event in events if event["name"] == "thread_name"}
    assert {bar["tid"] for bar in bars} <= rows
    return events


def names(events: list[dict[str, Any]], kind: str = "X") -> list[str]:
    return [event["name"] for event in events if event["ph"] == kind]


def details(events: list[dict[str, Any]]) -> dict[str, str]:
    return {event["name"]: event["args"].get("detail", "") for event in events}


def test_a_trace_tells_of_every_step_and_program(place: Place) -> None:
    done = place.build("--trace", "trace.json")
    events = read(place.out / "trace.json")
    steps = [line.split("  ")[0] for line in done.stderr.splitlines() if " s  " in line]
    assert len(steps) > 3
    assert set(steps) <= set(names(events))
    assert {"interpreter", "imports", "uv sync"} <= set(names(events))
    assert names(events)[0] == "interpreter"
    assert all(bar["dur"] < 10**9 for bar in events if bar["ph"] == "X")


def test_a_build_that_fails_leaves_a_trace(place: Place) -> None:
    place.append("this is no TOML", name="uv.lock")
    place.build("--trace", "trace.json", code=1)
    assert details(read(place.out / "trace.json"))["settings"] == "did not end"


def test_a_build_that_is_interrupted_leaves_a_trace(place: Place, tmp_path: Path) -> None:
    large = [FileEntry.of("large", os.urandom(3 << 20))]
    write_base(tmp_path / "large", base_layer(), large)
    with stalling_registry(tmp_path / "large") as registry:
        place = place.on_base(f"{registry.host}/large")
        with Running(place, ["--no-load", "--trace", "trace.json"]) as running:
            running.until(registry.stalled.is_set)
            running.cancel()
            assert running.ended(130).endswith("interrupted\n")
        registry.released.set()
    assert details(read(place.out / "trace.json"))["base"] == "did not end"


def test_a_trace_cannot_stand_in_another_results_place(place: Place) -> None:
    said = place.refused("--trace", "x.json", "--metadata-file", "./x.json", code=2)
    assert said == "error: two results for one file: x.json, ./x.json\n"


@pytest.mark.parametrize("path", ["", "."])
def test_what_is_no_file_is_refused_before_the_build(place: Place, path: str) -> None:
    said = place.refused("--trace", path, code=2)
    assert said == f"error: cannot write the result to {path!r}: not a file\n"


def test_a_build_that_failed_says_so_even_when_its_trace_cannot_be_written(place: Place) -> None:
    (place.out / "file").touch()
    place.append("this is no TOML", name="uv.lock")
    said = place.build("--trace", "file/trace.json", code=1).stderr
    assert "warning: cannot write file/trace.json: " in said
    assert "uv.lock" in said.partition("error: ")[2]


def test_push_is_traced_too(place: Place) -> None:
    environ = {**place.environ, "BUILDER_BASE": "oci:/nowhere"}
    arguments = (place.project, "127.0.0.1:1/team/app:1", "--dry-run", "--trace", "trace.json")
    builder("push", *arguments, env=environ, cwd=place.out, code=1)
    events = details(read(place.out / "trace.json"))
    assert (events["settings"], events["base"]) == ("demo 1.0", "did not end")


def test_nothing_of_it_is_imported_without_the_flag() -> None:
    program = (
        "import sys; from builder.cli import main; "
        "main(['build', '/nowhere']); print('builder.cli.trace' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout == b"False\n"


class Heard(list[Event]):
    """An event sink that remembers."""

    def __call__(self, event: Event, /) -> None:
        self.append(event)


def test_everything_but_spans_is_handed_on() -> None:
    heard = Heard()
    trace = Trace(heard, began=0)
    told: list[Event] = [StepStarted("a"), Notice("b"), Caution("c", "d"), StepDone("a", "e", 0.5)]
    for event in (*told, Span("f", 1, 2, 3)):
        trace(event)
    assert heard == told


def test_what_a_step_runs_lies_within_the_step() -> None:
    trace = Trace(Heard(), began=time.perf_counter())
    with step(trace, "settings"):
        TracedRunner(run=run, events=trace)(["true"])
    bars = {event["name"]: event for event in trace.events()}
    outer, inner = bars["settings"], bars["true"]
    assert outer["tid"] == inner["tid"]
    assert outer["ts"] <= inner["ts"]
    assert inner["ts"] + inner["dur"] <= outer["ts"] + outer["dur"]


def test_every_thread_has_a_row_of_its_own() -> None:
    trace = Trace(Heard(), began=time.perf_counter())

    def work() -> None:
        with span(trace, "work"):
            pass

    thread = threading.Thread(target=work, name="worker")
    thread.start()
    thread.join()
    trace(Span("compiling", 1, 2, thread=-7))
    rows = {e["args"]["name"]: e["tid"] for e in trace.events() if e["name"] == "thread_name"}
    bars = {e["name"]: e["tid"] for e in trace.events() if e["ph"] == "X"}
    assert rows == {"MainThread": 1, "worker": 2, "process -7": 3}
    assert bars == {"interpreter": 1, "work": 2, "compiling": 3}


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        (["sync", "--frozen", "sekret"], "uv sync"),
        (["-c", "core.x=1", "-C", "/place", "log", "-1"], "uv log"),
        (["-c", "import secret"], "uv"),
        ([], "uv"),
    ],
)
def test_programs_are_named_without_their_arguments(
    arguments: list[str], name: str, tmp_path: Path
) -> None:
    program = tmp_path / "uv"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    heard = Heard()
    TracedRunner(run=run, events=heard)([str(program), *arguments], stdin="sekret")
    assert [event.name for event in heard if isinstance(event, Span)] == [name]


def test_this_process_began_after_the_one_that_started_it() -> None:
    before = time.perf_counter()
    program = "from builder.cli.trace import process_start; print(process_start())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    tick = 0.02
    assert before - tick <= float(done.stdout) <= time.perf_counter()
    assert process_start() <= before
