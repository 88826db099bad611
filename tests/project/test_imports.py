import os
import sys
from pathlib import Path

import pytest

from builder.project.imports import check_import
from tests.process_end import wait_for_end
from tests.project.projects import snapshot, write_tree


def checked(app: str, *paths: Path, seconds: float = 30, **environ: str) -> str | None:
    return check_import(
        app,
        paths,
        Path(sys.executable),
        {"PATH": os.environ["PATH"], **environ},
        directory=paths[0],
        seconds=seconds,
    )


def test_what_can_be_imported_is_fine_and_nothing_is_written(tmp_path: Path) -> None:
    own = write_tree(tmp_path / "own", {"demo/__init__.py": "", "demo/main.py": "import third\n"})
    third = write_tree(
        tmp_path / "third", {"extra.pth": "more\n", "more/third.py": "class app:\n    inner = 1\n"}
    )
    before = snapshot(tmp_path)
    for app in ("demo.main", "demo.main:third", "demo.main:third.app.inner"):
        assert checked(app, own, third) is None
    assert snapshot(tmp_path) == before


@pytest.mark.parametrize(
    ("text", "app", "words"),
    [
        ("import absent", "demo:app", "ModuleNotFoundError: No module named 'absent'"),
        ("import pytest", "demo", "ModuleNotFoundError: No module named 'pytest'"),
        ("raise SystemExit('set KEY')", "demo", "SystemExit: set KEY"),
        ("import os; os.environ['HOME']", "demo", "KeyError: 'HOME'"),
        ("import sys; print('x', file=sys.stderr); 1/0", "demo", "ZeroDivisionError: division"),
        ("import sys; sys.stderr.close(); 1/0", "demo", "ZeroDivisionError: division"),
        ("import os; os.closerange(0, 99); 1/0", "demo", "ZeroDivisionError: division"),
        ("def a() -> 1 2", "demo", "SyntaxError: "),
        ("assert 0, __file__", "demo", "AssertionError: demo.py (demo.py, line 1)"),
        ("raise ValueError(*['a\\n\\nb\\nc\\nd\\ne'])", "demo", "ValueError: a | b | c | d ("),
    ],
)
def test_why_something_cannot_be_is_told(text: str, app: str, words: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": text})
    told = checked(app, tmp_path)
    assert told is not None
    assert told.startswith(words)
    assert told.endswith(" (demo.py, line 1)")


@pytest.mark.parametrize(
    ("app", "words"),
    [
        ("demo:app", "AttributeError: module 'demo' has no attribute 'app'"),
        ("dem:app", "ModuleNotFoundError: No module named 'dem'"),
    ],
)
def test_what_is_not_there_has_no_place(app: str, words: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": ""})
    assert checked(app, tmp_path) == words


def test_the_application_s_own_place_is_named(tmp_path: Path) -> None:
    """That of a package it needs says less."""
    own = write_tree(tmp_path, {"src/demo/main.py": "\nimport third\n"})
    write_tree(tmp_path, {"site/third.py": "def fail():\n    1/0\nfail()\n"})
    told = checked("demo.main", own / "site", own, own / "src")
    assert told == "ZeroDivisionError: division by zero (demo/main.py, line 2)"


def test_an_endless_message_is_cut(tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": "raise ValueError('x' * 10_000)"})
    told = checked("demo", tmp_path)
    assert told is not None
    assert told.startswith("ValueError: xxx")
    assert len(told) < 250


def test_the_image_s_variables_are_there_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "1")
    code = "import os\nassert sorted(os.environ) == ['LANG', 'MODE', 'PATH'], list(os.environ)"
    write_tree(tmp_path, {"demo.py": code})
    assert checked("demo", tmp_path, MODE="x", LANG="C.UTF-8") is None


@pytest.mark.parametrize("code", ["import time\ntime.sleep(600)", "import pause"])
def test_what_hangs_is_ended_where_it_hangs(code: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": f"import os\n{code}\n"})
    write_tree(tmp_path, {"pause.py": "import time\ntime.sleep(600)\n"})
    told = checked("demo", tmp_path, seconds=0.5)
    line = 2 + code.count("\n")
    assert told == f"it took longer than 0.5 s (demo.py, line {line})"


def test_a_thread_that_goes_on_is_not_waited_for(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()\n"
    write_tree(tmp_path, {"demo.py": code})
    assert checked("demo", tmp_path) is None


LEFT = """
import pathlib, subprocess
pathlib.Path("left").write_text(str(subprocess.Popen(["sleep", "600"]).pid))
"""
FORKED = """
import os, pathlib
if os.fork() == 0:
    import time
    pathlib.Path("left").write_text(str(os.getpid()))
    time.sleep(600)
while not os.path.exists("left") or not os.path.getsize("left"):
    pass
"""


@pytest.mark.parametrize("code", [LEFT, FORKED])
def test_a_process_that_goes_on_is_ended(code: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": code})
    assert checked("demo", tmp_path) is None
    wait_for_end(int((tmp_path / "left").read_text()))


def test_two_that_come_back_are_one_answer(tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": "import os\nos.fork()\n"})
    assert checked("demo", tmp_path) is None


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("os.kill(os.getpid(), 9)", "Python was ended by signal 9"),
        ("os._exit(0)", "Python was ended before that was done, with exit code 0"),
        (
            "os.write(2, b'no licence\\n'); os._exit(3)",
            "Python was ended before that was done, with exit code 3 | no licence",
        ),
    ],
)
def test_python_that_ends_itself_is_told_of(code: str, words: str, tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": f"import os\n{code}\n"})
    assert checked("demo", tmp_path) == words
