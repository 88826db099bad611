import os
import signal
import sys
from pathlib import Path

import pytest

from builder.process import run
from builder.project.imports import check_import
from tests.project.projects import snapshot, write_tree


def checked(app: str, *paths: Path, seconds: float = 30, **environ: str) -> str | None:
    return check_import(
        app,
        paths,
        Path(sys.executable),
        run,
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
        ("", "demo:app", "AttributeError: module 'demo' has no attribute 'app'"),
        ("", "dem:app", "ModuleNotFoundError: No module named 'dem'"),
        ("import pytest", "demo", "ModuleNotFoundError: No module named 'pytest'"),
        ("raise SystemExit('set KEY')", "demo", "SystemExit: set KEY"),
        ("import os\nos.environ['HOME']", "demo", "KeyError: 'HOME'"),
        ("import sys\nprint('x', file=sys.stderr)\n1/0", "demo", "ZeroDivisionError"),
    ],
)
def test_the_last_words_of_what_cannot_be_are_told(
    text: str, app: str, words: str, tmp_path: Path
) -> None:
    write_tree(tmp_path, {"demo.py": text})
    told = checked(app, tmp_path)
    assert told is not None
    assert words in told.splitlines()[-1]
    assert str(tmp_path) not in told
    assert "<string>" not in told
    assert "importlib" not in told
    assert "x" not in told.splitlines()


def test_the_place_in_the_application_is_named(tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": "\nimport absent\n"})
    assert checked("demo", tmp_path) == (
        "Traceback (most recent call last):\n"
        '  File "demo.py", line 2, in <module>\n'
        "    import absent\n"
        "ModuleNotFoundError: No module named 'absent'"
    )


def test_the_image_s_variables_are_there_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THIS_MACHINE", "1")
    code = "import os\nassert sorted(os.environ) == ['LANG', 'MODE', 'PATH'], list(os.environ)"
    write_tree(tmp_path, {"demo.py": code})
    assert checked("demo", tmp_path, MODE="x", LANG="C.UTF-8") is None


def test_what_hangs_is_ended_where_it_hangs(tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": "import time\ntime.sleep(600)\n"})
    told = checked("demo", tmp_path, seconds=0.2)
    assert told is not None
    assert "Timeout" in told
    assert 'File "demo.py", line 2 in <module>' in told


def test_a_thread_that_goes_on_is_not_waited_for(tmp_path: Path) -> None:
    code = "import threading, time\nthreading.Thread(target=time.sleep, args=[600]).start()\n"
    write_tree(tmp_path, {"demo.py": code})
    assert checked("demo", tmp_path) is None


def test_python_that_dies_is_told_of(tmp_path: Path) -> None:
    write_tree(tmp_path, {"demo.py": "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"})
    assert checked("demo", tmp_path) == f"Python was ended by signal {int(signal.SIGKILL)}"
