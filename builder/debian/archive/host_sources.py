"""This build machine's own apt sources, for a base that is made of nothing but packages."""

import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from builder.debian.archive.keyring import certificates
from builder.debian.archive.sources import AptSource, named_keyrings
from builder.debian.root import Root
from builder.errors import PackageError
from builder.rootfs.file_index import FileIndex

_PLACES = ("etc/apt", "usr/share/keyrings", "usr/share/apt")
_MAX_FILE = 1 << 20
_DEBIAN_KEY = re.compile(
    r"Debian .*\((?:\d+/)?(?P<release>[a-z]+)\) <[^<>]+@(?:[a-z]+\.)?debian\.org>"
)
_SUITE = re.compile(r"(?P<release>[a-z]+)(?P<pocket>|-updates|-security|/updates)")
_POCKET = re.compile(r"[-/].*")


def host_root(directory: Path = Path("/")) -> Root:
    """What apt's sources and keys are on this machine; keyrings, wherever sources name them.

    Files that this user may not read, that are longer than 1 MiB or that are no regular files
    are as good as absent.

    Raises:
        PackageError: a sources file cannot be understood.
    """
    usual = _read(directory, (path for place in _PLACES for path in _files(directory, place)))
    named = (os.path.normpath(path).lstrip("/") for path in named_keyrings(_root(usual)))
    return _root({**usual, **_read(directory, named)})


def _root(contents: Mapping[str, bytes]) -> Root:
    files = FileIndex(files=dict.fromkeys(contents, 0o644))
    return Root(files=files, contents=contents)


def _read(directory: Path, paths: Iterable[str]) -> dict[str, bytes]:
    found = ((path, _content(directory / path)) for path in paths)
    return {path: content for path, content in found if content is not None}


def for_suite(sources: Iterable[AptSource], release: str) -> tuple[AptSource, ...]:
    """Those of Debian's own archives that have a release: itself, its updates and its security.

    A source is Debian's own when one of its keys is: others that call a suite by the same name,
    and that trust their own key only, are dropped, and so are backports.
    Where no source is of that release, but those of another are signed by keys that know it
    (``debian-archive-keyring`` has the keys of the next release early), the same archives are
    taken, with the suites renamed: ``bookworm-updates`` becomes ``trixie-updates``.

    Args:
        sources: this machine's, or the user's.
        release: its code name: ``bookworm``.

    Raises:
        PackageError: there are none.
    """
    debian = _debian(sources)
    if found := _of_release(debian, release):
        return found
    have = ", ".join(dict.fromkeys(found["release"] for _, found in _sure(debian)))
    there = f"there are some for {have}" if have else "there are none for Debian"
    raise PackageError(
        f"no apt source of this machine is for Debian {release}; {there}",
        hint=f"name archives of {release}, with their keyring, in the setting apt-sources",
    )


def of_same_release(sources: Iterable[AptSource], suite: str) -> tuple[AptSource, ...]:
    """What ``for_suite`` finds for the release of a suite; none when there are none.

    Args:
        sources: as for ``for_suite``.
        suite: any of the release's: ``bookworm-backports``.
    """
    return _of_release(_debian(sources), _POCKET.sub("", suite))


type _Debian = list[tuple[AptSource, re.Match[str]]]
"""Sources of Debian's own, with the parts of their suites' names."""


def _debian(sources: Iterable[AptSource]) -> _Debian:
    found = ((source, _SUITE.fullmatch(source.suite)) for source in sources)
    return [(source, suite) for source, suite in found if suite and _releases(source)]


def _of_release(debian: _Debian, release: str) -> tuple[AptSource, ...]:
    own = tuple(source for source, found in debian if found["release"] == release)
    return own or _renamed(debian, release)


def _sure(debian: _Debian) -> _Debian:
    """Those whose suite is a release that their keys know."""
    return [(source, found) for source, found in debian if found["release"] in _releases(source)]


def _renamed(debian: _Debian, release: str) -> tuple[AptSource, ...]:
    """The archives of another release, when they have this one too."""
    sure = _sure(debian)
    renamed = tuple(
        replace(source, suite=f"{release}{found['pocket']}")
        for source, found in sure
        if found["release"] == sure[0][1]["release"] and release in _releases(source)
    )
    return renamed if any(source.suite == release for source in renamed) else ()


def _releases(source: AptSource) -> set[str]:
    """The Debian releases that a source's keys are made for."""
    names = [str(user) for cert in certificates(source.keyring) for user in cert.user_ids]
    return {found["release"] for name in names if (found := _DEBIAN_KEY.fullmatch(name))}


def _files(directory: Path, place: str) -> Iterator[str]:
    """Paths from ``directory``, in order."""
    for above, below, names in os.walk(directory / place):
        below.sort()
        for name in sorted(names):
            yield str(Path(above, name).relative_to(directory))


def _content(path: Path) -> bytes | None:
    """A file's bytes; opened without waiting, because it may be a pipe."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    with open(descriptor, "rb") as file:  # noqa: PTH123 - it is open already
        about = os.fstat(descriptor)
        if not stat.S_ISREG(about.st_mode) or about.st_size > _MAX_FILE:
            return None
        return file.read(_MAX_FILE)
