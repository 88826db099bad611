"""An application's ``uv.lock``, as far as an image's layers depend on it.

The file is read for identity and for what is local; what to install is uv's own decision.
https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile
"""

import os
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from builder.errors import LockError
from builder.oci.document import canonical_json
from builder.project.pyproject import Pyproject
from layers.digest import Digest

_LOCAL_SOURCES = ("editable", "virtual", "directory", "path")
_EDGES = ("dependencies", "optional-dependencies", "dev-dependencies")


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A parsed lock.

    Attributes:
        path: of the file.
        packages: the ``[[package]]`` tables.
    """

    path: Path
    packages: tuple[dict[str, Any], ...]

    @property
    def directory(self) -> Path:
        """The directory of the lock: the project's, or its workspace's."""
        return self.path.parent

    @property
    def local_paths(self) -> tuple[Path, ...]:
        """Absolute paths of everything that is installed from this machine's disk."""
        paths = filter(None, map(_local_path, self.packages))
        return tuple(Path(os.path.normpath(self.directory / path)) for path in paths)

    @property
    def wheel_directories(self) -> tuple[Path, ...]:
        """Paths of directories beside the lock that serve as package indexes (``find-links``)."""
        registries = {str(package["source"].get("registry", "")) for package in self._foreign}
        paths = sorted(path for path in registries if path and not _is_elsewhere(path))
        return tuple(Path(os.path.normpath(self.directory / path)) for path in paths)

    @property
    def wheels(self) -> dict[str, frozenset[str]]:
        """File names of the wheels of each third-party package that may be built instead.

        What has wheels and no source distribution is never built.
        """
        found: dict[str, frozenset[str]] = {}
        for package in self._foreign:
            if package.get("wheels") and not package.get("sdist"):
                continue
            names = frozenset(map(_file_name, package.get("wheels", ())))
            found[package["name"]] = found.get(package["name"], frozenset()) | names
        return found

    @property
    def without_wheels(self) -> frozenset[str]:
        """Names of third-party packages that have no wheel for any Linux: those are built here.

        Others may be too, when none of their wheels fits; only what uv installed tells.
        """
        return frozenset(
            name
            for name, wheels in self.wheels.items()
            if not any(wheel.endswith("-any.whl") or "linux" in wheel for wheel in wheels)
        )

    @property
    def third_party(self) -> Digest:
        """The identity of everything that is not local: a release of the project keeps it.

        What local packages depend on belongs to it: a dependency that moves into a group changes
        what is installed, and no third-party package.
        """
        edges = {
            package["name"]: {edge: package[edge] for edge in _EDGES if edge in package}
            for package in self.packages
            if _local_path(package) is not None
        }
        return Digest.of(canonical_json({"packages": self._foreign, "wanted": edges}))

    @property
    def _foreign(self) -> list[dict[str, Any]]:
        return [package for package in self.packages if _local_path(package) is None]


def read_lock(pyproject: Pyproject) -> Lock:
    """The lock of a project, or of the workspace that it is a member of.

    Raises:
        LockError: there is none, or it cannot be read.
    """
    path = _find(pyproject.directory)
    try:
        document = tomllib.loads(path.read_text("utf-8"))
        packages = tuple(document.get("package", ()))
        _ = [(package["name"], package["source"].get) for package in packages]
    except OSError as error:
        raise LockError(f"cannot read {path}: {error.strerror}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise LockError(
            f"{path} is not a lock that uv wrote: {error}",
            hint=f"make it anew: rm {path} && uv lock --project {path.parent}",
        ) from None
    lock = Lock(path=path, packages=packages)
    if lock.directory != pyproject.directory and pyproject.directory not in lock.local_paths:
        raise _none(pyproject.directory)  # a workspace that the project is excluded from
    return lock


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
    try:
        document = tomllib.loads((directory / "pyproject.toml").read_text("utf-8"))
        return "workspace" in document["tool"]["uv"]
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _local_path(package: dict[str, Any]) -> str | None:
    source = package["source"]
    return next((str(source[kind]) for kind in _LOCAL_SOURCES if kind in source), None)


def _file_name(wheel: dict[str, Any]) -> str:
    """An index gives URLs, a directory paths, and some indexes the name beside them."""
    if name := wheel.get("filename"):
        return str(name)
    path = urlsplit(str(wheel.get("url", ""))).path or str(wheel.get("path", ""))
    return unquote(path.rpartition("/")[2])


def _is_elsewhere(registry: str) -> bool:
    """Whether a registry is the same one for every copy of the project."""
    return "://" in registry or registry.startswith("/")
