"""What is costly to make is made once per machine, and shared by test sessions and users."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent


def cache_root() -> Path:
    """Where it is kept; every user can read what root puts there.

    Root's own ``~/.cache`` is closed to the user of the rootless tests, and a name in ``/var/tmp``
    could be taken by anybody.
    """
    if os.getuid() == 0:
        root = Path("/var/cache/image-builder-tests")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        root = Path(base) / "image-builder-tests"
    if not root.exists():
        root.mkdir(parents=True, exist_ok=True)
        root.chmod(0o755)  # whatever our umask is
    return root


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold a lock that the test sessions on this machine share."""
    with (cache_root() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def composed_once(name: str, compose: Callable[[Path], None]) -> Path:
    """A cached folder, made by whoever comes first: there as a whole or not at all."""
    finished = cache_root() / name
    with locked(name):
        if not finished.exists():
            with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=cache_root()) as scratch:
                folder = Path(scratch) / "folder"
                folder.mkdir()
                compose(folder)
                open_to_all(folder)
                folder.rename(finished)
    return finished


def open_to_all(folder: Path) -> None:
    """Let every user read the files below ``folder``, whatever our umask was."""
    for directory, _, files in folder.walk():
        directory.chmod(0o755)
        for path in (directory / name for name in files):
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def is_open_to_all(folder: Path) -> bool:
    """Whether every user can read all files below ``folder``, by the way that leads to it too."""
    if not all(parent.stat().st_mode & 0o001 for parent in folder.resolve().parents):
        return False
    for directory, _, files in folder.resolve().walk():
        if directory.stat().st_mode & 0o005 != 0o005:
            return False
        if not all((directory / name).lstat().st_mode & 0o004 for name in files):
            return False
    return True
