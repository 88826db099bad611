"""Whose the files of an image are, as package managers wrote it down inside of it."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from builder.checks.subject import Origin
from builder.errors import BaseError
from builder.examine.caches import cache_of
from builder.project.recorded import RECORD, distribution_of, recorded_paths

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from builder.rootfs.file_index import FileIndex

ANY_PACKAGE = "*"
"""Stands for the package of a file that may be some system package's, and may be the user's."""

_DIRECT_URL = ".dist-info/direct_url.json"
# https://manpages.debian.org/bookworm/dpkg/dpkg-query.1.en.html; distroless images have sums alone.
_DPKG_LIST = re.compile(r"var/lib/dpkg/info/[^/]+\.list")
_DPKG_SUMS = re.compile(r"var/lib/dpkg/status\.d/[^/]+\.md5sums")
_APK = {"lib/apk/db/installed", "usr/lib/apk/db/installed"}
_RPM = re.compile(r"(?:var/lib/rpm|usr/lib/sysimage/rpm)/(?:rpmdb\.sqlite|Packages(?:\.db)?)")
_SYSTEM_TREES = (
    *("var/lib/dpkg/", "var/lib/apt/", "var/lib/rpm/", "lib/apk/", "usr/lib/apk/"),
    *("var/log/", "usr/lib/locale/"),
)
_RPM_TREES = ("usr/", "etc/", "var/", "lib/", "lib64/", "bin/", "sbin/")
_LOCAL = "usr/local/"
_LIBRARY = re.compile(r"(?P<prefix>(?:.*/)?)lib/(?P<python>python3\.\d+)/os\.py")
_SHARED_PREFIXES = {"", "usr/", _LOCAL}
_OF_PREFIX = ("bin/", "lib/", "lib64/", "libexec/", "include/", "share/")
_PROGRAM = re.compile(r"(?:python|pydoc|idle|2to3)[\d.]*(?:-config)?")
_ENVIRONMENT = "/pyvenv.cfg"
_UV_LOCK = "/.lock"  # which all may write, and nobody reads
_PACKAGES = ("site-packages/", "dist-packages/")


def tells_owners(path: str) -> bool:
    """Whether a file is one of those that ``Owners`` learns from."""
    return (
        path.endswith((RECORD, _DIRECT_URL))
        or path in _APK
        or bool(_DPKG_LIST.fullmatch(path) or _DPKG_SUMS.fullmatch(path))
    )


@dataclass(slots=True)
class Owners:
    """Who answers for the files of an image.

    What a layer brings is a system package's only when the layer changes the package manager's
    database, too: a file that was copied over a package's is the user's.

    Args:
        own: names of the distributions that are the project itself.
        layers: numbers of those that have no other distributions.
    """

    own: set[str] = field(default_factory=set)
    layers: frozenset[int] = frozenset()
    _packaged: set[str] = field(default_factory=set)
    _installing: set[int] = field(default_factory=set)
    _rpm: set[int] = field(default_factory=set)
    _distributions: dict[str, str] = field(default_factory=dict)
    _interpreters: tuple[tuple[str, str], ...] = ()
    _environments: frozenset[str] = frozenset()

    def learn(self, layer: int, path: str, data: bytes) -> None:
        """Take note of what a file of a layer tells; of those that ``tells_owners`` has."""
        text = data.decode("utf-8", "surrogateescape")
        if path.endswith(RECORD):
            distribution = distribution_of(path)
            self._distributions |= dict.fromkeys(recorded_paths(path, text), distribution)
            if layer in self.layers:
                self.own.add(_name(distribution))
        elif path.endswith(_DIRECT_URL):
            if _is_local(text):
                self.own.add(_name(distribution_of(path)))
        else:
            self._installing.add(layer)
            self._packaged.update(_packaged(path, text))

    def pass_by(self, layer: int, path: str) -> None:
        """Take note of a file whose content does not matter."""
        if _RPM.fullmatch(path):
            self._rpm.add(layer)

    def settle(self, files: FileIndex) -> None:
        """Find interpreters, and virtual environments that work, once every file is known."""
        ends = (path[: -len(_ENVIRONMENT)] for path in files.files if path.endswith(_ENVIRONMENT))
        self._environments = frozenset(
            f"{environment}{name}"
            for environment in ends
            if _works(environment, files)
            for name in (_ENVIRONMENT, _UV_LOCK)
        )
        found = (_LIBRARY.fullmatch(path) for path in files.files if path.endswith("/os.py"))
        self._interpreters = tuple((each["prefix"], each["python"]) for each in found if each)

    def installs(self, layer: int) -> bool:
        """Whether a layer has system packages, and so what their scripts made."""
        return layer in self._installing or layer in self._rpm

    def of(self, layer: int, path: str) -> tuple[Origin, str]:
        """Who answers for a file of a layer, and the distribution it is of, or nothing.

        The distribution is ``ANY_PACKAGE`` where only a guess tells that it is a system package's:
        the lists in rpm's databases are not read.
        """
        if layer in self._installing and self._is_packaged(path):
            return Origin.SYSTEM, ""
        if layer in self._rpm and path.startswith(_RPM_TREES) and not path.startswith(_LOCAL):
            return Origin.SYSTEM, "" if self._is_left_by_programs(path) else ANY_PACKAGE
        if distribution := self._distributions.get(path):
            is_own = _name(distribution) in self.own
            return (Origin.PROJECT if is_own else Origin.DISTRIBUTION), distribution
        if path in self._environments or self._is_left_by_programs(path):
            return Origin.SYSTEM, ""
        return Origin.PROJECT, ""

    def _is_left_by_programs(self, path: str) -> bool:
        if path.startswith(_SYSTEM_TREES) or cache_of(path):
            return True
        return any(_is_of(path, prefix, python) for prefix, python in self._interpreters)

    def _is_packaged(self, path: str) -> bool:
        # Debian's lists name files where they were before /usr was merged.
        return path in self._packaged or path.removeprefix("usr/") in self._packaged


def _works(environment: str, files: FileIndex) -> bool:
    """Whether there is an interpreter for it: one that came from elsewhere has none."""
    try:
        return files.is_executable(f"{environment}/bin/python")
    except BaseError:
        return False


def _is_of(path: str, prefix: str, python: str) -> bool:
    if not path.startswith(prefix):
        return False
    rest = path.removeprefix(prefix)
    if any(part in rest for part in _PACKAGES):
        return False
    if prefix not in _SHARED_PREFIXES:
        return rest.startswith(_OF_PREFIX)  # one of its own: uv's interpreters, pyenv's
    directory, _, name = rest.partition("/")
    return rest.startswith((f"lib/{python}/", f"include/{python}/", "lib/libpython")) or (
        directory == "bin" and bool(_PROGRAM.fullmatch(name))
    )


def _name(distribution: str) -> str:
    return distribution.partition(" ")[0]


def _is_local(text: str) -> bool:
    """Whether a distribution was installed from a directory: it is the user's own.

    https://packaging.python.org/en/latest/specifications/direct-url/
    """
    try:
        value = json.loads(text)
    except ValueError:
        return False
    return isinstance(value, dict) and "dir_info" in value


def _packaged(path: str, text: str) -> Iterable[str]:
    lines = text.splitlines()
    if path in _APK:
        return _apk_files(lines)
    if path.endswith(".md5sums"):
        return (line.partition("  ")[2] for line in lines)
    return (line.lstrip("/") for line in lines)


def _apk_files(lines: Iterable[str]) -> Iterator[str]:
    """https://wiki.alpinelinux.org/wiki/Apk_spec."""
    directory = ""
    for line in lines:
        if line.startswith("F:"):
            directory = line[2:]
        elif line.startswith("R:"):
            yield f"{directory}/{line[2:]}".lstrip("/")
