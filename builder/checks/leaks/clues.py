"""What looks like a secret, in a file's name and in its text.

A cold build asks every file of every distribution. So each secret has bytes that must be there,
and only where they are is there more to see: for nine of them, 44 MB of text, that of sixty
distributions, take 0.2 seconds.
"""

from __future__ import annotations

import io
import re
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO

from builder.checks.leaks.credentials import (
    clue_of_name,
    docker_login,
    kubernetes_login,
    npm_login,
    passwords_of_lines,
    url_password,
)
from builder.checks.leaks.junk_names import LFS_POINTER
from builder.checks.leaks.private_keys import (
    ENCRYPTED_KEY,
    KEY_KINDS,
    LONGEST_KEY,
    PRIVATE_KEY,
    encoded,
    is_der_key,
    jwk,
    pem,
    putty,
)
from builder.checks.leaks.tokens import TOKENS
from builder.checks.subject import Clue, Origin

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT_LIMIT = 64 << 20
LIMIT = 8 << 20
"""Bytes of a file that are searched, of a project and of what others published."""

_LFS = b"version https://git-lfs.github.com/spec/"
_BLOCK = 4 << 20
_HEAD = 1024
_MOST_CLUES = 10
"""Of one file; who has so many knows what to look for."""
_TESTS = re.compile(
    r"/(?:tests?|testing|testdata|fixtures)/|/(?:test_[^/]*|[^/]*_test|conftest)\.py$"
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_DER = (".der", ".key", ".pk8", ".p8", ".pem")
# Of what others published, these are many and hold declarations, translations and pictures.
_SKIPPED = (
    *(".pyi", ".pxd", ".h", ".hh", ".hpp", ".hxx", ".cuh", ".inc", ".f90"),
    *(".mo", ".po", ".pot", ".png", ".gif", ".jpg", ".svg", ".ico", ".woff", ".woff2", ".ttf"),
    *(".css", ".map", ".gz", ".zip", ".npy", ".npz", ".parquet", ".typed"),
)

type _Find = Callable[[bytes, int], tuple[int, str] | None]

_PEM = (b"PRIVATE KEY", pem)
_STRONG: tuple[tuple[bytes, _Find], ...] = (
    _PEM,
    *((needle, token.find) for token in TOKENS if token.strong for needle in token.needles),
)
_ALL: tuple[tuple[bytes, _Find], ...] = (
    _PEM,
    (b"LS0tLS1CRUdJTi", encoded),
    (b"PuTTY-User-Key-File-", putty),
    (b"://", url_password),
    (b'"auths"', docker_login),
    (b"current-context", kubernetes_login),
    (b'"kty"', jwk),
    (b"'kty'", jwk),
    (b"_authToken", npm_login),
    (b"npmAuthToken", npm_login),
    *((needle, token.find) for token in TOKENS for needle in token.needles),
)

_THROUGH = (docker_login, kubernetes_login)
"""These look at all that follows, and so are asked once."""
# Of what is no text, these have nothing in them that could be read.
_PACKED = (
    *(".gz", ".tgz", ".zip", ".whl", ".xz", ".bz2", ".zst", ".7z", ".png", ".jpg", ".jpeg"),
    *(".gif", ".webp", ".mp3", ".mp4", ".woff", ".woff2", ".npz", ".pdf"),
)


def clues_of_name(path: str, size: int, origin: Origin) -> tuple[Clue, ...]:
    """What a file's name tells; nothing of an empty file, or of one that others published."""
    clue = clue_of_name(path) if size and origin is Origin.PROJECT else None
    return (clue,) if clue else ()


def is_skipped(path: str, origin: Origin) -> bool:
    """Whether a file is of a kind that is not opened at all."""
    return origin is not Origin.PROJECT and path.endswith(_SKIPPED)


def clues_of_text(path: str, head: bytes, stream: BinaryIO, origin: Origin) -> tuple[Clue, ...]:
    """Search a file, as far as the limit, until there is enough to tell.

    Args:
        path: its name says how some files are written.
        head: what was read of it.
        stream: the rest.
        origin: decides what is looked for: all that can be told in a project, in what others
            published, and in what is no text, only what hardly ever is a false alarm.
    """
    is_project = origin is Origin.PROJECT
    if is_project and path.endswith(_DER) and head.startswith(b"0"):
        head += stream.read(LONGEST_KEY)
        if is_der_key(head):
            return (Clue(kind=PRIVATE_KEY),)
    if is_project and head.startswith(_LFS):
        return (Clue(kind=LFS_POINTER),)
    is_text = b"\0" not in head[:_HEAD]
    if not is_text and (not is_project or path.endswith(_PACKED)):
        return ()
    if not is_text and head.startswith(_UTF_16):
        return _clues_of_utf_16(path, head, stream)
    searches = _ALL if is_project and is_text else _STRONG
    found: dict[Clue, None] = {}
    for data, line in _blocks(head, stream, PROJECT_LIMIT if is_project else LIMIT):
        places = [each for search in searches for each in _places(data, *search, path, origin)]
        if is_project:
            places += islice(passwords_of_lines(path, data), _MOST_CLUES)
        found |= dict.fromkeys(_clues(data, line, places))
        if len(found) >= _MOST_CLUES:
            break
    return tuple(sorted(found, key=lambda clue: clue.line)[:_MOST_CLUES])


def _places(
    data: bytes, needle: bytes, find: _Find, path: str, origin: Origin
) -> list[tuple[int, str]]:
    """Where secrets of a form begin, and their kinds: as many as are told at most."""
    found: list[tuple[int, str]] = []
    at = data.find(needle)
    while at >= 0 and len(found) < _MOST_CLUES:
        place = find(data, at)
        if place and (origin is Origin.PROJECT or not _is_for_tests(path, place[1])):
            found.append(place)
        at = -1 if find in _THROUGH else data.find(needle, at + len(needle))
    return found


def _clues(data: bytes, line: int, places: list[tuple[int, str]]) -> Iterator[Clue]:
    """What is at some places, with the numbers of their lines; ``line`` is the first one's."""
    counted = 0
    for at, kind in sorted(places):
        line += data.count(b"\n", counted, at)
        counted = at
        yield Clue(kind=kind, line=line)


def _is_for_tests(path: str, kind: str) -> bool:
    """Whether a key is one that tests use, as a third of all packages that do TLS publish some.

    Nothing else loads it; a token in the same place is more than a test needs.
    """
    return kind == ENCRYPTED_KEY or (kind in KEY_KINDS and _TESTS.search(path) is not None)


def _blocks(head: bytes, stream: BinaryIO, limit: int) -> Iterator[tuple[bytes, int]]:
    """The file in pieces that overlap by the longest secret, each with its first line's number."""
    data, line, size = head + stream.read(_BLOCK - len(head)), 1, 0
    while data:
        yield data, line
        size += len(data)
        more = stream.read(_BLOCK) if size < limit else b""
        if not more:
            return
        start = max(0, len(data) - LONGEST_KEY)
        line += data.count(b"\n", 0, start)
        data = data[start:] + more


def _clues_of_utf_16(path: str, head: bytes, stream: BinaryIO) -> tuple[Clue, ...]:
    """Text as Windows' editors and shells write it."""
    text = (head + stream.read(_BLOCK)).decode("utf-16", "replace").replace("\0", "").encode()
    return clues_of_text(path, text, io.BytesIO(), Origin.PROJECT)
