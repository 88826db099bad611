"""What a check found."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What becomes of an image that has it."""

    ERROR = "error"
    """There is none."""
    WARNING = "warning"
    """It is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that is wrong with an image, or could be.

    Attributes:
        check: what looked, as settings name it: ``missing-library``.
        severity: what becomes of it.
        message: what is wrong, without the place.
        fix: what to do about it.
        path: absolute in-image path; empty when it is about the whole image.
        distribution: the installed package that the file is of, ``numpy 2.3.1``; empty for none.
        layer: its name in the plan, or its digest in an image that others built.
    """

    check: str
    severity: Severity
    message: str
    fix: str
    path: str = ""
    distribution: str = ""
    layer: str = ""
