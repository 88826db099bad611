"""All checks of an image in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from builder.checks.budgets import check_budgets
from builder.checks.leaks.junk import check_junk
from builder.checks.leaks.secrets import check_secrets
from builder.checks.native.abi import check_abi
from builder.checks.start.config import check_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from builder.checks.finding import Finding
    from builder.checks.subject import Subject
    from builder.rootfs.file_index import FileIndex
    from builder.settings import ChecksSettings

_OF_THE_COMMAND = {"missing-command", "missing-module"}


def check_image(
    subject: Subject,
    checks: ChecksSettings,
    *,
    files: FileIndex | None = None,
    paths: Iterable[str] = (),
    application: Sequence[Finding] = (),
) -> list[Finding]:
    """Look at everything that is known of an image; ``judge`` says what comes of it.

    Args:
        subject: the image.
        checks: the bounds of sizes.
        files: all of its files, or those that the ones of ``paths`` stand on; None: not known.
        paths: of new files, relative to the root.
        application: what ``check_application`` found: of a command or module that is missing it
            knows more than the config does, and one finding is enough.
    """
    config = check_config(subject.run, files, subject.parts, paths=paths)
    if application:
        config = [finding for finding in config if finding.check not in _OF_THE_COMMAND]
    return [
        *application,
        *check_abi(subject),
        *check_secrets(subject),
        *check_junk(subject, checks),
        *config,
        *check_budgets(subject, checks),
    ]
