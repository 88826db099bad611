"""Junk that is told by its name."""

import re
from dataclasses import dataclass

LFS_POINTER = "Git LFS pointer"
"""Kind of a clue to what is no secret: it is told by a file's content, as secrets are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Junk:
    """What a path tells.

    Attributes:
        root: the path, or that of the directory that is junk as a whole.
        kind: in words.
        is_harmless: whether somebody may well want it in an image.
    """

    root: str
    kind: str
    is_harmless: bool


_DIRECTORIES = {
    ".git": ("a Git repository", False),
    ".hg": ("a Mercurial repository", False),
    ".svn": ("a Subversion working copy", False),
    ".bzr": ("a Bazaar branch", False),
    ".pytest_cache": ("a cache of pytest", True),
    ".mypy_cache": ("a cache of mypy", True),
    ".ruff_cache": ("a cache of ruff", True),
    ".hypothesis": ("a cache of hypothesis", True),
    ".ipynb_checkpoints": ("what Jupyter keeps for itself", True),
    ".tox": ("environments of tox", True),
    ".nox": ("environments of nox", True),
    ".idea": ("settings of an editor", True),
    ".vscode": ("settings of an editor", True),
    "node_modules": ("packages of Node", True),
}
_FILES = (
    (re.compile(r"\.git"), "a link to a Git repository", False),
    (re.compile(r".*\.sw[op]|.*~|#.*#|\.#.*"), "a copy that an editor made", False),
    (re.compile(r".*\.(orig|rej)"), "what a merge or a patch left", True),
    (re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini"), "notes of a file browser", True),
    (re.compile(r"\.coverage|.*\.prof"), "a measurement", True),
    (re.compile(r".*\.(sqlite3?|db3?)"), "a database", True),
)
_VENV = "pyvenv.cfg"
# For nearly all paths one search says that there is nothing to find.
_SUSPECT = re.compile(
    r"(?:^|/)(?:\.(?:git|hg|svn|bzr|pytest_|mypy_|ruff_|hypoth|ipynb_|tox|nox|idea|vscode|DS_|#|cov)"
    r"|node_modules|pyvenv|Thumbs|desktop|#)|(?:~|#|\.(?:sw[op]|orig|rej|prof|sqlite3?|db3?))$"
)


def junk_of(path: str) -> Junk | None:
    """What a path relative to the root tells; None for an ordinary one."""
    if _SUSPECT.search(path) is None:
        return None
    parts = path.split("/")
    if parts[-1] == _VENV and parts[:-1]:
        return Junk(root="/".join(parts[:-1]), kind="a virtual environment", is_harmless=True)
    for depth, part in enumerate(parts[:-1], start=1):
        if part in _DIRECTORIES:
            kind, is_harmless = _DIRECTORIES[part]
            return Junk(root="/".join(parts[:depth]), kind=kind, is_harmless=is_harmless)
    for pattern, kind, is_harmless in _FILES:
        if pattern.fullmatch(parts[-1]):
            return Junk(root=path, kind=kind, is_harmless=is_harmless)
    return None
