"""An application's ``uv.lock``, as far as an image's layers depend on it.

The file is read for identity and for what is local; what to install is uv's own decision.
Reading TOML takes a millisecond for each package or two, so what a build that finds nothing changed
has to know of a lock is kept as a fact, by the hash of the file.
https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import unquote, urlsplit

from builder.errors import LayerError, LockError, StoreError
from builder.oci.document import canonical_json
from layers.digest import Digest

if TYPE_CHECKING:
    from builder.project.facts import Facts
    from builder.project.pyproject import Pyproject

_LOCAL_SOURCES = ("editable", "virtual", "directory", "path")
_EDGES = ("dependencies", "optional-dependencies", "dev-dependencies")
_KIND = "lock"
_FORMAT = 2
"""Raised when the same lock is summed up in another way than before."""

type Table = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """What of a lock decides over layers.

    Attributes:
        local: paths of what is installed from this machine's disk, as they are written.
        wheel_directories: paths of directories that serve as package indexes, as they are written.
        without_wheels: as in ``Lock``.
        unhashed: as in ``Lock``.
        third_party: as in ``Lock``.
    """

    local: tuple[str, ...]
    wheel_directories: tuple[str, ...]
    without_wheels: frozenset[str]
    unhashed: frozenset[str]
    third_party: Digest

    @classmethod
    def of(cls, packages: Iterable[Table]) -> Self:
        """Sum up the ``[[package]]`` tables of a lock."""
        packages = tuple(packages)
        foreign = [package for package in packages if _local_path(package) is None]
        registries = {str(package["source"].get("registry", "")) for package in foreign}
        edges = {
            package["name"]: {edge: package[edge] for edge in _EDGES if edge in package}
            for package in packages
            if _local_path(package) is not None
        }
        return cls(
            local=tuple(filter(None, map(_local_path, packages))),
            wheel_directories=tuple(sorted(p for p in registries if p and not _is_elsewhere(p))),
            without_wheels=frozenset(
                name
                for name, wheels in _wheels(foreign).items()
                if not any(wheel.endswith("-any.whl") or "linux" in wheel for wheel in wheels)
            ),
            unhashed=frozenset(p["name"] for p in foreign if not _is_hashed(p)),
            third_party=Digest.of(canonical_json({"packages": foreign, "wanted": edges})),
        )

    @classmethod
    def parse(cls, fact: Mapping[str, Any]) -> Self | None:
        """Read what ``to_fact`` wrote; None when it is something else."""
        if fact.get("format") != _FORMAT:
            return None
        try:
            return cls(
                local=tuple(map(str, fact["local"])),
                wheel_directories=tuple(map(str, fact["wheel_directories"])),
                without_wheels=frozenset(map(str, fact["without_wheels"])),
                unhashed=frozenset(map(str, fact["unhashed"])),
                third_party=Digest(fact["third_party"]),
            )
        except (LookupError, TypeError, LayerError):
            return None

    def to_fact(self) -> dict[str, object]:
        """What is kept."""
        return {
            "format": _FORMAT,
            "local": list(self.local),
            "wheel_directories": list(self.wheel_directories),
            "without_wheels": sorted(self.without_wheels),
            "unhashed": sorted(self.unhashed),
            "third_party": str(self.third_party),
        }


class Packages(Iterable[Table]):
    """The ``[[package]]`` tables of a lock, which are not read when their summary is known.

    Args:
        read: reads them.
        summary: of them; None when it is not known yet.
    """

    def __init__(self, read: Callable[[], Iterable[Table]], summary: Summary | None = None) -> None:
        self._read = read
        self._summary = summary

    def __iter__(self) -> Iterator[Table]:
        return iter(self._tables)

    @cached_property
    def summary(self) -> Summary:
        """Of all of them."""
        return self._summary or Summary.of(self)

    @cached_property
    def _tables(self) -> tuple[Table, ...]:
        return tuple(self._read())


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A parsed lock.

    Attributes:
        path: of the file.
        packages: the ``[[package]]`` tables.
        digest: of the file, as it was read; None when it was not.
    """

    path: Path
    packages: Iterable[Table]
    digest: Digest | None = None

    @property
    def directory(self) -> Path:
        """The directory of the lock: the project's, or its workspace's."""
        return self.path.parent

    @property
    def local_paths(self) -> tuple[Path, ...]:
        """Absolute paths of everything that is installed from this machine's disk."""
        return tuple(map(self._absolute, self._summary.local))

    @property
    def wheel_directories(self) -> tuple[Path, ...]:
        """Paths of directories beside the lock that serve as package indexes (``find-links``)."""
        return tuple(map(self._absolute, self._summary.wheel_directories))

    @property
    def wheels(self) -> dict[str, frozenset[str]]:
        """File names of the wheels of each third-party package that may be built instead.

        What has wheels and no source distribution is never built.
        """
        return _wheels(package for package in self.packages if _local_path(package) is None)

    @property
    def without_wheels(self) -> frozenset[str]:
        """Names of third-party packages that have no wheel for any Linux: those are built here.

        Others may be too, when none of their wheels fits; only what uv installed tells.
        """
        return self._summary.without_wheels

    @property
    def unhashed(self) -> frozenset[str]:
        """Names of third-party packages of which the lock does not say what they contain.

        Directories that serve as indexes, and some servers, give no hashes. What is installed of
        such packages may be another thing next time.
        """
        return self._summary.unhashed

    @property
    def third_party(self) -> Digest:
        """The identity of everything that is not local: a release of the project keeps it.

        What local packages depend on belongs to it: a dependency that moves into a group changes
        what is installed, and no third-party package.
        """
        return self._summary.third_party

    @property
    def _summary(self) -> Summary:
        packages = self.packages
        return packages.summary if isinstance(packages, Packages) else Summary.of(packages)

    def _absolute(self, path: str) -> Path:
        return Path(os.path.normpath(self.directory / path))


def read_lock(pyproject: Pyproject, facts: Facts | None = None) -> Lock:
    """The lock of a project, or of the workspace that it is a member of.

    Args:
        pyproject: of the project.
        facts: keep what the layers need of a lock, so that it is parsed once.

    Raises:
        LockError: there is none, or it cannot be read.
    """
    path = _find(pyproject.directory)
    try:
        raw = path.read_bytes()
        packages = _packages(raw, facts)
    except OSError as error:
        raise LockError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LockError(
            f"{path} is not a lock that uv wrote: {error}",
            hint=f"make it anew: rm {path} && uv lock --project {path.parent}",
        ) from None
    lock = Lock(path=path, packages=packages, digest=Digest.of(raw))
    if lock.directory != pyproject.directory and pyproject.directory not in lock.local_paths:
        raise _none(pyproject.directory)  # a workspace that the project is excluded from
    return lock


def _packages(raw: bytes, facts: Facts | None) -> Packages:
    key = str(Digest.of(raw))
    if facts and (known := Summary.parse(facts.fact(_KIND, key) or {})):
        return Packages(lambda: _tables(raw), known)
    tables = _tables(raw)
    packages = Packages(lambda: tables)
    if facts:
        with contextlib.suppress(StoreError):  # whoever cannot keep it finds it out again
            facts.remember(_KIND, key, packages.summary.to_fact())
    return packages


def _tables(raw: bytes) -> tuple[Table, ...]:
    import tomllib  # noqa: PLC0415 - a lock that is known already needs no parser

    packages = tuple(tomllib.loads(raw.decode("utf-8")).get("package", ()))
    _ = [(package["name"], package["source"].get) for package in packages]
    return packages


def _wheels(foreign: Iterable[Table]) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for package in foreign:
        if package.get("wheels") and not package.get("sdist"):
            continue
        names = frozenset(map(_file_name, package.get("wheels", ())))
        found[package["name"]] = found.get(package["name"], frozenset()) | names
    return found


def artifact_names(package: Table) -> tuple[str, ...]:
    """File names of the wheels of a ``[[package]]`` table."""
    names = tuple(map(_file_name, package.get("wheels", ())))
    path = str(package["source"].get("path") or package["source"].get("url") or "")
    name = unquote(urlsplit(path).path.rpartition("/")[2])
    return names or ((name,) if name.endswith(".whl") else ())


def _find(project: Path) -> Path:
    """Beside the project, else where a parent declares a workspace, as uv looks for it."""
    for directory in (project, *project.parents):
        path = directory / "uv.lock"
        if path.is_file() and (directory == project or _is_workspace(directory)):
            return path
    raise _none(project)


def _none(project: Path) -> LockError:
    return LockError(
        f"no uv.lock in {project}",
        hint=f"an image is built from a lock; make one: uv lock --project {project}",
    )


def _is_workspace(directory: Path) -> bool:
    import tomllib  # noqa: PLC0415 - most projects have their lock beside them

    try:
        document = tomllib.loads((directory / "pyproject.toml").read_text("utf-8"))
        return "workspace" in document["tool"]["uv"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _local_path(package: Table) -> str | None:
    source = package["source"]
    return next((str(source[kind]) for kind in _LOCAL_SOURCES if kind in source), None)


def _is_hashed(package: Table) -> bool:
    """Whether all that may be installed of a package has a hash; a commit is one."""
    if "git" in package["source"]:
        return True
    found = [*package.get("wheels", ()), *filter(None, [package.get("sdist")])]
    return bool(found) and all(artifact.get("hash") for artifact in found)


def _file_name(wheel: Table) -> str:
    """An index gives URLs, a directory paths, and some indexes the name beside them."""
    if name := wheel.get("filename"):
        return str(name)
    path = urlsplit(str(wheel.get("url", ""))).path or str(wheel.get("path", ""))
    return unquote(path.rpartition("/")[2])


def _is_elsewhere(registry: str) -> bool:
    """Whether a registry is the same one for every copy of the project."""
    return "://" in registry or registry.startswith("/")
