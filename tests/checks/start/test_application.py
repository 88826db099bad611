import pytest

from builder.checks.finding import Finding, Severity
from builder.checks.start.application import check_application
from builder.settings import Settings
from layers.entries import FileEntry

SITE = "/app/.venv/lib/python3.12/site-packages"
INSIDE = SITE.lstrip("/")
UVICORN = "app/.venv/bin/uvicorn"


MISSING = Finding(
    check="missing-module",
    severity=Severity.ERROR,
    message="the image would run demo.main:app, and has no module demo.main; "
    f"looked in {SITE}, /app, /app/src",
    fix="correct [tool.builder] app, or see what .dockerignore leaves out",
)


def check(*paths: str, app: str = "demo.main:app") -> list[Finding]:
    return check_application(Settings(app=app), {UVICORN, *paths}, SITE)


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
    assert check(path) == []


def test_a_single_module_is_found_beside_the_venv() -> None:
    assert check("app/main.py", app="main:app.wsgi") == []


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
    assert check(path) == [MISSING]


def test_a_missing_server_is_an_error() -> None:
    found = check_application(Settings(app="demo.main:app"), {f"{INSIDE}/demo/main.py"}, SITE)
    assert found == [
        Finding(
            check="missing-command",
            severity=Severity.ERROR,
            message="the image would run uvicorn, which /app/.venv does not have",
            fix="uv add uvicorn, or choose another command: [tool.builder] cmd",
        )
    ]


def test_the_server_is_looked_for_in_the_workdir_that_is_chosen() -> None:
    site = "/srv/web/.venv/lib/python3.12/site-packages"
    settings = Settings(app="main:app", workdir="/srv/web")
    paths = {"srv/web/.venv/bin/uvicorn", "srv/web/main.py"}
    assert check_application(settings, paths, site) == []
    (finding,) = check_application(settings, {UVICORN, "srv/web/main.py"}, site)
    assert finding.message == "the image would run uvicorn, which /srv/web/.venv does not have"


EDITABLE = b"import __editable___demo_1_0_finder; __editable___demo_1_0_finder.install()\n"
PRECEDENCE = b"import os; var = 'SETUPTOOLS_USE_DISTUTILS'; os.environ.get(var)\n"


def check_with_pth(path: str, data: bytes) -> list[Finding]:
    entries = [FileEntry.of(UVICORN, b""), FileEntry.of(path, data)]
    return check_application(Settings(app="demo.main:app"), entries, SITE)


@pytest.mark.parametrize(
    "data", [b"/elsewhere/src\n", b"# places\n\n../more", EDITABLE, PRECEDENCE + b"src\n", b"\xe9"]
)
def test_nothing_is_said_where_pth_files_add_places(data: bytes) -> None:
    assert check_with_pth(f"{INSIDE}/demo.pth", data) == []


@pytest.mark.parametrize("data", [PRECEDENCE, b"", b"\n  \n# nothing\n", b"import\tos\n"])
def test_other_pth_files_do_not_excuse_a_missing_module(data: bytes) -> None:
    assert check_with_pth(f"{INSIDE}/distutils-precedence.pth", data) == [MISSING]


def test_pth_files_count_in_site_packages_itself() -> None:
    assert check_with_pth(f"{INSIDE}/vendored/demo.pth", b"src\n") == [MISSING]


def test_nothing_is_said_where_pth_files_cannot_be_read() -> None:
    assert check(f"{INSIDE}/editable.pth") == []
    assert check("app/src/demo/odd.pth") == [MISSING]


@pytest.mark.parametrize(
    "settings",
    [Settings(), Settings(app="a:b", cmd=("x",)), Settings(app="a:b", entrypoint=("x",))],
)
def test_nothing_is_said_of_a_command_that_is_not_ours(settings: Settings) -> None:
    assert check_application(settings, set(), SITE) == []
