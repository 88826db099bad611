"""The first line of a script, as the kernel reads it: what has to be there to start it."""

from __future__ import annotations

import re
from typing import NamedTuple

_LONGEST = 256
"""Bytes that the kernel looks at:
https://man7.org/linux/man-pages/man2/execve.2.html#DESCRIPTION"""
_MARK = b"#!"
_PLAIN = re.compile(r"[\w./+][\w./+ -]*")
_ASSIGNMENT = re.compile(r"\w+=.*", re.DOTALL)


class Wanted(NamedTuple):
    """What a script asks for.

    Attributes:
        interpreter: as written, mostly an absolute path.
        program: what ``env`` is to find on ``PATH``; empty when that is not what starts it, or is
            told in a way that only ``env`` understands.
    """

    interpreter: str
    program: str


def script_of(head: bytes) -> str:
    """What follows ``#!`` in a file's first line; empty for what is no script.

    Args:
        head: the file's first bytes.
    """
    if not head.startswith(_MARK):
        return ""
    line = head[len(_MARK) : _LONGEST].partition(b"\n")[0]
    return line.decode("utf-8", "surrogateescape").strip(" \t")


def wanted_by(script: str) -> Wanted:
    """Take apart what ``script_of`` gave."""
    interpreter, _, rest = script.replace("\t", " ").partition(" ")
    is_env = interpreter.rpartition("/")[2] == "env"
    return Wanted(interpreter, _of_env(rest.strip()) if is_env else "")


def _of_env(argument: str) -> str:
    """What ``env`` starts; empty when only it can tell.

    The kernel hands it all that follows as one word, and only ``-S`` makes it several.
    https://www.gnu.org/software/coreutils/manual/html_node/env-invocation.html
    """
    option, _, rest = argument.partition(" ")
    words = rest.split() if option == "-S" else [argument]
    while words and _ASSIGNMENT.fullmatch(words[0]):
        if words[0].startswith("PATH="):
            return ""
        del words[0]
    return words[0] if words and _PLAIN.fullmatch(words[0]) else ""
