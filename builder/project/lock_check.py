"""Whether a lock has to be compared with ``pyproject.toml`` once more."""

import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path

from builder.oci.document import canonical_json
from builder.project.lock import Lock
from builder.project.pyproject import Pyproject
from builder.project.uv import uv_version
from layers.digest import Digest

_UV_TOML = "uv.toml"


def lock_question(
    lock: Lock, pyproject: Pyproject, *, interpreter: str, told: str, environ: Mapping[str, str]
) -> Digest | None:
    """What uv's answer rests on: the same question has the same answer.

    Args:
        lock: the lock.
        pyproject: of the project.
        interpreter: version of the Python that uv is told to use.
        told: the digest of what uv is told beside the project.
        environ: variables of uv count.

    Returns:
        None when the answer rests on more: on what a build backend says of a package.
    """
    files = [lock.path, lock.directory / _UV_TOML, lock.directory / "pyproject.toml"]
    packages = {pyproject.directory, *lock.local_paths}
    if not all(_is_static(directory / "pyproject.toml") for directory in packages):
        return None
    files += sorted(directory / "pyproject.toml" for directory in packages)
    inputs = {
        "uv": uv_version(),
        "python": interpreter,
        "files": list(_digests(files)),
        "told": told,
        "environ": {
            name: value
            for name, value in environ.items()
            if name.startswith("UV_") and name != "UV_CACHE_DIR"
        },
    }
    return Digest.of(canonical_json(inputs))


def _is_static(path: Path) -> bool:
    """Whether a package's metadata stands in its ``pyproject.toml``, all of it."""
    try:
        metadata = tomllib.loads(path.read_text("utf-8"))["project"]
        return "name" in metadata and not metadata.get("dynamic")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return False


def _digests(files: Iterable[Path]) -> Iterable[str]:
    for path in files:
        try:
            yield str(Digest.of(path.read_bytes()))
        except FileNotFoundError:
            yield ""
