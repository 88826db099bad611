"""Extension modules, as their files are named.

https://docs.python.org/3/library/importlib.html#importlib.machinery.EXTENSION_SUFFIXES
"""

import re
from dataclasses import dataclass
from typing import Self

from builder.rootfs.loader_paths import TRIPLETS
from builder.target import Target

_TAGGED = re.compile(
    r"(?P<module>\w+)\.(?P<tag>abi3t?|(?:cpython-|cp|pypy|graalpy)\d[^/.]*)\.so", re.ASCII
)
_CPYTHON = re.compile(r"cpython-(?P<major>\d)(?P<minor>\d+)(?P<flags>[a-z]*)(?:-(?P<triplet>.+))?")
_TRIPLET = re.compile(r"(?P<machine>\w+)-(?P<system>linux)-(?P<libc>gnu|musl)\w*")
_FLAGS = {"t": "free-threaded Python", "d": "debug build of Python"}
_WITH_LOCK = "a Python that is not free-threaded"
"""What takes the stable ABI, too: the free-threaded 3.13 and 3.14 do not."""
_LAST_WITH_M = (3, 7)
_FIRST_WITH_ABI3T = (3, 15)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extension:
    """A file that Python imports, by its name alone.

    Attributes:
        directory: in which it is.
        module: last part of its module's name.
        tag: what it was built for: ``cpython-312-x86_64-linux-gnu``.
    """

    directory: str
    module: str
    tag: str

    @classmethod
    def of(cls, path: str) -> Self | None:
        """None for a file whose name does not say that it is one."""
        directory, _, name = path.rpartition("/")
        found = _TAGGED.fullmatch(name)
        if found is None:
            return None
        return cls(directory=directory, module=found["module"], tag=found["tag"])

    def built_for(self, target: Target) -> str | None:
        """What else than the target it is for, in words; None when the target's Python takes it."""
        if self.tag == "abi3":
            return _WITH_LOCK if _is_free_threaded(target) else None
        if self.tag == "abi3t":
            later = target.python.version >= _FIRST_WITH_ABI3T
            return None if later else "free-threaded Python 3.15 or later"
        found = _CPYTHON.fullmatch(self.tag)
        if found is None:
            return f"another Python ({self.tag})"
        version = int(found["major"]), int(found["minor"])
        flags = found["flags"].replace("m", "") if version <= _LAST_WITH_M else found["flags"]
        if flags != ("t" if _is_free_threaded(target) else ""):
            return f"a {_FLAGS.get(flags, 'special build of Python')}" if flags else _WITH_LOCK
        if version != target.python.version:
            return f"Python {version[0]}.{version[1]}"
        return _other_system(found["triplet"], target)


def _is_free_threaded(target: Target) -> bool:
    return target.python.path.endswith("t")


def _other_system(triplet: str | None, target: Target) -> str | None:
    if triplet is None:
        return None
    found = _TRIPLET.fullmatch(triplet)
    if found is None:
        return triplet
    machine = TRIPLETS.get(target.platform.architecture, triplet).partition("-")[0]
    if found["machine"] != machine:
        return found["machine"]
    # Pythons on musl of the time before 3.11 named theirs as those on glibc did.
    return "musl" if found["libc"] == "musl" and target.libc.name != "musl" else None
