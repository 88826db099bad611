"""Whether an image holds the Python module that its command starts."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, Any

from builder.checks.finding import Finding, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from builder.checks.start.command import Files

_PYTHON = re.compile(r"python(?:3(?:\.\d+)?)?")
_SERVERS = {"uvicorn", "gunicorn", "hypercorn", "daphne", "granian"}
_ELSEWHERE = ("--app-dir", "--chdir", "--pythonpath", "--working-dir")
"""Options that make a server look in other places."""
_APP = re.compile(r"(?P<module>[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*):[A-Za-z_][\w.]*(?:\(.*\))?")
_MODULE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*")
_WITH_VALUE = {"-W", "-X", "--check-hash-based-pycs"}
_LIBRARY = re.compile(r"(?:.*/)?lib(?:64)?/python3?[\d.]*(?:/lib-dynload)?")
_PACKAGES = ("/site-packages", "/dist-packages")
# They run code at every start, and add no places.
_HARMLESS = ("/distutils-precedence.pth", "/_virtualenv.pth")


def check_module(run: Mapping[str, Any], files: Files) -> Iterator[Finding]:
    """The module of ``python -m MODULE`` and of ``uvicorn MODULE:APP``, when it is nowhere.

    Says nothing where Python may look in more places than can be told: when there are ``.pth``
    files, or no standard library that consists of files.

    Args:
        run: the ``config`` member of the image config.
        files: all of the image's files.
    """
    argv = [*map(str, run.get("Entrypoint") or ()), *map(str, run.get("Cmd") or ())]
    module = _module(argv)
    if module is None:
        return
    library, packages = _roots(files)
    has_library = any(files.mode(f"/{root}/os.py") is not None for root in library)
    if not has_library or _has_path_files(packages, files):
        return
    own = [*_own_roots(run), *packages]
    if not any(_holds(files, root, module) for root in (*own, *library)):
        yield Finding(
            check="missing-module",
            severity=Severity.ERROR,
            message=f"the image would run {module}, and has no such module; looked in "
            + ", ".join(f"/{root}" for root in own),
            fix="correct the command: [tool.builder] cmd, or CMD; or add the package that has the "
            "module, or see what .dockerignore leaves out",
        )


def _module(argv: Sequence[str]) -> str | None:
    """What is imported first, as far as the command tells."""
    if not argv:
        return None
    program, *rest = argv
    name = program.rpartition("/")[2]
    if _PYTHON.fullmatch(name):
        return _of_python(rest)
    if name not in _SERVERS or any(word.startswith(_ELSEWHERE) for word in rest):
        return None
    # What follows an option may be its value.
    pairs = zip(argv, rest, strict=False)
    named = (_APP.fullmatch(word) for before, word in pairs if not before.startswith("-"))
    return next((app["module"] for app in named if app), None)


def _of_python(words: Sequence[str]) -> str | None:
    ahead = iter(words)
    for word in ahead:
        if word == "-m":
            module = next(ahead, "")
            return module if _MODULE.fullmatch(module) else None
        if word in _WITH_VALUE:
            next(ahead, None)
        elif not word.startswith("-") or word == "-c":
            return None
    return None


def _roots(files: Files) -> tuple[list[str], list[str]]:
    """Standard libraries, and the directories that packages are installed in."""
    directories = files.index.directories
    library = [path for path in directories if _LIBRARY.fullmatch(path)]
    packages = dict.fromkeys(path for path in directories if path.endswith(_PACKAGES))
    for path in files.new:
        for name in _PACKAGES:
            root, found, _ = path.partition(f"{name}/")
            if found:
                packages[f"{root}{name}"] = None
    return library, [*packages]


def _own_roots(run: Mapping[str, Any]) -> list[str]:
    """Where the process starts, what is usual below, and what ``PYTHONPATH`` says."""
    home = str(run.get("WorkingDir") or "/").strip("/")
    variables = (str(pair).partition("=") for pair in run.get("Env") or ())
    path = [value for name, _, value in variables if name == "PYTHONPATH"]
    named = path[-1].split(":") if path else []
    return [home, f"{home}/src".lstrip("/"), *(each.strip("/") for each in named if each)]


def _has_path_files(packages: Sequence[str], files: Files) -> bool:
    found = (path for path in chain(files.index.files, files.new) if path.endswith(".pth"))
    return any(
        path.rpartition("/")[0] in packages and not path.endswith(_HARMLESS) for path in found
    )


def _holds(files: Files, root: str, module: str) -> bool:
    """Whether the module is there in any form; a namespace package is a directory."""
    stem = f"{root}/{module.replace('.', '/')}".lstrip("/")
    if files.mode(f"/{stem}.py") is not None or files.has_directory(f"/{stem}"):
        return True
    return any(
        path.startswith(f"{stem}.") and path.endswith((".so", ".pyc"))
        for path in chain(files.index.files, files.new)
    )
