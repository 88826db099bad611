"""What looks like a secret, in a file's name and in its text.

A cold build asks every file of every distribution. So each secret has bytes that must be there,
and only where they are is there more to see: for nine of them, 44 MB of text, that of sixty
distributions, take 0.2 seconds.
"""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO

from builder.checks.credentials import (
    clue_of_name,
    docker_login,
    kubernetes_login,
    npm_login,
    passwords_of_lines,
    url_password,
)
from builder.checks.private_keys import (
    ENCRYPTED_KEY,
    KEY_KINDS,
    LONGEST_KEY,
    PRIVATE_KEY,
    encoded,
    is_der_key,
    pem,
    putty,
)
from builder.checks.subject import Clue, Origin
from builder.checks.tokens import TOKENS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PROJECT_LIMIT = 64 << 20
LIMIT = 8 << 20
"""Bytes of a file that are searched, of a project and of what others published."""

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
    (b"current-context:", kubernetes_login),
    (b"_authToken", npm_login),
    (b"npmAuthToken", npm_login),
    *((needle, token.find) for token in TOKENS for needle in token.needles),
)


def clues_of_name(path: str, size: int, origin: Origin) -> tuple[Clue, ...]:
    """What a file's name tells; nothing of an empty file, or of one that others published."""
    clue = clue_of_name(path) if size and origin is Origin.PROJECT else None
    return (clue,) if clue else ()


def is_skipped(path: str, origin: Origin) -> bool:
    """Whether a file is of a kind that is not opened at all."""
    return origin is not Origin.PROJECT and path.endswith(_SKIPPED)


def clues_of_text(path: str, head: bytes, stream: BinaryIO, origin: Origin) -> tuple[Clue, ...]:
    """Search a file, if it is text, as far as the limit.

    Args:
        path: its name says how some files are written.
        head: what was read of it.
        stream: the rest.
        origin: decides what is looked for: all that can be told in a project, in what others
            published only what hardly ever is a false alarm.
    """
    is_project = origin is Origin.PROJECT
    if is_project and path.endswith(_DER) and head.startswith(b"0"):
        head += stream.read(LONGEST_KEY)
        if is_der_key(head):
            return (Clue(kind=PRIVATE_KEY),)
    if b"\0" in head[:_HEAD]:
        return _clues_of_utf_16(path, head, stream) if is_project else ()
    found: dict[Clue, None] = {}
    for data, line in _blocks(head, stream, PROJECT_LIMIT if is_project else LIMIT):
        places = list(_places(data, _ALL if is_project else _STRONG))
        if is_project:
            places += passwords_of_lines(path, data)
        for at, kind in places:
            if not is_project and _is_for_tests(path, kind):
                continue
            found[Clue(kind=kind, line=line + data.count(b"\n", 0, at))] = None
    return tuple(sorted(found, key=lambda clue: clue.line)[:_MOST_CLUES])


def _is_for_tests(path: str, kind: str) -> bool:
    """Whether a key is one that tests use, as a third of all packages that do TLS publish some.

    Nothing else loads it; a token in the same place is more than a test needs.
    """
    return kind == ENCRYPTED_KEY or (kind in KEY_KINDS and _TESTS.search(path) is not None)


def _places(data: bytes, searches: tuple[tuple[bytes, _Find], ...]) -> Iterator[tuple[int, str]]:
    for needle, find in searches:
        at = data.find(needle)
        while at >= 0:
            if found := find(data, at):
                yield found
            at = data.find(needle, at + len(needle))


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
    """Text as Windows' editors and shells write it; anything else with a NUL in it is no text."""
    if not head.startswith(_UTF_16):
        return ()
    text = (head + stream.read(_BLOCK)).decode("utf-16", "replace").replace("\0", "").encode()
    return clues_of_text(path, text, io.BytesIO(), Origin.PROJECT)
