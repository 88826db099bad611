import json
from pathlib import Path
from typing import Any

from bench.spans import Share, shares, top_spans


def bar(name: str, start: int, length: int, row: int = 0) -> dict[str, Any]:
    return {"name": name, "ph": "X", "ts": start, "dur": length, "pid": 1, "tid": row, "args": {}}


def row(number: int, name: str) -> dict[str, Any]:
    args = {"name": name}
    return {"name": "thread_name", "ph": "M", "ts": 0, "pid": 1, "tid": number, "args": args}


EVENTS = [
    row(0, "main"),
    row(1, "worker"),
    bar("layers", 100, 500),
    bar("interpreter", 0, 100),
    bar("pack", 110, 200),
    bar("compress", 120, 50),
    bar("pack", 310, 290),
    bar("wait", 600, 10),
    bar("pack", 100, 400, row=1),
    {"name": "a notice", "ph": "i", "s": "t", "ts": 5, "pid": 1, "tid": 0, "args": {}},
]


def test_own_time_is_what_no_span_within_takes() -> None:
    def share(name: str, times: int, total: int, own: int, row: str = "main") -> Share:
        return Share(name=name, row=row, times=times, total=total, own=own)

    assert shares(EVENTS) == [
        share("pack", 2, 490, 440),
        share("pack", 1, 400, 400, "worker"),
        share("interpreter", 1, 100, 100),
        share("compress", 1, 50, 50),
        share("layers", 1, 500, 10),
        share("wait", 1, 10, 10),
    ]


def test_of_many_names_with_the_same_first_word_the_word_stands_for_all() -> None:
    names = ["pack a 1", "pack b 2", "pack c 3", "pack d 4", "pack e 5"]
    packed = [bar(name, 10 * number, 2) for number, name in enumerate(names)]
    few = [bar(f"uv {what}", 100 * number, 1) for number, what in enumerate(("lock", "sync"), 1)]
    assert [
        (share.name, share.times, share.own) for share in shares([row(0, "x"), *packed, *few])
    ] == [
        ("pack ...", 5, 10),
        ("uv lock", 1, 1),
        ("uv sync", 1, 1),
    ]


def test_a_table_begins_with_the_longest(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text(json.dumps({"traceEvents": EVENTS}))
    lines = top_spans(tmp_path / "trace.json").splitlines()
    assert lines[0] == f"{tmp_path}/trace.json: 1 ms"
    assert lines[1].split() == ["0.4", "ms", "72%", "2", "x", "pack", "(main)"]
    assert len(lines) == 7


def test_a_trace_of_nothing_has_no_spans(tmp_path: Path) -> None:
    (tmp_path / "trace.json").write_text('{"traceEvents": []}')
    assert top_spans(tmp_path / "trace.json") == f"{tmp_path}/trace.json: 0 ms\n"
