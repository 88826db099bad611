"""Whether the loader and Python of an image take its new programs and libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.checks.native.binaries import gather, grouped
from builder.checks.native.damage import check_damage
from builder.checks.native.kinds import sorted_out
from builder.checks.native.linkage import linkage_troubles
from builder.checks.native.loading import loading_troubles

if TYPE_CHECKING:
    from builder.checks.finding import Finding
    from builder.checks.subject import Subject


def check_abi(subject: Subject) -> list[Finding]:
    """Look at every ELF file of an image's parts as its own loader would.

    Of an image whose Python or C library is not known, only what no loader takes is told. Files
    of one package that have the same trouble make one finding.

    Raises:
        BaseError: the image's symbolic links go round in circles above one of the files.
    """
    if subject.target is None:
        return check_damage(subject)
    binaries = gather(subject, subject.target)
    own, troubles = sorted_out(binaries)
    troubles += loading_troubles(own, binaries)
    troubles += linkage_troubles(own, binaries)
    return [*check_damage(subject), *grouped(troubles)]
