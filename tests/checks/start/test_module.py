from typing import Any

import pytest

from builder.checks.finding import Severity
from builder.checks.start.command import Files
from builder.checks.start.module import check_module
from builder.rootfs.file_index import FileIndex
from layers.entries import DirEntry
from tests.checks.start.test_config import SOUND

_LIBRARY = "usr/local/lib/python3.12"
_SITE = "app/.venv/lib/python3.12/site-packages"
_BASE: dict[str, DirEntry | str | int] = {
    _LIBRARY: DirEntry(path=_LIBRARY),
    f"{_LIBRARY}/os.py": 0o644,
    f"{_LIBRARY}/http": DirEntry(path=f"{_LIBRARY}/http"),
    f"{_LIBRARY}/http/server.py": 0o644,
    f"{_LIBRARY}/lib-dynload": DirEntry(path=f"{_LIBRARY}/lib-dynload"),
    f"{_LIBRARY}/lib-dynload/_json.cpython-312-x86_64-linux-gnu.so": 0o644,
    "srv/linked": "../app/other",
}
_NEW = (
    f"{_SITE}/demo/__init__.py",
    f"{_SITE}/demo/main.py",
    f"{_SITE}/space/inner/module.py",
    f"{_SITE}/native.cpython-312-x86_64-linux-gnu.so",
    "app/local.py",
    "app/src/below.py",
    "app/other/named.py",
)


def files(*more: str) -> Files:
    return Files(index=FileIndex.of_nodes(_BASE), new=dict.fromkeys((*_NEW, *more), 0o644))


def messages(whole: Files, *argv: str, **run: Any) -> list[str]:
    found = check_module(SOUND | {"Cmd": argv} | run, whole)
    return [finding.message for finding in found]


@pytest.mark.parametrize(
    "argv",
    [
        ("python", "-m", "demo"),
        ("python3.12", "-u", "-X", "dev", "-m", "demo.main", "--port", "80"),
        ("/usr/local/bin/python3", "-m", "http.server"),
        ("python", "-m", "space.inner.module"),
        ("python", "-m", "native"),
        ("python", "-m", "_json"),
        ("python", "-m", "local"),
        ("python", "-c", "import nowhere", "-m", "nowhere"),
        ("python", "run.py", "-m", "nowhere"),
        ("python", "-m"),
        ("python",),
        ("uvicorn", "demo.main:app"),
        ("uvicorn", "below:make()", "--factory"),
        ("gunicorn", "-b", "localhost:8000", "-c", "python:nowhere", "demo:app.wsgi"),
        ("uvicorn", "--app-dir", "other", "nowhere:app"),
        ("gunicorn", "--chdir=/elsewhere", "nowhere:app"),
        ("uvicorn", "--host", "0.0.0.0"),
        ("celery", "-A", "nowhere:app"),
    ],
)
def test_what_is_there_or_cannot_be_told_is_let_go(argv: tuple[str, ...]) -> None:
    assert messages(files(), *argv) == []


@pytest.mark.parametrize(
    ("argv", "module"),
    [
        (("python", "-m", "nowhere"), "nowhere"),
        (("python3", "-W", "error", "-m", "demo.nowhere"), "demo.nowhere"),
        (("uvicorn", "demo.nowhere:app", "--host", "::"), "demo.nowhere"),
        (("/app/.venv/bin/gunicorn", "-w", "4", "nowhere:create(1)"), "nowhere"),
    ],
)
def test_what_is_not_there_is_an_error(argv: tuple[str, ...], module: str) -> None:
    [finding] = check_module(SOUND | {"Cmd": argv}, files())
    assert (finding.check, finding.severity) == ("missing-module", Severity.ERROR)
    assert finding.message == (
        f"the image would run {module}, and has no such module; looked in /app, /app/src, /{_SITE}"
    )


def test_the_entrypoint_comes_first() -> None:
    assert messages(files(), "-m", "nowhere", Entrypoint=["python"]) != []
    assert messages(files(), "-m", "demo", Entrypoint=["python"]) == []


def test_python_path_counts() -> None:
    argv = ("python", "-m", "named")
    assert messages(files(), *argv) != []
    assert messages(files(), *argv, Env=["PYTHONPATH=:/nowhere:/app/other"]) == []
    assert messages(files(), *argv, Env=["PYTHONPATH=/srv/linked"]) == []


def test_path_files_may_add_any_place() -> None:
    argv = ("python", "-m", "nowhere")
    assert messages(files(f"{_SITE}/editable.pth"), *argv) == []
    assert messages(files(f"{_SITE}/distutils-precedence.pth"), *argv) != []
    assert messages(files("app/data/some.pth"), *argv) != []


def test_without_a_library_nothing_is_known() -> None:
    bare = Files(index=FileIndex(), new=dict.fromkeys(_NEW, 0o644))
    assert messages(bare, "python", "-m", "nowhere") == []
