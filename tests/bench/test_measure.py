import argparse
import os
import re
import socket
import subprocess
import sys
import threading

import pytest

from bench.__main__ import SCENARIOS, chosen_peers, parser
from bench.counting import counting
from bench.measure import Figures, Taken, timed
from tests.cache import REPOSITORY


def test_of_several_rounds_the_median_counts_and_the_most_memory() -> None:
    figures = Figures()
    for seconds, peak, sent in ((3, 10, 100), (1, 30, 102), (2, 20, 101)):
        figures.add("x", "y", "ours", Taken(seconds=seconds, peak=peak, sent=sent))
    assert figures.of("x", "y", "ours") == Taken(seconds=2, peak=30, sent=101)
    assert figures.of("x", "y", "theirs") is None


MEASURING = """
import sys
from bench.measure import timed
large = "x = bytearray(150 << 20); x[::4096] = b'1' * len(x[::4096])"
taken = timed(["sh", "-c", f'"{sys.executable}" -c "{large}"; true'], {})
print(taken.peak, taken.seconds > 0, taken.cpu > 0)
"""


def test_the_memory_of_a_process_that_the_command_began_counts() -> None:
    # In a process of its own: what is forked from this one begins as large as this one.
    done = subprocess.run(
        [sys.executable, "-c", MEASURING], capture_output=True, text=True, check=True
    )
    peak, *others = done.stdout.split()
    assert 150 < float(peak) < 400
    assert others == ["True", "True"]


def test_a_command_that_fails_ends_the_benchmark_with_its_words() -> None:
    with pytest.raises(SystemExit, match="no such luck"):
        timed(["sh", "-c", "echo no such luck >&2; exit 3"], dict(os.environ))


def test_peers_may_have_rounds_of_their_own() -> None:
    assert chosen_peers("ours,buildah:1") == {"ours": None, "buildah": 1}
    options = parser().parse_args(["data", "startup", "--peers", "shell:2"])
    assert (options.scenarios, options.peers, options.rounds) == (
        ["data", "startup"],
        {"shell": 2},
        3,
    )
    assert parser().parse_args([]).scenarios == []


@pytest.mark.parametrize("text", ["", "docker", "ours:", "ours:0", "ours,shell:x"])
def test_other_peers_and_rounds_are_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="expected some of ours,shell,buildah"):
        chosen_peers(text)


def test_the_relay_counts_what_clients_send_and_hands_on_everything() -> None:
    question, answer = os.urandom(3 << 20), os.urandom(2 << 20)
    with socket.create_server(("127.0.0.1", 0)) as server:
        asked = []

        def serve() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection, connection.makefile("rb") as file:
                    asked.append(file.read())
                    connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with counting(f"127.0.0.1:{server.getsockname()[1]}") as counter:
            host, _, port = counter.host.partition(":")
            answers = []
            for _ in range(2):
                with socket.create_connection((host, int(port))) as client:
                    client.sendall(question)
                    client.shutdown(socket.SHUT_WR)
                    with client.makefile("rb") as file:
                        answers.append(file.read())
        thread.join()
    assert asked == [question, question]
    assert answers == [answer, answer]
    assert counter.sent == 2 * len(question)


def test_figures_remember_the_order_in_which_things_were_measured() -> None:
    figures = Figures()
    for scenario, situation, peer in (
        ("b", "z", "q"),
        ("b", "y", "p"),
        ("a", "z", "q"),
        ("b", "z", "p"),
    ):
        figures.add(scenario, situation, peer, Taken(seconds=1))
    assert figures.scenarios() == ["b", "a"]
    assert figures.situations("b") == ["z", "y"]
    assert figures.peers("b") == ["q", "p"]
    assert [one["peer"] for one in figures.to_json()] == ["q", "p", "q", "p"]


def test_every_scenario_is_explained() -> None:
    explained = (REPOSITORY / "docs" / "performance.md").read_text()
    for scenario in SCENARIOS:
        assert re.search(rf"`{scenario}`|\*{scenario}\*", explained), scenario
        assert scenario in parser().format_help()
