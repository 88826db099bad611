import json
from pathlib import Path

from bench.measure import Figures, Taken
from bench.report import tables, write_json

TABLES = """\
| service, seconds | ours | shell | times | buildah | times |
| ---------------- | ---: | ----: | ----: | ------: | ----: |
| empty store      | 2.00 |     - |     - |       - |     - |
| nothing changed  | 0.10 |  0.30 |   3.0 |    3.45 |  34.5 |

| service, MB sent |   ours | shell | buildah |
| ---------------- | -----: | ----: | ------: |
| empty store      | 26.400 |     - |       - |
| nothing changed  |  0.001 |     - |       - |

| service, requests | ours | shell | buildah |
| ----------------- | ---: | ----: | ------: |
| empty store       |    9 |     - |       - |
| nothing changed   |    1 |     0 |       - |

| service, MB of memory | ours | shell | buildah |
| --------------------- | ---: | ----: | ------: |
| empty store           |   96 |     - |       - |
| nothing changed       |   31 |     - |       - |
"""


# Of what nobody measured nothing is said.
DATA = """\
| data, seconds   | ours |
| --------------- | ---: |
| nothing changed | 1.00 |
"""


def figures() -> Figures:
    made = Figures()
    made.add(
        "service", "empty store", "ours", Taken(seconds=2, peak=96, sent=26_400_000, requests=9)
    )
    for seconds, peak in ((0.1, 30.2), (0.09, 31), (7, 29)):
        made.add(
            "service",
            "nothing changed",
            "ours",
            Taken(seconds=seconds, peak=peak, sent=900, requests=1),
        )
    made.add("service", "nothing changed", "shell", Taken(seconds=0.3, requests=0))
    made.add("service", "nothing changed", "buildah", Taken(seconds=3.45))
    return made


def test_a_table_shows_medians_and_how_many_times_as_long_peers_take() -> None:
    assert tables(figures()) == TABLES


def test_scenarios_have_tables_of_their_own() -> None:
    made = figures()
    made.add("data", "nothing changed", "ours", Taken(seconds=1))
    assert tables(made) == f"{TABLES}\n{DATA}"


def test_json_holds_every_round(tmp_path: Path) -> None:
    write_json(figures(), tmp_path / "out.json")
    document = json.loads((tmp_path / "out.json").read_text())
    assert set(document["machine"]) == {"cores", "cpu", "kernel"}
    seconds = {
        (one["situation"], one["peer"]): [taken["seconds"] for taken in one["rounds"]]
        for one in document["measured"]
    }
    assert seconds == {
        ("empty store", "ours"): [2],
        ("nothing changed", "ours"): [0.1, 0.09, 7],
        ("nothing changed", "shell"): [0.3],
        ("nothing changed", "buildah"): [3.45],
    }
