"""A base's filesystem, as far as a build must know it."""

from __future__ import annotations

import posixpath
import re
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from builder.errors import BaseError
from builder.target import Libc, Python
from layers.entries import DirEntry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_MAX_LINKS = 40
_PYTHON = re.compile(r"(?:.*/)?python(\d+)\.(\d+)(t?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class FileIndex:
    """Every file of an image, by its path relative to the root.

    Attributes:
        directories: with mode and owner; the root itself is not listed.
        symlinks: link to target, as written.
        files: file to mode; devices count as files without executable bits.
        passwd: content of ``/etc/passwd``; empty when there is none.
        group: content of ``/etc/group``; empty when there is none.
        libc: the C library that the image's own programs use.
    """

    directories: Mapping[str, DirEntry] = field(default_factory=dict)
    symlinks: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, int] = field(default_factory=dict)
    passwd: bytes = b""
    group: bytes = b""
    libc: Libc | None = None
    _interpreters: Mapping[str, list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        found: dict[str, list[str]] = {}
        for paths in (self.files, self.symlinks):
            for path in paths:
                if "python" in path and _PYTHON.fullmatch(path):
                    found.setdefault(path.rpartition("/")[0], []).append(path)
        object.__setattr__(self, "_interpreters", found)

    @classmethod
    def of_nodes(cls, nodes: Mapping[str, DirEntry | str | int]) -> Self:
        """An index without accounts and C library: directories, targets of links, files' modes."""
        return cls(
            directories={path: node for path, node in nodes.items() if isinstance(node, DirEntry)},
            symlinks={path: node for path, node in nodes.items() if isinstance(node, str)},
            files={path: node for path, node in nodes.items() if isinstance(node, int)},
        )

    def stands(self, path: str) -> bool:
        """Whether anything is at a path itself; no link is followed."""
        return path in self.files or path in self.symlinks or path in self.directories

    def resolve(self, path: str) -> str:
        """Where a path leads when every symbolic link in it is followed.

        Args:
            path: relative to the root, or absolute in the image; what does not exist is kept.

        Raises:
            BaseError: the links go round in circles.
        """
        return self._walk(path, follow_last=True)

    def resolve_parent(self, path: str) -> str:
        """Where a path stands: links are followed in all of its components but the last.

        Raises:
            BaseError: the links go round in circles.
        """
        return self._walk(path, follow_last=False)

    def is_executable(self, path: str) -> bool:
        """Whether a path leads to a file that somebody may execute."""
        return bool(self.files.get(self.resolve(path), 0) & 0o111)

    def python(self, search_path: str) -> Python | None:
        """The Python that the image runs as ``python3``; None when it has none.

        Args:
            search_path: directories with colons between them, as in ``PATH``.

        Raises:
            BaseError: symbolic links go round in circles.
        """
        for directory in search_path.split(":"):
            if directory.startswith("/") and (found := self._python_in(self.resolve(directory))):
                return found
        return None

    def _python_in(self, directory: str) -> Python | None:
        for path in self._python_names(directory):
            name = _PYTHON.fullmatch(path)
            if name and self.is_executable(path):
                is_twin = not name[3] and self._is_free_threaded(path)
                version = int(name[1]), int(name[2])
                return Python(version=version, path=f"/{path}t" if is_twin else f"/{path}")
        return None

    def _is_free_threaded(self, path: str) -> bool:
        """Whether it is the interpreter that has a ``t`` in its name too, and not one beside it.

        https://docs.python.org/3/howto/free-threading-python.html
        """
        twin = f"{path}t"
        if not self.is_executable(twin):
            return False
        library = posixpath.normpath(f"{twin}/../../lib/{path.rpartition('/')[2]}")
        has_own = self.stands(f"{library}/os.py")
        return self.resolve(path) == self.resolve(twin) or (
            not has_own and self.stands(f"{library}t/os.py")
        )

    def _python_names(self, directory: str) -> Iterator[str]:
        """What ``python3`` is called on its way to the file, else what lies beside it."""
        path = f"{directory}/python3".lstrip("/")
        for _ in range(_MAX_LINKS):
            target = self.symlinks.get(path)
            if target is None:
                break
            path = self._walk(_join(path, target), follow_last=False)
            yield path
        beside = self._interpreters.get(directory, ())
        yield from sorted(beside, key=_minor, reverse=True)

    def _walk(self, path: str, *, follow_last: bool) -> str:
        ahead = deque(_components(path))
        done: list[str] = []
        links = 0
        while ahead:
            part = ahead.popleft()
            if part == "..":
                # Above the root is the root, as in every chroot.
                del done[-1:]
                continue
            done.append(part)
            target = self.symlinks.get("/".join(done)) if ahead or follow_last else None
            if target is None:
                continue
            links += 1
            if links > _MAX_LINKS:
                raise BaseError(f"/{path.lstrip('/')}: its symbolic links go round in circles")
            del done[0 if target.startswith("/") else -1 :]
            ahead.extendleft(reversed(_components(target)))
        return "/".join(done)


def _components(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _join(link: str, target: str) -> str:
    return target if target.startswith("/") else f"{link.rpartition('/')[0]}/{target}"


def _minor(path: str) -> tuple[int, int, bool]:
    """The newest is the highest, and of one version that which is not free-threaded."""
    name = _PYTHON.fullmatch(path)
    return (int(name[1]), int(name[2]), not name[3]) if name else (0, 0, False)
