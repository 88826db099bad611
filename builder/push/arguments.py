"""Which of the arguments of ``push`` is what is pushed, and which are names for it.

The arguments are ``[SOURCE] REF...``. One alone is a REF, and the project here is pushed, unless it
is the directory of a project, which is pushed to those of its tags that name a registry. Of
several, the first is the SOURCE when it is a directory, begins with one of the kinds of
``builder.push.source``, or names no registry (or ``localhost/``), as images in the builder's store
do; otherwise it is a REF.
"""

from collections.abc import Sequence
from pathlib import Path

from builder.errors import ReferenceFormatError, SettingsError
from builder.oci.reference import Reference

_HERE = "."
SHAPES = {
    "oci:": "oci:DIR[:TAG]",
    "oci-archive:": "oci-archive:FILE[:TAG]",
    "docker-archive:": "docker-archive:FILE[:NAME]",
    "containers-storage:": "containers-storage:NAME",
    "docker://": "docker://REF",
}
"""How sources are written, by the kind that they begin with."""


def split_arguments(arguments: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """The source, and the names it is pushed to; none for a project that has names of its own.

    Raises:
        SettingsError: the only argument is a source that has no names.
    """
    if not arguments:
        return _HERE, ()
    first, *rest = arguments
    if not first:
        raise SettingsError("the first argument is empty", hint="expected [SOURCE] REF...")
    if rest:
        return (first, tuple(rest)) if _is_source(first) else (_HERE, tuple(arguments))
    if not (kind_of(first) or is_path(first) or _is_image_or_project(first)):
        return _HERE, (first,)
    if is_project(first):
        return first, ()
    raise SettingsError(
        f"nowhere to push {first} to: no REF was given",
        hint=f"write e.g. python -m builder push {first} registry.example.com/team/app:1.0",
    )


def is_project(source: str) -> bool:
    """Whether a source is a project, which is built before it is pushed."""
    directory = Path(source)
    return (directory / "pyproject.toml").is_file() and not (directory / "oci-layout").exists()


def kind_of(text: str) -> str:
    """The kind that a source begins with; empty when it begins with none."""
    return next((kind for kind in SHAPES if text.startswith(kind)), "")


def is_path(text: str) -> bool:
    """Whether it is written as paths are, and names are not."""
    return text.startswith(("/", "./", "../")) or text in {".", ".."}


def _is_image_or_project(text: str) -> bool:
    return any((Path(text) / name).is_file() for name in ("pyproject.toml", "oci-layout"))


def _is_source(text: str) -> bool:
    if kind_of(text) or is_path(text) or Path(text).is_dir():
        return True
    try:
        name = Reference.parse(text)
    except ReferenceFormatError:
        return False
    return name.is_short or name.registry == "localhost"
