"""Images that are broken by what the project's settings say."""

from pathlib import Path

from tests.e2e.broken import STARTS, Case, change, make_project
from tests.native import RUNS
from tests.wheels import write_wheel

_SERVER = """
import importlib, sys

def main():
    module, _, name = sys.argv[1].partition(":")
    print(getattr(importlib.import_module(module), name))

if __name__ == "__main__":
    main()
"""
_TOKEN = "gh" + "p_" + "Vb7Qe2Zk9Wm4Xs6Tn8Ru3Yp5Lc0Jd1Hf7Gaq"


def _set(name: str, check: str, advice: tuple[str, ...], wrong: str, right: str) -> Case:
    """A setting that is wrong. Where that only warns, the project wants to be refused."""

    def make(project: Path) -> None:
        write_wheel(
            project / "wheels",
            "uvicorn",
            files={"uvicorn.py": _SERVER.encode()},
            entry_points={"uvicorn": "uvicorn:main"},
        )
        is_bound = wrong.startswith("max-")
        make_project(
            project,
            {"demo.conf": "a = 1\n", "src/demo/__init__.py": f"app = {RUNS}\n"},
            command=None if wrong.startswith(("cmd", "app")) else STARTS,
            settings="" if is_bound else wrong,
            checks=f'refuse = ["{check}"]\n{wrong if is_bound else ""}',
            dependencies=("uvicorn",),
        )

    def repair(project: Path, _said: str) -> None:
        change(project, wrong, right)

    return Case(name=name, check=check, place="", advice=advice, make=make, repair=repair)


def _include(mode: str) -> str:
    return (
        f'include = [{{ source = "demo.conf", destination = "/etc/demo.conf", mode = "{mode}" }}]'
    )


SETTINGS = (
    _set(
        "token in env",
        "secret-in-env",
        ("API", "GitHub token", "set API where the container is started"),
        f'env = {{ API = "{_TOKEN}" }}',
        "env = {}",
    ),
    _set(
        "no such command",
        "missing-command",
        ("gunicorn", "/app/.venv/bin", "choose another command: [tool.builder] cmd"),
        'cmd = ["gunicorn", "demo:app"]',
        'cmd = ["uvicorn", "demo:app"]',
    ),
    _set(
        "no such module",
        "missing-module",
        ("demo.main:app", "correct [tool.builder] app"),
        'app = "demo.main:app"',
        'app = "demo:app"',
    ),
    _set(
        "no such module to run",
        "missing-module",
        ("demo.main", "correct the command: [tool.builder] cmd"),
        'cmd = ["python", "-m", "demo.main"]',
        'cmd = ["python", "-m", "uvicorn", "demo:app"]',
    ),
    _set("root", "root-user", ('user = "1001:1001"',), 'user = "root"', 'user = "1001:1001"'),
    _set(
        "low port",
        "privileged-port",
        ("port 80 ", "listen on a port such as 8000"),
        "ports = [80]",
        "ports = [8000]",
    ),
    _set(
        "file that all may write",
        "world-writable",
        ("/etc/demo.conf", "mode in include"),
        _include("0666"),
        _include("0644"),
    ),
    _set(
        "larger than allowed",
        "max-size",
        ("may have 1.0 MB", "raise max-size"),
        'max-size = "1MB"',
        'max-size = "500MB"',
    ),
    _set(
        "more layers than allowed",
        "max-layers",
        ("there may be 2", "raise max-layers"),
        "max-layers = 2",
        "max-layers = 20",
    ),
)
