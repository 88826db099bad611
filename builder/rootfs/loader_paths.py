"""Where a C library's loader looks for shared libraries.

https://man7.org/linux/man-pages/man8/ld.so.8.html, https://wiki.musl-libc.org/environment-variables
"""

import fnmatch
import posixpath
import re
from collections.abc import Iterator, Mapping

from builder.target import Libc

_CONFIGURATION = "etc/ld.so.conf"
_CACHE = "etc/ld.so.cache"
_CACHED = re.compile(rb"\0/([^\0]+)/[^/\0]+(?=\0)")
_MUSL_PATHS = "etc/ld-musl-"
_ABI = re.compile(r"=[^/]*$")
_MUSL = ("lib", "usr/local/lib", "usr/lib")

# https://wiki.debian.org/Multiarch/Tuples
TRIPLETS: Mapping[str, str] = {
    "386": "i386-linux-gnu",
    "amd64": "x86_64-linux-gnu",
    "arm": "arm-linux-gnueabihf",
    "arm64": "aarch64-linux-gnu",
    "loong64": "loongarch64-linux-gnu",
    "ppc64le": "powerpc64le-linux-gnu",
    "riscv64": "riscv64-linux-gnu",
    "s390x": "s390x-linux-gnu",
}
"""Debian's directories of libraries, by the architecture's name in image configs."""


def is_configuration(path: str) -> bool:
    """Whether a file may say where libraries are; it is short."""
    return path == _CACHE or path.startswith((_CONFIGURATION, _MUSL_PATHS))


def loader_paths(
    texts: Mapping[str, bytes], *, architecture: str, libc: Libc | None
) -> tuple[str, ...]:
    """Directories relative to the root, each once, in the order in which they are searched.

    Args:
        texts: files for which ``is_configuration`` holds, by path; includes of others are not
            followed.
        architecture: as image configs name it.
        libc: the loader's; glibc when it is not known.
    """
    if libc is not None and libc.name == "musl":
        found = [*_musl_configured(texts)] or [*_MUSL]
    else:
        found = [
            *_configured(texts, _CONFIGURATION, set()),
            *_cached(texts),
            *_builtin(architecture),
        ]
    return tuple(dict.fromkeys(found))


def added_paths(texts: Mapping[str, bytes]) -> tuple[str, ...]:
    """What the files of a layer name: those below ``/etc/ld.so.conf.d``, and its cache."""
    named = sorted(path for path in texts if path.startswith(_CONFIGURATION))
    found = [path for name in named for path in _configured(texts, name, set())]
    return tuple(dict.fromkeys([*found, *_cached(texts)]))


def _cached(texts: Mapping[str, bytes]) -> Iterator[str]:
    """What was configured when the cache was made, though the configuration is gone."""
    for found in _CACHED.finditer(texts.get(_CACHE, b"")):
        yield found[1].decode("utf-8", "surrogateescape")


def _builtin(architecture: str) -> Iterator[str]:
    if triplet := TRIPLETS.get(architecture):
        yield from (f"lib/{triplet}", f"usr/lib/{triplet}")
    yield from ("lib64", "usr/lib64", "lib", "usr/lib")


def _configured(texts: Mapping[str, bytes], path: str, seen: set[str]) -> Iterator[str]:
    """What a file names, and those that it includes; each is read once, or circles had no end."""
    seen.add(path)
    for raw in texts.get(path, b"").decode("utf-8", "surrogateescape").split("\n"):
        line = raw.partition("#")[0].strip()
        words = line.split()
        if words and words[0] == "include":
            for pattern in words[1:]:
                whole = posixpath.normpath(posixpath.join(posixpath.dirname(path), pattern))
                for name in sorted(fnmatch.filter(texts, whole.lstrip("/"))):
                    if name not in seen:
                        yield from _configured(texts, name, seen)
        elif line.startswith("/"):
            yield _ABI.sub("", line).strip("/ \t")


def _musl_configured(texts: Mapping[str, bytes]) -> Iterator[str]:
    for path in sorted(texts):
        if path.startswith(_MUSL_PATHS):
            for part in re.split(r"[:\n]", texts[path].decode("utf-8", "surrogateescape")):
                if part.startswith("/"):
                    yield part.strip("/ \t")
