"""Whether an application can live on the Python that its base has."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from builder.errors import SettingsError
from builder.target import Python

if TYPE_CHECKING:
    from pathlib import Path

    from packaging.version import Version

    from builder.project.lock import Lock
    from builder.project.pyproject import Pyproject

_PIN = ".python-version"
# 3.12, 3.12.1, 3.13t, cpython@3.12, cpython-3.12.1-linux-x86_64-gnu
_PINNED = re.compile(r"(?:(?:cpython|python|cp)[@-]?)?(\d+)\.(\d+)(?![\d*]).*")
_PLAIN_BOUND = re.compile(r"(?P<kind>>=|<)[ ]*(?P<major>[0-9]+)(?:\.(?P<minor>[0-9]+))?")
_PLAIN_RELEASE = re.compile(r"[0-9]+(?:\.[0-9]+)*")
_PATCHES = 100
_MINORS = 100
_USUAL_MINOR = 12
"""That of the usual base."""


def check_python(
    pyproject: Pyproject, lock: Lock, base: str, python: Python, version: str | None = None
) -> None:
    """The venv is made for the base's Python; the project has to agree with that.

    Args:
        pyproject: for ``requires-python``.
        lock: ``.python-version`` is looked for in its directory too.
        base: the base's name.
        python: the base's.
        version: its patch release, as the base's ``PYTHON_VERSION`` tells it; any when None.

    Raises:
        SettingsError: ``requires-python`` or ``.python-version`` excludes it.
    """
    hint = f'set [tool.builder] base, or --base, to an image with the right Python; now "{base}"'
    if not _accepts(pyproject, python, version):
        raise SettingsError(
            f"{pyproject.path}: project.requires-python is {pyproject.requires_python!r}, "
            f"the base {base} has Python {_patch_release(python, version) or python.minor}",
            hint=hint,
        )
    for directory in (pyproject.directory, lock.directory):
        path = directory / _PIN
        pin = _pin(path)
        if pin and _minor(pin) not in {None, python.version}:
            raise SettingsError(
                f"{path} asks for Python {pin}, the base {base} has Python {python.minor}",
                hint=f"{hint}; or change {_PIN}",
            )
        if pin:
            return


def wanted_python(pyproject: Pyproject, lock: Lock) -> tuple[int, int]:
    """The minor version that a project is for, where its base does not decide.

    What ``.python-version`` names; else that of the usual base where ``requires-python`` allows
    it; else the next that it allows.

    Raises:
        SettingsError: ``requires-python`` is no specifier, or allows no Python 3.
    """
    for directory in (pyproject.directory, lock.directory):
        pin = _pin(directory / _PIN)
        if pin and (pinned := _minor(pin)):
            return pinned
        if pin:
            break
    for minor in (*range(_USUAL_MINOR, _MINORS), *reversed(range(_USUAL_MINOR))):
        python = Python(version=(3, minor), path=f"/usr/local/bin/python3.{minor}")
        if _accepts(pyproject, python, None):
            return python.version
    raise SettingsError(
        f"{pyproject.path}: project.requires-python is {pyproject.requires_python!r}, "
        "which no Python 3 is"
    )


def _patch_release(python: Python, version: str | None) -> Version | None:
    """What the base says, when it speaks of this Python: a Debian base may have another."""
    from packaging.version import InvalidVersion, Version  # noqa: PLC0415 - see ``_plainly_accepts``

    try:
        said = Version(version or "")
    except InvalidVersion:
        return None
    return said if said.release[:2] == python.version else None


def _accepts(pyproject: Pyproject, python: Python, version: str | None) -> bool:
    if _plainly_accepts(pyproject.requires_python, python, version):
        return True
    from packaging.specifiers import InvalidSpecifier, SpecifierSet  # noqa: PLC0415 - see above

    try:
        wanted = SpecifierSet(pyproject.requires_python)
    except InvalidSpecifier:
        raise SettingsError(
            f"{pyproject.path}: project.requires-python: got {pyproject.requires_python!r}; "
            f'expected a version specifier such as ">=3.12"'
        ) from None
    if (patch := _patch_release(python, version)) is not None:
        return wanted.contains(patch, prereleases=True)
    # The minor version is all that is known; any of its patch releases may be the one.
    return any(wanted.contains(f"{python.minor}.{patch}") for patch in range(_PATCHES))


def _plainly_accepts(requires: str, python: Python, version: str | None) -> bool:
    """Whether it is certain without the library, whose import takes longer than the question.

    Almost every project says ``>=3.12``, or ``>=3.12,<4``: of minor versions alone.
    """
    if version is not None and not _PLAIN_RELEASE.fullmatch(version):
        return False
    bounds = [_PLAIN_BOUND.fullmatch(clause.strip()) for clause in requires.split(",")]
    return all(
        bound is not None
        and (
            python.version < _pair(bound)
            if bound["kind"] == "<"
            else python.version >= _pair(bound)
        )
        for bound in bounds
    )


def _pair(bound: re.Match[str]) -> tuple[int, int]:
    return int(bound["major"]), int(bound["minor"] or 0)


def _pin(path: Path) -> str | None:
    """The first version that a file names, as uv reads it."""
    if not path.is_file():
        return None
    lines = map(str.strip, path.read_text("utf-8", errors="replace").splitlines())
    return next((line for line in lines if line and not line.startswith("#")), None)


def _minor(pin: str) -> tuple[int, int] | None:
    """The minor version that a pin names; ranges and other implementations name none."""
    found = _PINNED.fullmatch(pin)
    return (int(found[1]), int(found[2])) if found else None
