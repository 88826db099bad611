"""Wheels made by the tests: distributions to install where there is no package index."""

import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.records import hash_and_size

_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_wheel(  # noqa: PLR0913 - a wheel has that many parts
    directory: Path,
    name: str,
    version: str = "1.0",
    *,
    files: Mapping[str, bytes] | None = None,
    scripts: Mapping[str, bytes] | None = None,
    data: Mapping[str, bytes] | None = None,
    entry_points: Mapping[str, str] | None = None,
    requires: Iterable[str] = (),
    tag: str = "py3-none-any",
) -> Path:
    """Write a wheel.

    Args:
        directory: where to; it is made.
        name: of the distribution, as file names spell it.
        version: of the distribution.
        files: by path in site-packages; ``NAME/__init__.py`` when omitted.
        scripts: of ``.data/scripts``.
        data: of ``.data/data``, by path in the environment.
        entry_points: console scripts, name to ``module:function``.
        requires: what it depends on.
        tag: what it is for; a wheel that is not for any platform is not pure.
    """
    info = f"{name}-{version}.dist-info"
    files = {f"{name}/__init__.py": b"VALUE = 1\n"} if files is None else files
    members = {
        **files,
        **{f"{name}-{version}.data/scripts/{key}": value for key, value in (scripts or {}).items()},
        **{f"{name}-{version}.data/data/{key}": value for key, value in (data or {}).items()},
        f"{info}/METADATA": _metadata(name, version, requires),
        f"{info}/WHEEL": _wheel(tag),
    }
    if entry_points:
        lines = "".join(f"{key} = {value}\n" for key, value in entry_points.items())
        members[f"{info}/entry_points.txt"] = f"[console_scripts]\n{lines}".encode()
    members[f"{info}/RECORD"] = _record(members, f"{info}/RECORD")
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{name}-{version}-{tag}.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for key, value in members.items():
            wheel.writestr(zipfile.ZipInfo(key, _EPOCH), value)
    return path


def _wheel(tag: str) -> bytes:
    pure = "true" if tag.endswith("-any") else "false"
    return (f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: {pure}\nTag: {tag}\n").encode()


def _metadata(name: str, version: str, requires: Iterable[str]) -> bytes:
    needs = "".join(f"Requires-Dist: {need}\n" for need in requires)
    return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode()


def _record(members: Mapping[str, bytes], own: str) -> bytes:
    rows = [",".join((path, *hash_and_size(data))) for path, data in members.items()]
    return "".join(f"{row}\n" for row in [*rows, f"{own},,"]).encode()
