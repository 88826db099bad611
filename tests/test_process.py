"""Programs that cannot be trusted to end."""

import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from builder.process import run_apart, stop_children
from tests.process_end import wait_for_end


def python(code: str, seconds: float = 30, stdin: str = "") -> tuple[int, str, str]:
    done = run_apart([sys.executable, "-c", code], seconds=seconds, stdin=stdin)
    return done.code, done.stdout, done.stderr


def test_it_reads_and_writes() -> None:
    code = "import sys; sys.stderr.write(sys.stdin.read()); print(1); sys.exit(3)"
    assert python(code, stdin="ä") == (3, "1\n", "ä")


def test_of_much_the_end_is_kept() -> None:
    code, said, _ = python("print('a' * 100_000 + 'b')")
    assert code == 0
    assert len(said) < 100_000
    assert said.endswith("ab\n")


def test_what_takes_too_long_is_ended_with_all_it_began(tmp_path: Path) -> None:
    """Also what has left its session."""
    code = (
        "import subprocess, sys\n"
        "for apart in (False, True):\n"
        "    child = subprocess.Popen(['sleep', '600'], start_new_session=apart)\n"
        "    open(sys.argv[1], 'a').write(f'{child.pid}\\n')\n"
        "child.wait()\n"
    )
    with pytest.raises(TimeoutError, match=r"longer than 0.5 s"):
        run_apart([sys.executable, "-c", code, str(tmp_path / "pids")], seconds=0.5)
    pids = (tmp_path / "pids").read_text().split()
    assert len(pids) == 2
    for pid in pids:
        wait_for_end(int(pid))


def test_it_is_stopped_as_others_are(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "begun")
    codes: list[int] = []
    code = f"import time; open({str(tmp_path / 'begun')!r}, 'w').close(); time.sleep(600)"
    thread = threading.Thread(target=lambda: codes.append(python(code)[0]))
    thread.start()
    (tmp_path / "begun").read_bytes()
    stop_children()
    thread.join()
    assert codes == [-signal.SIGTERM]


def test_a_program_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run_apart([str(tmp_path / "none")], seconds=1)
