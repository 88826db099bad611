"""The checks of an image, before there is one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.built import previous_size
from builder.checks.budgets import BASE
from builder.checks.image import check_image
from builder.checks.start.application import check_application
from builder.checks.subject import Ground, Subject
from builder.checks.verdict import (
    cautions,
    counted,
    describe_unused,
    judge,
    refuse,
    tell_accepted,
)
from builder.events import Caution, Notice, step
from builder.making.importing import import_app
from builder.project.relocate import skeleton

if TYPE_CHECKING:
    from collections.abc import Sequence

    from builder.contents import Contents
    from builder.making.system import Furnished
    from builder.making.work import Work
    from builder.plan import MadeLayer
    from builder.settings import Acceptance

_NAMES = 3


def check(
    work: Work, furnished: Furnished, parts: Sequence[Contents], layers: Sequence[MadeLayer]
) -> tuple[Caution, ...]:
    """Look at all that is new in an image; what is told of it, when it may be made.

    Args:
        work: the build.
        furnished: what the new files stand on.
        parts: the new files.
        layers: all new layers, from the bottom.

    Raises:
        CheckError: there is to be no such image.
    """
    checks = work.planned.app.settings.checks
    with step(work.shop.events, "checks") as done:
        subject = _subject(work, furnished, parts, layers)
        entries = [entry for part in parts for entry in part.entries]
        paths = [path for part in parts for path in part.paths]
        site = work.place.site_packages
        findings = [
            *check_image(
                subject,
                checks,
                files=subject.ground.files,
                paths=[*paths, *(entry.path for entry in skeleton(work.place))],
                application=check_application(work.planned.app.settings, entries, site),
            ),
            *import_app(work),
        ]
        verdict = judge(findings, checks)
        done.detail = f"{len(paths)} files, {counted(verdict)}"
    # What only one of several platforms needs is not for the others to tell of.
    is_only = len(work.planned.app.settings.platform) <= 1
    unused = verdict.unused if is_only else ()
    told = (*cautions(verdict.warnings), *(_unused(acceptance) for acceptance in unused))
    for caution in told:
        work.shop.events(caution)
    for text in tell_accepted(verdict):
        work.shop.events(Notice(text))
    refuse(verdict, "the image" if is_only else f"the image for {work.planned.target.platform}")
    return told


def _subject(
    work: Work, furnished: Furnished, parts: Sequence[Contents], layers: Sequence[MadeLayer]
) -> Subject:
    planned = work.planned
    base = furnished.base
    inherited = [(BASE, layer.size) for layer in planned.base.image.layers]
    return Subject(
        parts=(
            *furnished.inspected,
            *(each for part in parts for each in part.inspected),
        ),
        ground=Ground(files=base.files, libraries=base.libraries),
        target=planned.target,
        run=planned.plan.run,
        layers=(*inherited, *((_called(made), made.layer.size) for made in layers)),
        previous=previous_size(planned, work.shop.store),
        packages=furnished.packages,
    )


def _called(made: MadeLayer) -> str:
    names = made.holds.split(", ")
    shown = ", ".join(names[:_NAMES]) + (" ..." if len(names) > _NAMES else "")
    return f"{made.name} ({shown})" if made.holds else made.name


def _unused(acceptance: Acceptance) -> Caution:
    return Caution(describe_unused(acceptance), "take it out of accept in [tool.builder.checks]")
