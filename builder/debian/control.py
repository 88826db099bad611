"""Paragraphs of Debian's control files.

https://www.debian.org/doc/debian-policy/ch-controlfields.html#syntax-of-control-files
"""

import re
from collections.abc import Iterator

_BLANK = re.compile(r"\n(?:[ \t]*\n)+")
_FIELD = re.compile(r"^([!-,.-9;-~][!-9;-~]*):[ \t]*(.*(?:\n[ \t].*)*)", re.MULTILINE)


def parse_paragraph(text: str) -> dict[str, str]:
    """The fields of one paragraph, by name as written; folded lines keep their newlines.

    What is no field is passed over. python-debian's reader is made for editing, and takes ten
    times as long.
    """
    return {name: value.rstrip() for name, value in _FIELD.findall(text)}


def parse_paragraphs(text: str) -> Iterator[dict[str, str]]:
    """The fields of each paragraph; what holds none is passed over."""
    for paragraph in paragraphs(text):
        if fields := parse_paragraph(paragraph):
            yield fields


def paragraphs(text: str) -> Iterator[str]:
    """Each paragraph as it is written, with the newline that ends its last line."""
    for part in _BLANK.split(text):
        if part.strip():
            yield f"{part.strip('\n')}\n"
