"""The libraries that compress, imported by whoever does: a build that packs nothing needs none."""

import importlib
import sys
from typing import Any


def zlib_ng() -> Any:
    """The API of zlib, by the library whose bytes do not depend on the processor."""
    return importlib.import_module("zlib_ng.zlib_ng")


def zstd() -> Any:
    """The standard library's zstd API: its own from Python 3.14 on, its backport before."""
    standard = sys.version_info >= (3, 14)
    return importlib.import_module("compression.zstd" if standard else "backports.zstd")
