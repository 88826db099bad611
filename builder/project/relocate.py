"""A staged virtual environment becomes the entries of one that lives in the image.

Staged files are hard links into uv's cache, so nothing is changed in place: what must differ gets
new bytes, the rest is packed from where it lies.
"""

import base64
import csv
import hashlib
import io
import os
import posixpath
import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from builder.errors import InstallError
from builder.project.uv import uv_version
from builder.settings import Settings
from builder.target import Python
from layers.digest import CHUNK
from layers.entries import Entry, FileEntry, Owner, SymlinkEntry, image_path
from layers.tree import walk

# What uv venv and uv sync leave at the root for themselves, and scripts that switch a shell over
# to an environment: an image has but one, and its PATH says so.
_SKELETON = re.compile(
    r"\.gitignore|\.lock|CACHEDIR\.TAG|pyvenv\.cfg|lib64"
    r"|bin/(activate(\..+|_this\.py)?|deactivate\.bat|pydoc\.bat|python[\d.]*)"
)
# The first lines of a console script in a relocatable environment: a shell that looks for the
# interpreter beside the script. An image may have no shell.
_TRAMPOLINE = re.compile(
    rb"#!/bin/sh\n'''exec' \"\$\(dirname -- \"\$\(realpath -- \"\$0\"\)\"\)\"/'python[\d.]*'"
    rb" \"\$0\" \"\$@\"\n' '''\n"
)
_SHELL = b"#!/bin/sh"
_SHELL_TRICK = b"'''exec'"
_HEAD = 256
# RECORD lists paths, which need not be UTF-8; they come out as they went in.
_AS_PATHS = ("utf-8", "surrogateescape")
_RECORD = re.compile(r"(?P<site>.*)/[^/]+\.dist-info/RECORD")
_FOREIGN_HINT = "it was built on this machine; look for a wheel, or tell its maintainers"
_OWN_HINT = (
    "the project's own build wrote it; compiled code: leave debug info out (CFLAGS=-g0, or strip), "
    "anything else: write paths relative to the package"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class VenvPlace:
    """Where a virtual environment will be: absolute in-image path, owner and interpreter."""

    path: str
    owner: Owner
    python: Python

    @classmethod
    def of(cls, settings: Settings, python: Python) -> "VenvPlace":
        """The place that the settings say."""
        return cls(path=settings.venv, owner=settings.user.owner, python=python)

    @property
    def site_packages(self) -> str:
        """Absolute in-image path of what is installed."""
        return f"{self.path}/lib/python{self.python.minor}/site-packages"


def staged_entries(staged: Path, place: VenvPlace) -> list[Entry]:
    """What is installed in ``staged``, at its place in the image, without the skeleton.

    Args:
        staged: a relocatable environment on this machine.
        place: where it goes.

    Raises:
        ContentError: a file cannot go into an image.
    """
    return walk(staged, at=image_path(place.path), owner=place.owner, rules=_Skeleton())


def relocated(
    entries: Iterable[Entry],
    staged: Path,
    place: VenvPlace,
    *,
    own: bool = False,
    published: Container[str] = (),
) -> list[Entry]:
    """Entries of a staged environment as they stand in the image.

    Scripts start the image's interpreter, and RECORD tells their new hashes and sizes.

    Args:
        entries: some or all of ``staged_entries``; a RECORD comes with the scripts that it lists.
        staged: the environment.
        place: where it goes.
        own: whether it holds the project's own packages; what helps is something else then.
        published: paths of files that are known to be as somebody published them: no need to look
            whether they name a place on this machine.

    Raises:
        InstallError: a file names the staging path, so it would be broken in the image, or a
            script starts in a way that is not uv's as we know it.
        ContentError: a file changed since it was staged.
    """
    entries = list(entries)
    files = {entry.path: entry for entry in entries if isinstance(entry, FileEntry)}
    scripts = _scripts(files, place)
    renewed = scripts | _records(files, scripts)
    found = [renewed.get(entry.path, entry) for entry in entries]
    doubtful = (entry for entry in found if entry.path not in published or entry.path in renewed)
    _refuse_staging_path(doubtful, staged, _OWN_HINT if own else _FOREIGN_HINT)
    return found


def skeleton(place: VenvPlace) -> list[Entry]:
    """What makes a directory a virtual environment: interpreter links and ``pyvenv.cfg``.

    https://docs.python.org/3/library/venv.html#how-venvs-work
    """
    at, owner = image_path(place.path), place.owner
    python = place.python
    config = (
        f"home = {posixpath.dirname(python.path)}\n"
        "implementation = CPython\n"
        f"version_info = {python.minor}\n"
        "include-system-site-packages = false\n"
    )
    links = {
        "bin/python": python.path,
        "bin/python3": "python",
        f"bin/python{python.minor}": "python",
        "lib64": "lib",
    }
    return [
        FileEntry.of(f"{at}/pyvenv.cfg", config.encode(), owner=owner),
        *(
            SymlinkEntry(path=f"{at}/{path}", target=target, owner=owner)
            for path, target in links.items()
        ),
    ]


class _Skeleton:
    """Leaves out of a walk what is not installed by any distribution."""

    def ignores(self, path: str, /) -> bool:
        return _SKELETON.fullmatch(path) is not None

    def prunes(self, directory: str, /) -> bool:
        return self.ignores(directory)


def _scripts(files: Mapping[str, FileEntry], place: VenvPlace) -> dict[str, FileEntry]:
    directory = f"{image_path(place.path)}/bin/"
    first_line = f"#!{place.path}/bin/python\n".encode()
    found = {}
    for path, entry in files.items():
        if not path.startswith(directory):
            continue
        head = _head(entry)
        if trampoline := _TRAMPOLINE.match(head):
            found[path] = _with_bytes(entry, first_line + _bytes(entry)[trampoline.end() :])
        elif head.startswith(_SHELL) and _SHELL_TRICK in head:
            # Shipped as it is, it would need a shell in the image and start who knows what.
            raise InstallError(
                f"/{path} starts its interpreter through a shell, in a way that uv {uv_version()} "
                f"has and this builder does not know",
                hint="install the version of uv that this builder was made with, or report it",
            )
    return found


def _records(
    files: Mapping[str, FileEntry], renewed: Mapping[str, FileEntry]
) -> dict[str, FileEntry]:
    """RECORD files that name a renewed file, with its new hash and size.

    https://packaging.python.org/en/latest/specifications/recording-installed-packages/
    """
    found = {}
    for path, entry in files.items():
        if record := _RECORD.fullmatch(path):
            old = _bytes(entry)
            new = _record(old.decode(*_AS_PATHS), record["site"], renewed)
            if new != old:
                found[path] = _with_bytes(entry, new)
    return found


def _record(text: str, site: str, renewed: Mapping[str, FileEntry]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(text, newline="")):
        file = renewed.get(posixpath.normpath(posixpath.join(site, row[0]))) if row else None
        writer.writerow([row[0], *_hash_and_size(_bytes(file))] if file else row)
    return out.getvalue().encode(*_AS_PATHS)


def _hash_and_size(data: bytes) -> tuple[str, str]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=")
    return f"sha256={digest.decode()}", str(len(data))


def _refuse_staging_path(entries: Iterable[Entry], staged: Path, hint: str) -> None:
    needle = os.fsencode(staged.parent)
    for entry in entries:
        named = isinstance(entry, SymlinkEntry) and os.fsencode(entry.target).startswith(needle)
        if named or (isinstance(entry, FileEntry) and _holds(entry, needle)):
            raise InstallError(
                f"/{entry.path} names the directory it was installed in, {staged.parent}, "
                f"which does not exist in the image",
                hint=hint,
            )


def _holds(entry: FileEntry, needle: bytes) -> bool:
    """Whether a file's bytes hold others; libraries can be larger than memory."""
    rest = b""
    with entry.content.open() as stream:
        while data := stream.read(CHUNK):
            if needle in (window := rest + data):
                return True
            rest = window[1 - len(needle) :]
    return False


def _head(entry: FileEntry) -> bytes:
    with entry.content.open() as stream:
        return stream.read(_HEAD)


def _bytes(entry: FileEntry) -> bytes:
    with entry.content.open() as stream:
        return stream.read()


def _with_bytes(entry: FileEntry, data: bytes) -> FileEntry:
    return FileEntry.of(entry.path, data, mode=entry.mode, owner=entry.owner)
