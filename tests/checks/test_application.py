import pytest

from builder.checks.application import check_application
from builder.errors import CheckError, exit_code
from builder.settings import Settings
from layers.entries import FileEntry

SITE = "/app/.venv/lib/python3.12/site-packages"
INSIDE = SITE.lstrip("/")
UVICORN = "app/.venv/bin/uvicorn"


def check(*paths: str, app: str | None = "demo.main:app", **settings: object) -> None:
    check_application(Settings(app=app, **settings), {UVICORN, *paths}, SITE)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "path",
    [
        f"{INSIDE}/demo/main.py",
        f"{INSIDE}/demo/main/__init__.py",
        f"{INSIDE}/demo/main.cpython-312-x86_64-linux-gnu.so",
        f"{INSIDE}/demo/main.abi3.so",
        f"{INSIDE}/demo/main.so",
        "app/src/demo/main.py",
        "app/demo/main.py",
    ],
)
def test_a_module_is_found_where_python_looks(path: str) -> None:
    check(path)


def test_a_single_module_is_found_beside_the_venv() -> None:
    check("app/main.py", app="main:app.wsgi")


@pytest.mark.parametrize(
    "path",
    [
        f"{INSIDE}/demo/mains.py",
        f"{INSIDE}/demo/main/app.py",
        f"{INSIDE}/demo/main.pyi",
        f"{INSIDE}/other/demo/main.py",
        "demo/main.py",
        "app/src/demo/__pycache__/main.cpython-312.pyc",
    ],
)
def test_a_missing_module_is_an_error_that_says_where_it_looked(path: str) -> None:
    with pytest.raises(CheckError) as caught:
        check(path)
    assert caught.value.message == (
        "the image would run demo.main:app, and has no module demo.main; "
        f"looked in {SITE}, /app, /app/src"
    )
    assert caught.value.hint == ("correct [tool.builder] app, or see what .dockerignore leaves out")
    assert exit_code(caught.value) == 1


def test_a_missing_server_is_an_error() -> None:
    with pytest.raises(CheckError) as caught:
        check_application(Settings(app="demo.main:app"), {f"{INSIDE}/demo/main.py"}, SITE)
    assert caught.value.message == "the image would run uvicorn, which /app/.venv does not have"
    assert caught.value.hint == "uv add uvicorn, or choose another command: [tool.builder] cmd"


def test_the_server_is_looked_for_in_the_workdir_that_is_chosen() -> None:
    site = "/srv/web/.venv/lib/python3.12/site-packages"
    settings = Settings(app="main:app", workdir="/srv/web")
    check_application(settings, {"srv/web/.venv/bin/uvicorn", "srv/web/main.py"}, site)
    with pytest.raises(CheckError, match=r"which /srv/web/\.venv does not have"):
        check_application(settings, {UVICORN, "srv/web/main.py"}, site)


EDITABLE = b"import __editable___demo_1_0_finder; __editable___demo_1_0_finder.install()\n"
PRECEDENCE = b"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; os.environ.get(var)\n"


def check_with_pth(path: str, data: bytes) -> None:
    entries = [FileEntry.of(UVICORN, b""), FileEntry.of(path, data)]
    check_application(Settings(app="demo.main:app"), entries, SITE)


@pytest.mark.parametrize(
    "data", [b"/elsewhere/src\n", b"# places\n\n../more", EDITABLE, PRECEDENCE + b"src\n", b"\xe9"]
)
def test_nothing_is_said_where_pth_files_add_places(data: bytes) -> None:
    check_with_pth(f"{INSIDE}/demo.pth", data)


@pytest.mark.parametrize("data", [PRECEDENCE, b"", b"\n  \n# nothing\n", b"import\tos\n"])
def test_other_pth_files_do_not_excuse_a_missing_module(data: bytes) -> None:
    with pytest.raises(CheckError, match=r"has no module demo\.main"):
        check_with_pth(f"{INSIDE}/distutils-precedence.pth", data)


def test_pth_files_count_in_site_packages_itself() -> None:
    with pytest.raises(CheckError):
        check_with_pth(f"{INSIDE}/vendored/demo.pth", b"src\n")


def test_nothing_is_said_where_pth_files_cannot_be_read() -> None:
    check(f"{INSIDE}/editable.pth")
    with pytest.raises(CheckError):
        check("app/src/demo/odd.pth")


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(app="a:b", cmd=("x",)), Settings(app="a:b", entrypoint=("x",))],
)
def test_nothing_is_said_of_a_command_that_is_not_ours(settings: Settings) -> None:
    check_application(settings, set(), SITE)
